"""Velocities of the tool."""

from typing import Any

from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sinks.base import SinkKind, fill_header


class TwistSink(SinkKind):
    """The tool's velocity in the base frame [m/s, rad/s]: Servo's `speed_units`."""

    kind = "twist"
    description = "of the tool, for MoveIt Servo"
    interface = "geometry_msgs/msg/TwistStamped"
    commands_tool = True
    keeps_velocity = True

    def fill(self, message: Any, motion: MotionCommand, robot: RobotConfig) -> None:
        """Fill a `TwistStamped`."""
        fill_header(message.header, motion.time, robot)
        linear, angular = message.twist.linear, message.twist.angular
        linear.x, linear.y, linear.z, angular.x, angular.y, angular.z = map(float, motion.twist)
