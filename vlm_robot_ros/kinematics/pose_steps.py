"""Small steps of a tool's pose: x, y, z [m], qx, qy, qz, qw, in the base frame."""

import numpy as np
import pinocchio

from vlm_robot_ros.kinematics.kinematics import pose7_to_transform, pose_error


def limit_length(vector: np.ndarray, longest: float) -> np.ndarray:
    """Return a vector shortened to `longest`, where it is longer."""
    return vector * min(1.0, longest / max(float(np.linalg.norm(vector)), 1e-9))


def pose_difference(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return what takes one pose to another, shape (7,) each: see `pose_error`. Shape (6,)."""
    return pose_error(pose7_to_transform(here), pose7_to_transform(there))


def step_pose(pose: np.ndarray, change: np.ndarray, in_tool_frame: bool = False) -> np.ndarray:
    """Return a pose after a small motion of it.

    Args:
        pose: Shape (7,).
        change: A translation [m] and a rotation vector [rad]. Shape (6,).
        in_tool_frame: Whether the change is in the tool's frame, else in the base frame.
    """
    here = pinocchio.Quaternion(pose[3:]).normalized()
    if in_tool_frame:
        change = np.concatenate([here * change[:3], here * change[3:]])
    turned = (pinocchio.Quaternion(pinocchio.exp3_quat(change[3:])) * here).normalized().coeffs()
    if turned @ pose[3:] < 0:
        turned = -turned
    return np.concatenate([pose[:3] + change[:3], turned])


def limit_distance(
    pose: np.ndarray, center: np.ndarray, longest_m: float, largest_rad: float
) -> np.ndarray:
    """Return a pose no farther from another than these distances. Shape (7,) each."""
    away = pose_difference(center, pose)
    way, turn = limit_length(away[:3], longest_m), limit_length(away[3:], largest_rad)
    if np.array_equal(np.concatenate([way, turn]), away):
        return pose
    return step_pose(center, np.concatenate([way, turn]))
