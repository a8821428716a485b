"""What LIBERO's controller takes: changes of the tool's pose, a step of the benchmark each."""

import numpy as np
from scipy.spatial.transform import Rotation

METRES, RADIANS = 0.05, 0.5
"""What 1 is of an action: how far the tool moves in a step, and turns."""


def pose_changes(poses: np.ndarray) -> np.ndarray:
    """Return the changes from pose to pose, in the frame of the world. Shape (N - 1, 6)."""
    turns = Rotation.from_quat(poses[:, 3:])
    turned = (turns[1:] * turns[:-1].inv()).as_rotvec()
    return np.concatenate([np.diff(poses[:, :3], axis=0), turned], 1)


def controller_actions(moves: np.ndarray, openings: np.ndarray | float) -> np.ndarray:
    """Return changes of the pose, and openings, as the benchmark's actions. Shape (N, 7)."""
    scaled = moves / np.array([METRES] * 3 + [RADIANS] * 3)
    grips = np.broadcast_to(1.0 - 2.0 * np.asarray(openings), len(moves))
    return np.concatenate([scaled.clip(-1, 1), grips[:, None]], 1)
