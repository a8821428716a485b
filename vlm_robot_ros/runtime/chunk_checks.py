"""What is done with a chunk before it is executed: turns of joints, and whether it can be one."""

from dataclasses import replace

import numpy as np

from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.robot.config import RobotConfig

_BEYOND_LIMITS_RAD = 0.5
"""A position farther beyond a joint's limits is in another unit [rad]."""
_FAR_RAD, _FAR_M = 1.0, 0.5
"""A chunk none of whose steps is nearer to the arm is of another arm, or in another unit."""
_GRIPPER_RANGE = (-0.5, 1.5)
"""An opening outside of it is in another unit; 0 is closed and 1 open."""


def unwrap_chunk(robot: RobotConfig, chunk: ActionChunk, near: np.ndarray) -> ActionChunk:
    """Return a chunk of joint positions with each continuous joint in the turn that is nearest.

    Args:
        robot: The contract.
        chunk: Of any mode; one that is no chunk is returned as it is.
        near: Positions that the first step is near to. Shape (J,), [rad].
    """
    values, count = np.array(chunk.values, float), len(robot.joints)
    if chunk.mode != ActionMode.JOINT_POSITION or not _is_table(values, count):
        return chunk
    for row in values:
        row[:count] = near = robot.unwrap_continuous_joints(row[:count], near)
    return replace(chunk, values=values)


def implausibility(
    robot: RobotConfig, chunk: ActionChunk, joints: np.ndarray, pose: np.ndarray
) -> str:
    """Return why a chunk cannot be meant for the arm; empty where it can.

    Args:
        robot: The contract.
        chunk: Of any mode; one that is no chunk is not looked at.
        joints: Measured positions. Shape (J,), [rad].
        pose: Measured tool pose, base frame. Shape (7,).
    """
    values, gripper = np.asarray(chunk.values, float), np.asarray(chunk.gripper, float)
    low, high = _GRIPPER_RANGE
    if gripper.size and not (low <= gripper.min() and gripper.max() <= high):
        worst = gripper.flat[np.abs(gripper - 0.5).argmax()]
        return f"the gripper's opening is {worst:.3g}; valid: 0, closed, to 1, open"
    is_joints, count = chunk.mode == ActionMode.JOINT_POSITION, len(robot.joints)
    if not _is_table(values, count if is_joints else 3):
        return ""
    if is_joints:
        said = robot.unwrap_continuous_joints(values[:, :count], joints)
        beyond = np.maximum(robot.lower - said, said - robot.upper)
        step, joint = np.unravel_index(beyond.argmax(), beyond.shape)
        if beyond[step, joint] > _BEYOND_LIMITS_RAD:
            return (
                f"joint '{robot.joint_names[joint]}' is to go to {said[step, joint]:.3g} rad; "
                f"valid: {robot.lower[joint]:.3g} to {robot.upper[joint]:.3g}; is it in degrees?"
            )
        away = float(np.abs(said - joints).max(1).min())
        return f"the plan is {away:.2g} rad from where the arm is" if away > _FAR_RAD else ""
    if chunk.mode != ActionMode.END_EFFECTOR_POSE:
        return ""
    away = float(np.linalg.norm(values[:, :3] - pose[:3], axis=1).min())
    return f"the plan is {away:.2g} m from where the tool is" if away > _FAR_M else ""


def _is_table(values: np.ndarray, width: int) -> bool:
    """Tell whether there are finite numbers, so many a step at least."""
    shaped = values.ndim == 2 and len(values) > 0 and values.shape[1] >= width
    return shaped and bool(np.isfinite(values).all())
