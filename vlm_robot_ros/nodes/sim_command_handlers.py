"""What command messages make the simulated arm do."""

import numpy as np
from geometry_msgs.msg import PoseStamped, TwistStamped
from std_msgs.msg import Float64MultiArray, Header
from trajectory_msgs.msg import JointTrajectory

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.kinematics.kinematics import pose7_to_transform
from vlm_robot_ros.msg import VlmAction
from vlm_robot_ros.ros.message_conversions import action_value_names, stamp_to_seconds
from vlm_robot_ros.sim.joint_trajectory_controller import parse_trajectory
from vlm_robot_ros.sim.moveit_servo import check_command
from vlm_robot_ros.sim.simulator import Simulator


def apply_action(sim: Simulator, message: VlmAction) -> None:
    """Follow one action in any of the four modes; on a hold, stay.

    Raises:
        ValueError: an unknown mode, frame or name, or values that are not finite.
    """
    if message.hold:
        sim.hold()
        return
    modes = {int(mode): mode for mode in ActionMode}
    if message.mode not in modes:
        known = ", ".join(f"{number} {mode.name}" for number, mode in modes.items())
        raise ValueError(f"mode {message.mode}; valid: {known}")
    mode = modes[message.mode]
    wanted, names = action_value_names(mode, sim.robot), list(message.names)
    if sorted(names) != sorted(wanted):
        raise ValueError(f"names {', '.join(names)}; valid: {', '.join(wanted)}")
    if len(message.values) != len(names):
        raise ValueError(f"{len(message.values)} values for {len(names)} names; valid: one each")
    values = np.array([message.values[names.index(name)] for name in wanted])
    _check_frame(sim, message.header.frame_id)
    sim.command(mode, values, message.gripper)


def apply_joints(sim: Simulator, message: Float64MultiArray) -> None:
    """Go to joint positions [rad], in the contract's order, as ros2_control's forward controllers.

    Raises:
        ValueError: not one finite number a joint.
    """
    values = np.array(message.data)
    if values.shape != (len(sim.robot.joints),):
        raise ValueError(
            f"{len(values)} values; valid: one for each of {', '.join(sim.robot.joint_names)}"
        )
    sim.command_joints(values)


def apply_gripper(sim: Simulator, message: Float64MultiArray) -> None:
    """Move the gripper's joint to a position [m].

    Raises:
        ValueError: not one finite number.
    """
    if len(message.data) != 1:
        raise ValueError(f"{len(message.data)} values; valid: one for {sim.robot.gripper.joint}")
    sim.command_gripper(sim.robot.gripper.fraction(message.data[0]))


def apply_pose(sim: Simulator, began: float, message: PoseStamped) -> None:
    """Go towards a tool pose in the base frame, as MoveIt Servo does.

    Args:
        sim: The arm.
        began: When its time began [s].
        message: What it is told.

    Raises:
        ValueError: another frame, no valid pose, or one that is too old.
    """
    place, turn = message.pose.position, message.pose.orientation
    goal = pose7_to_transform(
        np.array([place.x, place.y, place.z, turn.x, turn.y, turn.z, turn.w])
    )
    _send_to_servo(sim, began, "pose", message.header, goal)


def apply_twist(sim: Simulator, began: float, message: TwistStamped) -> None:
    """Move the tool at a velocity in the base frame, as MoveIt Servo does. See `apply_pose`."""
    linear, angular = message.twist.linear, message.twist.angular
    twist = np.array([linear.x, linear.y, linear.z, angular.x, angular.y, angular.z])
    _send_to_servo(sim, began, "twist", message.header, twist)


def apply_trajectory(sim: Simulator, began: float, message: JointTrajectory) -> None:
    """Follow a trajectory, as joint_trajectory_controller does.

    Args:
        sim: The arm.
        began: When its time began [s].
        message: What it is told.

    Raises:
        ValueError: what that controller refuses, too.
    """
    stamp = stamp_to_seconds(message.header.stamp)
    points = [
        (p.time_from_start.sec + p.time_from_start.nanosec * 1e-9, p.positions, p.velocities)
        for p in message.points
    ]
    start = stamp - began if stamp else 0.0
    sim.command_trajectory(
        parse_trajectory(message.joint_names, start, points, sim.robot.joint_names, sim.time)
    )


def _send_to_servo(
    sim: Simulator, began: float, kind: str, header: Header, values: np.ndarray
) -> None:
    check_command(sim.robot, kind, header.frame_id, values)
    stamp, timeout = (
        stamp_to_seconds(header.stamp) - began,
        sim.servo_settings.incoming_command_timeout,
    )
    if sim.time - stamp >= timeout:
        raise ValueError(f"a {kind} {sim.time - stamp:.2f} s old by its stamp; valid: {timeout} s")
    servo = sim.servo()
    servo.switch_command_type(kind)
    servo.receive(kind, stamp, header.frame_id, values)


def _check_frame(sim: Simulator, frame: str) -> None:
    if frame not in ("", sim.robot.base_frame):
        raise ValueError(f"frame '{frame}'; valid: {sim.robot.base_frame}")
