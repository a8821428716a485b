"""Policies that do what none should; in a module that worker processes can import."""

from dataclasses import replace

import numpy as np

from vlm_robot_ros.policy.base import HoldPolicy, hold_chunk


class Closing(HoldPolicy):
    """A policy that closes the gripper whatever is said."""

    def infer(self, observation):
        still = hold_chunk(observation, 0.1, "")
        return replace(still, gripper=np.zeros(1), confidence=1.0)


class Broken(HoldPolicy):
    """A policy that cannot answer."""

    def infer(self, observation):
        raise RuntimeError("out of order")
