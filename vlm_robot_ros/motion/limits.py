"""Limits of actions and of measured joints.

`clamp_action` makes what the topic `action` says reachable. Setpoints of command sinks are limited
by `motion.setpoint_generator`.
"""

import numpy as np
import pinocchio

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.robot.config import RobotConfig

_MAX_TOOL_ROTATION_RAD_S = 1.5
"""[rad/s]"""


def clamp_action(
    robot: RobotConfig,
    kinematics: Kinematics,
    mode: ActionMode,
    values: np.ndarray,
    last: np.ndarray,
    dt: float,
) -> np.ndarray:
    """Return `values` moved inside the robot's limits.

    The tool moves at most at its workspace's speed, whatever the mode. Its pose stays in the
    workspace and turns at most at 1.5 rad/s; joints stay between their limits and below their
    speeds, continuous ones in the turn that they are in.

    Args:
        robot: The contract.
        kinematics: Of the robot.
        mode: Joint position or end-effector pose.
        values: What is to be commanded. Shape (7,).
        last: What was commanded `dt` ago, in the same mode. Shape (7,).
        dt: [s]
    """
    if mode == ActionMode.JOINT_POSITION:
        count, reach = len(robot.joints), robot.velocity * dt
        inside = np.clip(
            robot.unwrap_continuous_joints(values[:count], last[:count]), robot.lower, robot.upper
        )
        limited = np.zeros(len(values))  # an arm of fewer joints has no use for the rest
        limited[:count] = np.clip(inside, last[:count] - reach, last[:count] + reach)
        here, there = (kinematics.forward(q[:count])[:3, 3] for q in (last, limited))
        way = float(np.linalg.norm(there - here))
        part = min(1.0, robot.workspace.speed * dt / max(way, 1e-9))
        limited[:count] = last[:count] + part * (limited[:count] - last[:count])
        return limited
    inside = np.clip(values[:3], robot.workspace.min, robot.workspace.max)
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
