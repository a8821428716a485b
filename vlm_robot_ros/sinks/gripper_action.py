"""Goals of `control_msgs/action/GripperCommand`."""

from typing import Any

from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sinks.base import SinkKind


class GripperActionSink(SinkKind):
    """The target of the gripper's joint, and the effort it may use [N]; 0: its controller's."""

    kind = "gripper_action"
    description = "of the gripper's joint, as most grippers take it"
    interface = "control_msgs/action/GripperCommand"
    commands_gripper = True
    restarts_on_message = True

    def fill(self, message: Any, motion: MotionCommand, robot: RobotConfig) -> None:
        """Fill a `GripperCommand.Goal`."""
        gripper = robot.gripper
        message.command.position = float(gripper.position(motion.gripper))
        message.command.max_effort = gripper.max_effort
