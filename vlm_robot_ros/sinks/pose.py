"""Poses of the tool."""

from typing import Any

from vlm_robot_ros.kinematics.kinematics import transform_to_pose7
from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sinks.base import SinkKind, fill_header


class PoseSink(SinkKind):
    """The tool's next pose in the base frame."""

    kind = "pose"
    description = "of the tool, for MoveIt Servo"
    interface = "geometry_msgs/msg/PoseStamped"
    commands_tool = True

    def fill(self, message: Any, motion: MotionCommand, robot: RobotConfig) -> None:
        """Fill a `PoseStamped`."""
        fill_header(message.header, motion.time, robot)
        position, rotation = message.pose.position, message.pose.orientation
        position.x, position.y, position.z, rotation.x, rotation.y, rotation.z, rotation.w = map(
            float, transform_to_pose7(motion.pose)
        )
