"""What the sinks are sent passes the checks of who takes it, as they stand in their sources."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

import itertools

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION
from vlm_robot_ros.kinematics.kinematics import Kinematics, pose7_to_transform, transform_to_pose7
from vlm_robot_ros.motion.motion_controller import MotionController
from vlm_robot_ros.plugins import command_sinks
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.ros.message_conversions import stamp_to_seconds

ROBOT = load_robot("panda_sim")
HOME = np.array(ROBOT.home)
PERIOD = 0.02
NOW = 1000.0


@pytest.fixture(scope="module")
def drives():
    """What an arm is told that goes aside, stops at a word, and stands."""
    driver, pose, joints = (
        MotionController(ROBOT, PERIOD),
        transform_to_pose7(Kinematics(ROBOT).forward(HOME)),
        HOME,
    )
    told = []
    for tick in range(60):
        pose[1] += 0.002
        hold = "" if tick < 40 else "stopped"
        command = ActionCommand(ActionMode.END_EFFECTOR_POSE, pose.copy(), 0.3, NOW, 1.0, hold,
                          EMPTY_INSTRUCTION)  # fmt: skip
        ahead = [pose + 0.002 * more * np.eye(7)[1] for more in range(1, 5)]
        drive = driver.update(NOW + tick * PERIOD, command, ahead, joints)
        if drive is not None:
            joints = drive.preview.setpoints[0].position
            told.append(drive)
    assert any(np.any(drive.twist) for drive in told)
    assert not np.any(told[-1].twist)
    return told


def _messages(kind, drives):
    return [(command_sinks()[kind].message(drive, ROBOT), drive.time) for drive in drives]


def test_every_kind_of_sink_commands_something():
    assert len(command_sinks()) == 9
    for kind, sink in command_sinks().items():
        assert (kind, sink.is_action) == (sink.kind, "/action/" in sink.interface)
        assert sink.commands_arm or sink.commands_gripper
        assert sink.description


def _refusal_of_trajectory_controller(message, joints, now):
    """The checks of joint_trajectory_controller's validate_trajectory_msg, with its defaults."""
    if len(message.joint_names) != len(joints) or set(message.joint_names) != set(joints):
        return "joints"
    if not message.points:
        return "no points"
    if any(abs(v) > np.finfo(np.float32).eps for v in message.points[-1].velocities):
        return "ends with a velocity"
    times = [p.time_from_start.sec + p.time_from_start.nanosec * 1e-9 for p in message.points]
    start = stamp_to_seconds(message.header.stamp)
    if start != 0.0 and start + times[-1] < now:
        return "ends in the past"
    if any(after <= before for before, after in itertools.pairwise(times)):
        return "times do not grow"
    for point in message.points:
        if len(point.positions) != len(joints):
            return "positions"
        if len(point.velocities) not in (0, len(joints)):
            return "velocities"
        if len(point.accelerations) not in (0, len(joints)):
            return "accelerations"
        if len(point.effort):
            return "effort"
    return ""


@pytest.mark.parametrize(
    ("kind", "joints"),
    [("joint_trajectory", ROBOT.joint_names), ("gripper_trajectory", (ROBOT.gripper.joint,))],
)
def test_trajectories_pass_the_checks_of_joint_trajectory_controller(kind, joints, drives):
    for message, time in _messages(kind, drives):
        late = time + 0.05  # on its way
        assert _refusal_of_trajectory_controller(message, joints, late) == ""


def test_the_checks_refuse_what_that_controller_refuses(drives):
    message, time = _messages("joint_trajectory", drives)[10]
    assert _refusal_of_trajectory_controller(message, ROBOT.joint_names, time + 9) != ""
    message.points[-1].velocities[0] = 0.1
    assert "velocity" in _refusal_of_trajectory_controller(message, ROBOT.joint_names, time)


def test_trajectories_have_several_points_that_fit_together(drives):
    message, _ = _messages("joint_trajectory", drives)[20]
    assert len(message.points) >= 5
    for before, after in zip(message.points, message.points[1:], strict=False):
        time = _seconds(after.time_from_start) - _seconds(before.time_from_start)
        way = np.subtract(after.positions, before.positions) / time
        speeds = np.array([before.velocities, after.velocities])
        assert np.all(way <= speeds.max(0) + 0.05)
        assert np.all(way >= speeds.min(0) - 0.05)


def test_successive_trajectories_agree_where_they_overlap(drives):
    one, other = (_messages("joint_trajectory", drives)[number][0] for number in (20, 21))
    assert one.points[1].positions == pytest.approx(other.points[0].positions, abs=1e-6)


def _seconds(duration):
    return duration.sec + duration.nanosec * 1e-9


def test_joint_positions_are_one_finite_number_a_joint(drives):
    # forward_command_controller: as many values as command interfaces, in their order.
    named = [
        dict(zip(m.name, m.position, strict=True)) for m, _ in _messages("joint_state", drives)
    ]
    for (message, _), by_name in zip(_messages("joint_positions", drives), named, strict=True):
        assert np.all(np.isfinite(message.data))
        assert list(message.data) == [by_name[name] for name in ROBOT.joint_names]
    assert np.any(np.diff([list(by_name.values()) for by_name in named], axis=0))


def test_both_fingers_of_isaac_sims_hand_are_told(drives):
    robot = load_robot("isaac_franka")
    message = command_sinks()["joint_state"].message(drives[0], robot)
    place = dict(zip(message.name, message.position, strict=True))
    assert place["panda_finger_joint1"] == place["panda_finger_joint2"]
    assert place["panda_finger_joint1"] == robot.gripper.position(drives[0].gripper)


def test_joint_states_name_every_joint_once_in_radians(drives):
    # Isaac Sim's articulation controller takes positions by joint name.
    for message, _ in _messages("joint_state", drives):
        assert list(message.name) == [*ROBOT.joint_names, ROBOT.gripper.joint]
        assert len(message.position) == len(message.name)
        assert len(message.velocity) == len(message.effort) == 0
        assert np.all(np.array(message.position[:-1]) <= ROBOT.upper)
        assert np.all(np.array(message.position[:-1]) >= ROBOT.lower)
        assert ROBOT.gripper.closed <= message.position[-1] <= ROBOT.gripper.open


def _refusal_of_servo(message, now, frame, timeout=0.1):
    """The checks of MoveIt Servo's processTwistCommand, processPoseCommand and isValidCommand."""
    if now - stamp_to_seconds(message.header.stamp) >= timeout:
        return "stale"
    if message.header.frame_id != frame:
        return "frame"
    if hasattr(message, "twist"):
        linear, angular = message.twist.linear, message.twist.angular
        values = [linear.x, linear.y, linear.z, angular.x, angular.y, angular.z]
        return "" if np.all(np.isfinite(values)) else "invalid"
    place, turn = message.pose.position, message.pose.orientation
    w, (x, y, z) = turn.w, (turn.x, turn.y, turn.z)
    # Eigen makes a matrix of it as it is: one that is not of norm 1 is no rotation.
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    if not np.all(np.isfinite([place.x, place.y, place.z, *rotation.ravel()])):
        return "invalid"
    return "" if np.linalg.norm(rotation.T @ rotation - np.eye(3)) < 1e-9 else "invalid"


@pytest.mark.parametrize("kind", ["twist", "pose"])
def test_commands_pass_the_checks_of_servo(kind, drives):
    # `test_every_sink_is_fed_fresh_and_hears_a_stand_last` has the age of what is on the wire.
    for message, time in _messages(kind, drives):
        assert stamp_to_seconds(message.header.stamp) == pytest.approx(time, abs=1e-6)
        assert _refusal_of_servo(message, time + 0.05, ROBOT.base_frame) == ""


@pytest.mark.parametrize("kind", ["twist", "pose"])
def test_the_checks_refuse_what_servo_refuses(kind, drives):
    message, time = _messages(kind, drives)[10]
    assert _refusal_of_servo(message, time + 0.1, ROBOT.base_frame) == "stale"
    assert _refusal_of_servo(message, time, "world") == "frame"
    if kind == "twist":
        message.twist.angular.y = np.nan
    else:
        message.pose.orientation.w += 0.01
    assert _refusal_of_servo(message, time, ROBOT.base_frame) == "invalid"


def test_twists_are_not_so_fast_that_servo_would_slow_them(drives):
    # Its `scale.linear` is where `speed_units` are cut off; 0.4 m/s in its example.
    for message, _ in _messages("twist", drives):
        linear = message.twist.linear
        assert np.linalg.norm([linear.x, linear.y, linear.z]) <= ROBOT.workspace.speed + 1e-9


def test_twists_are_the_speed_of_the_tool_in_metres_and_radians(drives):
    messages = _messages("twist", drives)
    twist = messages[30][0].twist
    assert twist.linear.y == pytest.approx(0.002 / PERIOD, rel=0.1)
    for message, _ in messages:
        linear, angular = message.twist.linear, message.twist.angular
        values = [linear.x, linear.y, linear.z, angular.x, angular.y, angular.z]
        assert np.all(np.isfinite(values))
    last = messages[-1][0].twist
    assert (last.linear.y, last.angular.z) == (0.0, 0.0)


def test_a_tool_that_turns_is_told_so_in_the_base_frame_in_radians():
    driver, joints, rate = MotionController(ROBOT, PERIOD), HOME, 0.5
    frame = Kinematics(ROBOT).forward(HOME)
    assert frame[2, 2] < -0.99, "its z points down: about that the sign would be the other"
    for tick in range(30):
        turned = frame.copy()
        angle = rate * PERIOD * (tick + 1)
        about_z = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turned[:2, :3] = about_z @ frame[:2, :3]
        command = ActionCommand(ActionMode.END_EFFECTOR_POSE, transform_to_pose7(turned), 0.3, NOW,
            1.0, "",
                          EMPTY_INSTRUCTION)  # fmt: skip
        drive = driver.update(NOW + tick * PERIOD, command, [], joints)
        joints = drive.preview.setpoints[0].position
    told = command_sinks()["twist"].message(drive, ROBOT).twist
    assert told.angular.z == pytest.approx(rate, rel=0.1)
    others = [told.angular.x, told.angular.y, told.linear.x, told.linear.y, told.linear.z]
    assert np.abs(others).max() < 0.02


def test_poses_are_valid_and_those_of_the_joints(drives):
    for (message, _), drive in zip(_messages("pose", drives), drives, strict=True):
        place, turn = message.pose.position, message.pose.orientation
        frame = pose7_to_transform(
            np.array([place.x, place.y, place.z, turn.x, turn.y, turn.z, turn.w])
        )
        forward = Kinematics(ROBOT).forward(drive.preview.setpoints[0].position)
        assert frame == pytest.approx(forward, abs=1e-6)


def test_a_gripper_is_told_in_its_own_unit(drives):
    for message, _ in _messages("gripper_positions", drives):
        assert list(message.data) == [pytest.approx(0.3 * ROBOT.gripper.open)]
    franka = load_robot("fr3")
    goal = SimpleNamespace(command=SimpleNamespace())
    command_sinks()["gripper_action"].fill(goal, drives[0], franka)
    assert goal.command.position == pytest.approx(0.3 * franka.gripper.open)
    assert goal.command.max_effort == 20.0
    command_sinks()["parallel_gripper_action"].fill(goal, drives[0], franka)
    assert (goal.command.name, goal.command.effort) == (["fr3_finger_joint1"], [20.0])
