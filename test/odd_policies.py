"""Policies that do what none should; in a module that worker processes can import."""

from dataclasses import replace

import numpy as np

from vlm_robot_ros.policy.base import HoldPolicy, hold_chunk


class Closing(HoldPolicy):
    """A policy that closes the gripper whatever is said."""

    def infer(self, observation):
        still = hold_chunk(observation, 0.1, "")
        return replace(still, gripper=np.zeros(1), confidence=1.0)


class Sweeping(HoldPolicy):
    """A policy that takes the hand across the table, low, whatever is said."""

    def infer(self, observation):
        still = hold_chunk(observation, 0.1, "")
        pose = still.values[0].copy()
        low = pose[2] < 0.06
        away = np.array([*((0.55, 0.3) if low else pose[:2]), 0.03]) - pose[:3]
        pose[:3] += away * min(1.0, 0.08 / float(np.linalg.norm(away)))
        return replace(still, values=pose[None], confidence=1.0)


class Broken(HoldPolicy):
    """A policy that cannot answer."""

    def infer(self, observation):
        raise RuntimeError("out of order")
