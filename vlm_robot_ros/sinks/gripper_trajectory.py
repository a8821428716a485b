"""Trajectories of the gripper's joint."""

from typing import Any

from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sinks.base import SinkKind, fill_header, fill_time, interface_class

_GRIPPER_MOTION_S = 0.3
"""Time that the gripper has to reach its target [s]."""


class GripperTrajectorySink(SinkKind):
    """One point: the target of the gripper's joint."""

    kind = "gripper_trajectory"
    description = "of the gripper's joint, for joint_trajectory_controller"
    interface = "trajectory_msgs/msg/JointTrajectory"
    commands_gripper = True
    restarts_on_message = True

    def fill(self, message: Any, motion: MotionCommand, robot: RobotConfig) -> None:
        """Fill a `JointTrajectory`."""
        fill_header(message.header, motion.time, robot)
        message.joint_names = [robot.gripper.joint]
        target = robot.gripper.position(motion.gripper)
        point = interface_class("trajectory_msgs/msg/JointTrajectoryPoint")(
            positions=[float(target)], velocities=[0.0]
        )
        fill_time(point.time_from_start, _GRIPPER_MOTION_S)
        message.points = [point]
