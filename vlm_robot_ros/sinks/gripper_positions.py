"""Positions of the gripper's joint."""

from typing import Any

from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sinks.base import SinkKind


class GripperPositionsSink(SinkKind):
    """The target of the gripper's joint."""

    kind = "gripper_positions"
    description = "of the gripper's joint, for forward_command_controller"
    interface = "std_msgs/msg/Float64MultiArray"
    commands_gripper = True

    def fill(self, message: Any, motion: MotionCommand, robot: RobotConfig) -> None:
        """Fill a `Float64MultiArray`."""
        message.data = [float(robot.gripper.position(motion.gripper))]
