"""Trajectories of the arm's joints."""

from typing import Any

from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sinks.base import SinkKind, fill_header, fill_time, interface_class


class JointTrajectorySink(SinkKind):
    """A trajectory that ends with a standstill.

    Times count from the stamp, which is that of the first point, a past one (see
    `MotionCommand.points`): a message that is late is still executed on time.
    """

    kind = "joint_trajectory"
    description = "for joint_trajectory_controller"
    interface = "trajectory_msgs/msg/JointTrajectory"
    commands_joints = True
    executes_trajectories = True

    def fill(self, message: Any, motion: MotionCommand, robot: RobotConfig) -> None:
        """Fill a `JointTrajectory`."""
        message.joint_names = list(robot.joint_names)
        points = motion.points()
        first = min(points[0][0], 0.0)
        fill_header(message.header, motion.time + first, robot)
        point_class = interface_class("trajectory_msgs/msg/JointTrajectoryPoint")
        for time, setpoint in points:
            point = point_class(
                positions=setpoint.position.tolist(), velocities=setpoint.velocity.tolist()
            )
            fill_time(point.time_from_start, time - first)
            message.points.append(point)
