"""An arm behind a motion controller."""

import numpy as np

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.motion.motion_controller import MotionController
from vlm_robot_ros.robot.loader import load_robot

ROBOT = load_robot("panda_sim")
HOME = np.array(ROBOT.home)
POSE = transform_to_pose7(Kinematics(ROBOT).forward(HOME))
PERIOD = 0.02


class Arm:
    """A driver and an arm that does at once what it is told."""

    def __init__(self):
        self.driver, self.joints, self.now = MotionController(ROBOT, PERIOD), HOME.copy(), 100.0
        self.follows = True

    def tick(self, values=None, mode=ActionMode.END_EFFECTOR_POSE):
        """Let a tick pass; a hold without values. Returns what the arm was told."""
        hold = "" if values is not None else "a hold"
        values = POSE if values is None else values
        command = ActionCommand(mode, values, 1.0, self.now, 1.0, hold, EMPTY_INSTRUCTION)
        drive = self.driver.update(self.now, command, [values] * 3, self.joints)
        self.now += PERIOD
        if drive and self.follows:
            self.joints = drive.preview.setpoints[0].position
        return drive

    def start(self, values, mode=ActionMode.END_EFFECTOR_POSE):
        """Let ticks pass until the arm moves; returns what it was told first."""
        for _ in range(50):
            drive = self.tick(values, mode)
            if drive and np.any(drive.preview.end.position != drive.preview.setpoints[0].position):
                return drive
        raise AssertionError(f"it does not start: {self.driver.waiting}")


def pose_aside(way):
    pose = POSE.copy()
    pose[1] += way
    return pose


def started_arm():
    made = Arm()
    made.tick()
    return made
