"""The last gate before the arm: inside the limits, and no faster than allowed."""

import numpy as np
import pinocchio

from vlm_robot_ros.contract.action import ActionMode
from vlm_robot_ros.contract.robot import Robot

_TURN_SPEED = 1.5
"""[rad/s]"""


def limit(
    robot: Robot, mode: ActionMode, values: np.ndarray, last: np.ndarray, dt: float
) -> np.ndarray:
    """Return `values` moved inside the robot's limits.

    Tool positions stay in the workspace and move at most at its speed, and the tool turns at most
    at 1.5 rad/s; joints stay between their limits and below their speeds.

    Args:
        robot: The contract.
        mode: Joint position or end-effector pose.
        values: What is to be commanded. Shape (7,).
        last: What was commanded `dt` ago, in the same mode. Shape (7,).
        dt: [s]
    """
    if mode == ActionMode.JOINT_POSITION:
        count, reach = len(robot.joints), robot.velocity * dt
        inside = np.clip(values[:count], robot.lower, robot.upper)
        limited = np.zeros(len(values))  # an arm of fewer joints has no use for the rest
        limited[:count] = np.clip(inside, last[:count] - reach, last[:count] + reach)
        return limited
    inside = np.clip(values[:3], robot.workspace.min, robot.workspace.max)
    step = inside - last[:3]
    length = float(np.linalg.norm(step))
    step *= min(1.0, robot.workspace.speed * dt / max(length, 1e-9))
    before, after = pinocchio.Quaternion(last[3:]), pinocchio.Quaternion(values[3:])
    before.normalize()
    turn = pinocchio.log3((after.normalized() * before.inverse()).matrix())
    turn *= min(1.0, _TURN_SPEED * dt / max(float(np.linalg.norm(turn)), 1e-9))
    turned = (pinocchio.Quaternion(pinocchio.exp3(turn)) * before).coeffs()
    if turned @ last[3:] < 0:
        turned = -turned
    return np.concatenate([last[:3] + step, turned])
