"""Things on the table, as a policy sees them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SceneObject:
    """A thing as the box around it."""

    phrase: str
    """What it is called."""
    position: np.ndarray
    """Middle of the box. Shape (3,), base frame [m]."""
    yaw: float
    """Turn of its own x about the vertical [rad]."""
    size: np.ndarray
    """Along its own x, y and z. Shape (3,), [m]."""
    score: float
    """How sure the policy is that it is this, 0 to 1."""
    container: bool = False
    """Whether it is open above."""
    support: bool = False
    """Whether it has a flat top that others can be put on."""
    grip_problem: str = ""
    """Why the gripper does not take it; empty where it does."""
