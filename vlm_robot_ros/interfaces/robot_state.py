"""The measured state of an arm."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RobotState:
    """The arm at one time."""

    time: float
    """[s]"""
    joints: np.ndarray
    """Shape (J,), [rad]."""
    opening: float
    """0 closed, 1 open."""
    joint_times: np.ndarray | None = None
    """When each joint was there; None: all at `time`. Shape (J,), [s]."""
