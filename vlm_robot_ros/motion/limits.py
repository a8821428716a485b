"""Limits of actions and of measured joints.

`clamp_action` makes what the topic `action` says reachable. Setpoints of command sinks are limited
by `motion.setpoint_generator`.
"""

from dataclasses import replace

import numpy as np
import pinocchio

from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.robot.config import RobotConfig

_MAX_TOOL_ROTATION_RAD_S = 1.5
"""[rad/s]"""
_BEYOND_LIMITS_RAD = 0.5
"""A position farther beyond a joint's limits is in another unit [rad]."""
_FAR_RAD, _FAR_M = 1.0, 0.5
"""A chunk none of whose steps is nearer to the arm is of another arm, or in another unit."""
_GRIPPER_RANGE = (-0.5, 1.5)
"""An opening outside of it is in another unit; 0 is closed and 1 open."""


def clamp_action(
    robot: RobotConfig,
    kinematics: Kinematics,
    mode: ActionMode,
    values: np.ndarray,
    last: np.ndarray,
    dt: float,
    stays_outside: bool = False,
) -> np.ndarray:
    """Return `values` moved inside the robot's limits.

    The tool moves at most at its workspace's speed, whatever the mode. Its pose stays in the
    workspace and turns at most at 1.5 rad/s; joints stay between their limits and below their
    speeds, continuous ones in the turn that they are in.

    Args:
        robot: The contract.
        kinematics: Of the robot.
        mode: Joint position or end-effector pose.
        values: What is to be commanded. Shape (J,) or (7,), as the mode is.
        last: What was commanded `dt` ago, in the same mode and shape.
        dt: [s]
        stays_outside: Whether a tool outside of its workspace may stay where it is.
    """
    if mode == ActionMode.JOINT_POSITION:
        reach = robot.velocity * dt
        inside = np.clip(robot.unwrap_continuous_joints(values, last), robot.lower, robot.upper)
        limited = np.clip(inside, last - reach, last + reach)
        here, there = (kinematics.forward(q)[:3, 3] for q in (last, limited))
        way = float(np.linalg.norm(there - here))
        part = min(1.0, robot.workspace.speed * dt / max(way, 1e-9))
        return last + part * (limited - last)
    low, high = np.array(robot.workspace.min), np.array(robot.workspace.max)
    if stays_outside:
        low, high = np.minimum(low, last[:3]), np.maximum(high, last[:3])
    inside = np.clip(values[:3], low, high)
    step = inside - last[:3]
    length = float(np.linalg.norm(step))
    step *= min(1.0, robot.workspace.speed * dt / max(length, 1e-9))
    before, after = pinocchio.Quaternion(last[3:]), pinocchio.Quaternion(values[3:])
    before.normalize()
    turn = pinocchio.log3((after.normalized() * before.inverse()).matrix())
    turn *= min(1.0, _MAX_TOOL_ROTATION_RAD_S * dt / max(float(np.linalg.norm(turn)), 1e-9))
    # Not made from a matrix: pinocchio 4.1 never frees the 80 bytes that it takes for that.
    turned = (pinocchio.Quaternion(pinocchio.exp3_quat(turn)) * before).coeffs()
    if turned @ last[3:] < 0:
        turned = -turned
    return np.concatenate([last[:3] + step, turned])


def limit_violation(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return how far values are outside of limits; inside it is negative."""
    return np.maximum(low - values, values - high)


def exits_workspace(
    robot: RobotConfig,
    kinematics: Kinematics,
    there: np.ndarray,
    here: np.ndarray,
    most: float = 0.0,
) -> bool:
    """Whether the tool goes farther outside its box than it is and may be.

    Args:
        robot: The contract.
        kinematics: Of the robot.
        there: Joint positions to go to. Shape (J,), [rad].
        here: From where. Shape (J,), [rad].
        most: [m]
    """
    low, high = np.array(robot.workspace.min), np.array(robot.workspace.max)
    goes, is_at = (limit_violation(kinematics.forward(q)[:3, 3], low, high) for q in (there, here))
    return bool(np.any(goes > np.maximum(is_at, most)))


def limit_problem(robot: RobotConfig, joints: np.ndarray, tolerance: float) -> str:
    """Return which measured joint is outside its limits; empty when none is.

    Args:
        robot: The contract.
        joints: Measured positions. Shape (J,), [rad].
        tolerance: How far outside a joint may be [rad].
    """
    excess = limit_violation(joints, robot.lower, robot.upper)
    worst = int(excess.argmax())
    if excess[worst] <= tolerance:
        return ""
    return (
        f"{robot.joint_names[worst]} is at {joints[worst]:.2f} rad, outside its limits "
        f"{robot.lower[worst]:.2f} to {robot.upper[worst]:.2f}"
        + ("; joint states must be in radians" if excess[worst] > np.pi else "")
    )


def unwrap_chunk(robot: RobotConfig, chunk: ActionChunk, near: np.ndarray) -> ActionChunk:
    """Return a chunk of joint positions with each continuous joint in the turn that is nearest.

    Args:
        robot: The contract.
        chunk: Of any mode; one that is no chunk is returned as it is.
        near: Positions that the first step is near to. Shape (J,), [rad].
    """
    values = np.array(chunk.values, float)
    if chunk.mode != ActionMode.JOINT_POSITION or not _is_table(values, len(robot.joints)):
        return chunk
    for row in values:
        row[:] = near = robot.unwrap_continuous_joints(row, near)
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
    if not np.isfinite(gripper).all():
        return ""
    if gripper.size and not (low <= gripper.min() and gripper.max() <= high):
        worst = gripper.flat[np.abs(gripper - 0.5).argmax()]
        return f"the gripper's opening is {worst:.3g}; valid: 0, closed, to 1, open"
    is_joints = chunk.mode == ActionMode.JOINT_POSITION
    if not _is_table(values, len(joints) if is_joints else len(pose)):
        return ""
    if is_joints:
        said = robot.unwrap_continuous_joints(values, joints)
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
    """Tell whether there are finite numbers, so many a step."""
    shaped = values.ndim == 2 and len(values) > 0 and values.shape[1] == width
    return shaped and bool(np.isfinite(values).all())
