"""Joint states that contradict each other, by every phase in which they may come."""

from dataclasses import replace

import numpy as np
import pytest

from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.motion.jump_detector import QUARANTINE_S, JumpDetector
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.runtime.joint_state_assembler import JointStateAssembler
from vlm_robot_ros.runtime.speed_scaling import SpeedScaling

UR5E = load_robot("ur5e")
HOME = np.array(UR5E.home)


def _state(time, joints):
    return RobotState(time, np.asarray(joints, float), 1.0)


@pytest.mark.parametrize("rate", [1.0, 3.0, 10.0, 100.0])
@pytest.mark.parametrize("phase", [0.0, 0.001, 0.005, 0.0099])
@pytest.mark.parametrize("stamped", [True, False])
def test_of_two_publishers_the_wrong_one_is_never_taken(rate, phase, stamped):
    detector, times = JumpDetector(UR5E), []
    right = [(1.0 + 0.01 * n, HOME, True) for n in range(300)]
    wrong = [(1.0 + phase + n / rate, np.zeros(6), False) for n in range(round(3 * rate))]
    for time, joints, is_right in sorted([*right, *wrong], key=lambda each: each[0]):
        taken = not detector.problem(_state(time if is_right or stamped else 0.0, joints))
        assert is_right or not taken, f"zeros were taken at {time}"
        times += [time] * (taken and is_right)
    if rate == 1.0 and stamped:
        assert len(times) > 20, "between two wrong states the arm may be trusted again"


def test_a_contradiction_is_named_and_ends():
    detector = JumpDetector(UR5E)
    assert detector.problem(_state(1.0, HOME)) == "only one joint state so far"
    assert detector.problem(_state(1.01, HOME)) == ""
    text = detector.problem(_state(1.02, np.zeros(6)))
    assert "wrist_3_joint was at -1.872 rad and 0.010 s later at 0.000" in text
    for time in np.arange(1.03, 1.02 + QUARANTINE_S, 0.01):
        assert "more than one publisher" in detector.problem(_state(time, np.zeros(6)))
    assert detector.problem(_state(1.03 + QUARANTINE_S, np.zeros(6))) == ""


def test_an_arm_at_full_speed_contradicts_nothing():
    detector, joints = JumpDetector(UR5E), HOME.copy()
    detector.problem(_state(1.0, joints))
    for tick in range(1, 50):
        joints = joints + UR5E.velocity * 0.033
        assert detector.problem(_state(1.0 + 0.033 * tick, joints)) == ""


@pytest.mark.parametrize("rate", [10.0, 20.0, 100.0])
def test_joints_that_come_in_two_messages_contradict_nothing_at_full_speed(rate):
    no_feedback = replace(UR5E.gripper, feedback_timeout=0.0)
    robot = replace(UR5E, joint_state_rate=rate, gripper=no_feedback)
    detector, reader = JumpDetector(robot), JointStateAssembler(robot, 0.3)
    names, taken = UR5E.joint_names, 0
    for tick in range(1, 40):
        joints = HOME + 0.99 * UR5E.velocity * (tick / rate / 2)
        half = slice(0, 3) if tick % 2 else slice(3, 6)
        try:
            state = reader.read(names[half], joints[half], 1.0 + tick / rate / 2)
        except ValueError:
            assert tick < 2, "the other half is missing at the begin only"
            continue
        problem = detector.problem(state)
        assert problem == "" or (tick < 4 and "only one" in problem)
        taken += not problem
    assert taken > 30


def test_a_clock_that_is_set_back_begins_again():
    detector = JumpDetector(UR5E)
    detector.problem(_state(100.0, HOME))
    for time in np.arange(1.0, 1.0 + QUARANTINE_S, 0.01):
        assert "set back" in detector.problem(_state(time, np.zeros(6)))
    assert detector.problem(_state(1.01 + QUARANTINE_S, np.zeros(6))) == ""


def _reader(**gripper):
    return JointStateAssembler(replace(UR5E, gripper=replace(UR5E.gripper, **gripper)), 0.3)


def test_a_gripper_may_report_rarely_or_never():
    names, finger = list(UR5E.joint_names), UR5E.gripper.joint
    seldom = _reader(feedback_timeout=5.0)
    seldom.read([*names, finger], [*HOME, 0.8], 1.0)
    assert seldom.read(names, HOME, 5.9).opening == 0.0
    with pytest.raises(ValueError, match=r"no position of robotiq.*gripper\.feedback_timeout"):
        seldom.read(names, HOME, 6.1)
    never = _reader(feedback_timeout=0.0)
    assert never.read(names, HOME, 1.0).opening == 1.0
    never.commanded_opening = 0.25
    assert never.read(names, HOME, 1.1).opening == 0.25


def test_velocities_alone_are_ignored_and_twins_are_refused():
    reader, names = _reader(feedback_timeout=0.0), list(UR5E.joint_names)
    assert reader.read(names, [], 1.0) is None
    with pytest.raises(ValueError, match="more than one position of elbow_joint in one message"):
        reader.read([*names, "elbow_joint"], [*HOME, 0.0], 1.0)


@pytest.mark.parametrize(("percent", "moves"), [(100.0, True), (99.5, True), (50.0, False),
                                                (0.0, False), (float("nan"), False)])  # fmt: skip
def test_speed_scaling_below_full_is_a_reason_to_hold(percent, moves):
    scaling = SpeedScaling("speed_scaling")
    assert scaling.problem(1.0) == "speed scaling: nothing received yet"
    scaling.update(percent, 1.0)
    assert (scaling.problem(1.0) == "") is moves
    assert "s old" in scaling.problem(3.0) or not moves
