"""What every policy takes and gives."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Observation:
    """What a policy may know at one camera frame."""

    image: np.ndarray
    """Front camera. Shape (H, W, 3), uint8 RGB."""
    tool: np.ndarray
    """Tool position. Shape (3,), base frame [m]."""
    opening: float
    """Gripper opening: 0 closed, 1 open."""
    instruction: str


@dataclass(frozen=True)
class ActionChunk:
    """What to do next: step k is to be reached `(k + 1) * step_dt` after the camera frame."""

    tool: np.ndarray
    """Tool positions. Shape (H, 3), base frame [m]."""
    gripper: np.ndarray
    """Gripper openings: 0 closed, 1 open. Shape (H,)."""
    step_dt: float
    """[s]"""
    label: str
    """Most likely task; empty if none is asked for."""
    scores: dict[str, float]
    """Probability of each task."""
    confidence: float
    """0..1: that the words ask for something, times that of the task."""
    hold: str
    """Why the arm is to hold; empty when it is to move."""


class Policy(Protocol):
    """A policy, whichever it is; nodes and evaluation know no more than this."""

    def reset(self) -> None:
        """Forget the instruction; called when a new one comes."""

    def infer(self, observation: Observation) -> ActionChunk:
        """Return what to do next."""


def hold_chunk(observation: Observation, step_dt: float, reason: str) -> ActionChunk:
    """Return a chunk of one step that keeps the arm where it is."""
    return ActionChunk(
        observation.tool[None].copy(),
        np.array([observation.opening]),
        step_dt,
        "",
        {},
        0.0,
        reason,
    )


class HoldPolicy:
    """The policy that stays where it is."""

    def reset(self) -> None:
        """Nothing to forget."""

    def infer(self, observation: Observation) -> ActionChunk:
        """Return a hold."""
        return hold_chunk(observation, 0.1, "this is the hold policy")
