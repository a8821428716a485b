"""Goals of `control_msgs/action/ParallelGripperCommand`."""

from typing import Any

from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sinks.base import SinkKind


class ParallelGripperActionSink(SinkKind):
    """The target of the gripper's joint, and the effort it may use [N], if the contract says."""

    kind = "parallel_gripper_action"
    description = "of the gripper's joint, for parallel_gripper_action_controller"
    interface = "control_msgs/action/ParallelGripperCommand"
    commands_gripper = True
    restarts_on_message = True

    def fill(self, message: Any, motion: MotionCommand, robot: RobotConfig) -> None:
        """Fill a `ParallelGripperCommand.Goal`."""
        gripper, command = robot.gripper, message.command
        command.name = [gripper.joint]
        command.position = [float(gripper.position(motion.gripper))]
        command.effort = [gripper.max_effort] if gripper.max_effort else []
