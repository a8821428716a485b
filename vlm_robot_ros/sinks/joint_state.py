"""Positions of the joints of arm and gripper, by name."""

from typing import Any

from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sinks.base import SinkKind, fill_header


class JointStateSink(SinkKind):
    """The next positions of the arm's joints [rad] and of the gripper's, by name."""

    kind = "joint_state"
    description = "of arm and gripper, for Isaac Sim"
    interface = "sensor_msgs/msg/JointState"
    commands_joints = True
    commands_gripper = True

    def fill(self, message: Any, motion: MotionCommand, robot: RobotConfig) -> None:
        """Fill a `JointState`."""
        fingers = robot.finger_names
        fill_header(message.header, motion.time, robot)
        message.name = [*robot.joint_names, *fingers]
        finger = robot.gripper.position(motion.gripper)
        arm = motion.preview.setpoints[0].position.tolist()
        message.position = [*arm, *[finger] * len(fingers)]
