"""What each kind of controller is sent: a drive as the message that it takes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import PoseStamped, TwistStamped
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vlm_robot_ros.kinematics.kinematics import transform_to_pose7
from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.motion.setpoint_generator import Setpoint
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.ros.message_conversions import to_stamp
from vlm_robot_ros.sinks.gripper_action import (
    GripperAction,
    ParallelGripperAction,
    gripper_goal,
)

_GRIPPER_MOTION_S = 0.3
"""Time for the gripper to get where it is told to be [s]."""


def joint_trajectory(drive: MotionCommand, robot: RobotConfig) -> JointTrajectory:
    """Return the trajectory, which ends with a standstill.

    For joint_trajectory_controller. Times count from the stamp, which is that of the first point,
    a past one (see `MotionCommand.points`): a message that is late is still executed on time.
    """
    message = JointTrajectory(joint_names=list(robot.joint_names))
    points = drive.points()
    first = min(points[0][0], 0.0)
    message.header.stamp, message.header.frame_id = to_stamp(drive.time + first), robot.base_frame
    message.points = [_point(time - first, setpoint) for time, setpoint in points]
    return message


def _point(time: float, setpoint: Setpoint) -> JointTrajectoryPoint:
    return JointTrajectoryPoint(
        time_from_start=_duration(time),
        positions=setpoint.position.tolist(),
        velocities=setpoint.velocity.tolist(),
    )


def _duration(time: float) -> Duration:
    whole, rest = divmod(round(time * 1e9), 10**9)
    return Duration(sec=int(whole), nanosec=int(rest))


def joint_positions(drive: MotionCommand, robot: RobotConfig) -> Float64MultiArray:
    """Return the next joint positions [rad] in the contract's order."""
    return Float64MultiArray(data=drive.preview.setpoints[0].position.tolist())


def joint_state(drive: MotionCommand, robot: RobotConfig) -> JointState:
    """Return the next positions of the arm's joints [rad] and of the gripper's, by name."""
    fingers = robot.finger_names
    message = JointState(name=[*robot.joint_names, *fingers])
    message.header.stamp, message.header.frame_id = to_stamp(drive.time), robot.base_frame
    finger = robot.gripper.position(drive.gripper)
    message.position = [*drive.preview.setpoints[0].position.tolist(), *[finger] * len(fingers)]
    return message


def twist(drive: MotionCommand, robot: RobotConfig) -> TwistStamped:
    """Return the tool's velocity in the base frame [m/s, rad/s]: Servo's `speed_units`."""
    message = TwistStamped()
    message.header.stamp, message.header.frame_id = to_stamp(drive.time), robot.base_frame
    linear, angular = message.twist.linear, message.twist.angular
    linear.x, linear.y, linear.z, angular.x, angular.y, angular.z = map(float, drive.twist)
    return message


def pose(drive: MotionCommand, robot: RobotConfig) -> PoseStamped:
    """Return the tool's next pose in the base frame."""
    message = PoseStamped()
    message.header.stamp, message.header.frame_id = to_stamp(drive.time), robot.base_frame
    place, turn = message.pose.position, message.pose.orientation
    place.x, place.y, place.z, turn.x, turn.y, turn.z, turn.w = map(
        float, transform_to_pose7(drive.pose)
    )
    return message


def gripper_trajectory(drive: MotionCommand, robot: RobotConfig) -> JointTrajectory:
    """Return where the gripper's joint shall be soon."""
    message = JointTrajectory(joint_names=[robot.gripper.joint])
    message.header.stamp, message.header.frame_id = to_stamp(drive.time), robot.base_frame
    place, still = np.array([robot.gripper.position(drive.gripper)]), np.zeros(1)
    message.points = [_point(_GRIPPER_MOTION_S, Setpoint(place, still, still))]
    return message


def gripper_positions(drive: MotionCommand, robot: RobotConfig) -> Float64MultiArray:
    """Return where the gripper's joint shall be."""
    return Float64MultiArray(data=[robot.gripper.position(drive.gripper)])


MESSAGES: dict[str, tuple[type, Callable[[MotionCommand, RobotConfig], Any]]] = {
    "joint_trajectory": (JointTrajectory, joint_trajectory),
    "joint_positions": (Float64MultiArray, joint_positions),
    "joint_state": (JointState, joint_state),
    "twist": (TwistStamped, twist),
    "pose": (PoseStamped, pose),
    "gripper_trajectory": (JointTrajectory, gripper_trajectory),
    "gripper_positions": (Float64MultiArray, gripper_positions),
    "gripper_action": (GripperAction, gripper_goal),
    "parallel_gripper_action": (ParallelGripperAction, gripper_goal),
}
"""By kind of sink: the type on its topic, or what sends it, and how that comes from a drive."""
