"""An arm's joints as a contract has them, from where their axes are when all stand at zero."""

import warnings
from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

Origin = tuple[float, ...]
"""A frame in its parent's: x, y, z [m], roll, pitch, yaw [rad]."""


def joint_origins(
    anchors: Sequence[np.ndarray], axes: Sequence[np.ndarray], tool: np.ndarray
) -> tuple[list[Origin], Origin]:
    """Return the joints' frames, each in the one before, and the tool's in the last.

    A contract's joints turn about their own z; x is chosen as near as can be to the one before's.

    Args:
        anchors: A point on each joint's axis in the base frame. Shape (3,), [m].
        axes: Its direction, in the sense of positive turns. Shape (3,).
        tool: Pose of the tool in the base frame: a transform. Shape (4, 4), [m].
    """
    before, found = np.eye(4), []
    for anchor, axis in zip(anchors, axes, strict=True):
        frame = np.eye(4)
        frame[:3, :3] = _rotation_to_axis(before[:3, :3], np.asarray(axis) / np.linalg.norm(axis))
        frame[:3, 3] = anchor
        found.append(_joint_origin(np.linalg.inv(before) @ frame))
        before = frame
    return found, _joint_origin(np.linalg.inv(before) @ tool)


def _rotation_to_axis(rotation: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return a rotation, turned as little as can be so that its z is `z`."""
    cross, cosine = np.cross(rotation[:, 2], z), float(rotation[:, 2] @ z)
    sine = float(np.linalg.norm(cross))
    if sine < 1e-9:
        about = rotation[:, 0] * (0.0 if cosine > 0 else np.pi)
    else:
        about = cross / sine * np.arctan2(sine, cosine)
    return Rotation.from_rotvec(about).as_matrix() @ rotation


def _joint_origin(frame: np.ndarray) -> Origin:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # at a pitch of 90 degrees any of many will do
        turn = Rotation.from_matrix(frame[:3, :3]).as_euler("xyz")
    return tuple(float(round(value, 9)) + 0.0 for value in (*frame[:3, 3], *turn))
