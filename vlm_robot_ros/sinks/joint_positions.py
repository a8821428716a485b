"""Positions of the arm's joints."""

from typing import Any

from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sinks.base import SinkKind


class JointPositionsSink(SinkKind):
    """The next joint positions [rad] in the contract's order."""

    kind = "joint_positions"
    description = "for forward_command_controller"
    interface = "std_msgs/msg/Float64MultiArray"
    commands_joints = True
    needs_interpolation = True

    def fill(self, message: Any, motion: MotionCommand, robot: RobotConfig) -> None:
        """Fill a `Float64MultiArray`."""
        message.data = motion.preview.setpoints[0].position.tolist()
