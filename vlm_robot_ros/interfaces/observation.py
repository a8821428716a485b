"""What a policy observes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class ArmObservation:
    """What a policy may know of one arm of several."""

    pose: np.ndarray
    """As of `Observation`."""
    opening: float
    """Gripper opening: 0 closed, 1 open."""
    joints: np.ndarray
    """Joint positions, from the base outwards. Shape (J,), [rad]."""


@dataclass(frozen=True)
class Observation:
    """What a policy may know at one camera frame."""

    images: Mapping[str, np.ndarray]
    """One image a camera, by its name. Shape (H, W, 3), uint8 RGB; of a depth camera where what
    each pixel shows is, float32, base frame [m], NaN where that is not known."""
    pose: np.ndarray
    """Tool pose in the base frame: x, y, z [m], quaternion qx, qy, qz, qw. Shape (7,)."""
    opening: float
    """Gripper opening: 0 closed, 1 open."""
    instruction: str
    joints: np.ndarray | None = None
    """Joint positions, from the base outwards. Shape (J,), [rad]."""
    time: float = 0.0
    """When the images were taken [s]."""
    camera_poses: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Where cameras are whose place TF tells, by their names: as `Camera.pose`."""
    others: Mapping[str, ArmObservation] = field(default_factory=dict)
    """Of a robot of several arms: the arms but the first, by their names; what is above is of the
    first."""
