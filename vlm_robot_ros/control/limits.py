"""The last gate before the arm: inside the limits, and no faster than allowed."""

import numpy as np

from vlm_robot_ros.contract.action import ActionMode
from vlm_robot_ros.contract.robot import Robot


def limit(
    robot: Robot, mode: ActionMode, values: np.ndarray, last: np.ndarray, dt: float
) -> np.ndarray:
    """Return `values` moved inside the robot's limits.

    Tool positions stay in the workspace and move at most at its speed; joints stay between their
    limits and below their speeds.

    Args:
        robot: The contract.
        mode: Joint position or end-effector pose.
        values: What is to be commanded. Shape (7,).
        last: What was commanded `dt` ago, in the same mode. Shape (7,).
        dt: [s]
    """
    if mode == ActionMode.JOINT_POSITION:
        reach = robot.velocity * dt
        inside = np.clip(values, robot.lower, robot.upper)
        return np.clip(inside, last - reach, last + reach)
    inside = np.clip(values[:3], robot.workspace.min, robot.workspace.max)
    step = inside - last[:3]
    length = float(np.linalg.norm(step))
    step *= min(1.0, robot.workspace.speed * dt / max(length, 1e-9))
    return np.concatenate([last[:3] + step, values[3:]])
