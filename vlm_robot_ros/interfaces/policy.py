"""What every policy takes and gives."""

from typing import Protocol

import numpy as np

from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.interfaces.observation import Observation


class Policy(Protocol):
    """A policy, whichever it is; nodes and evaluation know no more than this."""

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras without which it cannot act."""

    def reset(self) -> None:
        """Forget everything; called when the world is another."""

    def next_instruction(self) -> None:
        """Expect another instruction, which may be a correction of the last one.

        Called twice where others came between that the policy was not asked about.
        """

    def infer(self, observation: Observation) -> ActionChunk:
        """Return what to do next."""

    def draw(self) -> np.ndarray | None:
        """Return the last image and what was found in it, shape (H, W, 3), uint8 RGB, if any."""


def hold_chunk(observation: Observation, step_dt: float, reason: str) -> ActionChunk:
    """Return a chunk of one step that keeps the arm where it is."""
    return ActionChunk(
        ActionMode.END_EFFECTOR_POSE,
        observation.pose[None].copy(),
        np.array([observation.opening]),
        step_dt,
        "",
        {},
        0.0,
        reason,
    )


class HoldPolicy:
    """The policy that stays where it is: to bring up a robot with."""

    cameras: tuple[str, ...] = ()

    def reset(self) -> None:
        """Nothing to forget."""

    def next_instruction(self) -> None:
        """Nothing to expect."""

    def infer(self, observation: Observation) -> ActionChunk:
        """Return a hold."""
        return hold_chunk(observation, 0.1, "this is the hold policy")

    def draw(self) -> np.ndarray | None:
        """Nothing is looked at."""
        return None
