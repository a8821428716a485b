"""Rotations as policies write them."""

import numpy as np
from scipy.spatial.transform import Rotation

_LEAST_LENGTH = 1e-3
"""Shorter quaternions and columns say nothing of a direction."""


def write_rotation(kind: str, quaternion: np.ndarray) -> np.ndarray:
    """Return a rotation in another form.

    Args:
        kind: `quaternion` (x, y, z, w), `rotation_vector` [rad], `euler` (roll, pitch, yaw about
            the fixed axes) [rad], or `rotation_6d`, the first two columns of the matrix (Zhou et
            al. 2019, arXiv:1812.07035).
        quaternion: x, y, z, w. Shape (4,).
    """
    rotation = Rotation.from_quat(quaternion)
    if kind == "rotation_vector":
        return _rotation_vector(np.asarray(quaternion, float))
    if kind == "euler":
        return rotation.as_euler("xyz")
    if kind == "rotation_6d":
        return rotation.as_matrix()[:, :2].T.ravel()
    return quaternion


def _rotation_vector(quaternion: np.ndarray) -> np.ndarray:
    """Return a rotation vector that does not jump where the tool turns by about half a turn.

    Its angle may be above half a turn: the largest value of the quaternion is kept positive.
    """
    quaternion = quaternion * np.sign(quaternion[np.abs(quaternion).argmax()])
    length = np.linalg.norm(quaternion[:3])
    if length < _LEAST_LENGTH:
        return 2 * quaternion[:3]
    return quaternion[:3] / length * 2 * np.arctan2(length, quaternion[3])


def read_rotation(kind: str, values: np.ndarray) -> Rotation:
    """Return rotations from the form that `write_rotation` writes. Shape (N, width).

    Quaternions and columns are normalized, as networks write them only about right.

    Raises:
        ValueError: some of them have no direction.
    """
    if kind == "rotation_vector":
        return Rotation.from_rotvec(values)
    if kind == "euler":
        return Rotation.from_euler("xyz", values)
    if kind == "quaternion":
        _check_lengths("quaternion", values)
        return Rotation.from_quat(values)
    first, second = values[:, :3], values[:, 3:]
    _check_lengths("first column", first)
    first = first / np.linalg.norm(first, axis=1, keepdims=True)
    second = second - first * (first * second).sum(1, keepdims=True)
    _check_lengths("second column", second)
    second = second / np.linalg.norm(second, axis=1, keepdims=True)
    return Rotation.from_matrix(np.stack([first, second, np.cross(first, second)], -1))


def _check_lengths(what: str, vectors: np.ndarray) -> None:
    lengths = np.linalg.norm(vectors, axis=1)
    if (lengths < _LEAST_LENGTH).any():
        raise ValueError(f"a {what} of length {lengths.min():.3g} says no rotation")
