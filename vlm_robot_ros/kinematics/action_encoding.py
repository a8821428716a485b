"""Actions as vectors that a model can learn, and back."""

import numpy as np
from scipy.spatial.transform import Rotation

from vlm_robot_ros.interfaces.action import ActionMode

POSE_MODES = (ActionMode.END_EFFECTOR_DELTA, ActionMode.END_EFFECTOR_POSE)
"""Modes whose values are a place and a quaternion; those of the others are joints'."""


def to_vectors(mode: ActionMode, values: np.ndarray, opening: np.ndarray) -> np.ndarray:
    """Return what a model learns of actions. Shape (T, N), float32.

    Joints as they are; or x, y, z and for a move a rotation vector, for a pose the first two
    columns of its rotation matrix, which never jump (Zhou et al., 2019). Then the opening.

    Args:
        mode: What the values are.
        values: As in an `ActionChunk`. Shape (T, W).
        opening: Gripper openings, 0 closed to 1 open. Shape (T,).
    """
    parts = [values]
    if mode in POSE_MODES:
        turns = Rotation.from_quat(values[:, 3:])
        turn = turns.as_rotvec()
        if mode is ActionMode.END_EFFECTOR_POSE:
            turn = turns.as_matrix()[:, :, :2].transpose(0, 2, 1).reshape(len(values), 6)
        parts = [values[:, :3], turn]
    return np.concatenate([*parts, opening[:, None]], 1).astype(np.float32)


def from_vectors(mode: ActionMode, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values, shape (T, W), and openings, (T,), of what `to_vectors` returns."""
    vectors = vectors.astype(float)
    opening = np.clip(vectors[:, -1], 0.0, 1.0)
    if mode not in POSE_MODES:
        return vectors[:, :-1], opening
    turns = vectors[:, 3:-1]
    if mode is ActionMode.END_EFFECTOR_POSE:
        turn = _from_columns(turns)
    else:
        turn = Rotation.from_rotvec(turns)
    return np.concatenate([vectors[:, :3], turn.as_quat()], 1), opening


def _from_columns(columns: np.ndarray) -> Rotation:
    """Return the rotations whose matrices' first two columns are nearest, shape (T, 6)."""
    first, second = columns[:, :3], columns[:, 3:]
    first = first / np.linalg.norm(first, axis=1, keepdims=True).clip(1e-6)
    second = second - (first * second).sum(1, keepdims=True) * first
    second = second / np.linalg.norm(second, axis=1, keepdims=True).clip(1e-6)
    return Rotation.from_matrix(np.stack([first, second, np.cross(first, second)], 2))
