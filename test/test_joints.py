"""An arm and its gripper are put together from the joint states that there are."""

import numpy as np
import pytest
from bags import BagWriter
from plans import HOME, plan

from vlm_robot_ros.bags.metrics import summarize_recording
from vlm_robot_ros.bags.recording import read_recording
from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION
from vlm_robot_ros.kinematics.differential_ik import DifferentialIK
from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.motion.limits import clamp_action
from vlm_robot_ros.motion.motion_controller import MotionController
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.runtime.chunk_executor import ChunkExecutor
from vlm_robot_ros.runtime.joint_state_assembler import JointStateAssembler
from vlm_robot_ros.runtime.stream_monitor import StreamMonitor

PANDA, GEN3 = load_robot("panda_sim"), load_robot("gen3")
TURNS = 2  # its third joint is a continuous one
PERIOD = 0.02


def states(time, names, positions):
    return list(names), [float(each) for each in positions], time


def arm_states(robot, time, joints=None):
    return states(time, robot.joint_names, robot.home if joints is None else joints)


def all_states(robot, time, joints):
    return states(time, [*robot.joint_names, robot.gripper.joint], [*joints, 0.0])


def finger_states(robot, time, position=0.0):
    return states(time, [robot.gripper.joint], [position])


def test_arm_and_gripper_may_come_in_messages_of_their_own():
    reader = JointStateAssembler(PANDA, 0.3)
    with pytest.raises(ValueError, match="no position of panda_finger_joint1; given: "):
        reader.read(*arm_states(PANDA, 1.0))
    assert reader.read(*finger_states(PANDA, 1.01, 0.02)) is None
    state = reader.read(*arm_states(PANDA, 1.02))
    assert (state.time, state.opening) == (1.02, pytest.approx(0.5))
    assert state.joints.tolist() == list(PANDA.home)


def test_joints_of_others_between_them_are_nothing_to_worry_about():
    reader, others = JointStateAssembler(PANDA, 0.3), states(1.1, ["lift"], [0.4])
    with pytest.raises(ValueError, match="given: lift"):
        reader.read(*others)
    with pytest.raises(ValueError, match="no position of panda_joint1"):
        reader.read(*finger_states(PANDA, 1.1))
    assert reader.read(*arm_states(PANDA, 1.1)).time == 1.1
    assert reader.read(*others) is None
    assert reader.read(*states(0.0, ["lift"], [])) is None  # whatever is wrong with theirs
    assert reader.read(*arm_states(PANDA, 1.12)).time == 1.12


@pytest.mark.parametrize("gone", [0, 3, "finger"])
def test_a_joint_that_is_heard_of_no_longer_is_missed(gone):
    reader = JointStateAssembler(PANDA, 0.3)
    names = [*PANDA.joint_names, PANDA.gripper.joint]
    positions = [*PANDA.home, 0.0]
    reader.read(*states(1.0, names, positions))
    number = len(names) - 1 if gone == "finger" else gone
    name = names.pop(number)
    positions.pop(number)
    state = reader.read(*states(1.2, names, positions))
    assert state.time == (1.2 if gone == "finger" else 1.0)  # as old as what is oldest of the arm
    with pytest.raises(ValueError, match=f"no position of {name}; given: "):
        reader.read(*states(1.4, names, positions))
    with pytest.raises(ValueError, match=f"no position of {name}; given: "):
        reader.read(*states(0.5, names, positions))  # a clock that was set back


def _within_a_turn(joints):
    return (np.asarray(joints) + np.pi) % (2 * np.pi) - np.pi


def test_a_continuous_joint_may_be_reported_within_one_turn():
    reader = JointStateAssembler(GEN3, 0.3)
    joints, before = np.array(GEN3.home), None
    for tick in range(100):
        joints[TURNS] = 2.9 + 0.01 * tick  # over pi
        state = reader.read(*all_states(GEN3, 1.0 + tick * PERIOD, _within_a_turn(joints)))
        assert np.cos(state.joints) == pytest.approx(np.cos(joints))
        if before is not None:
            assert np.abs(state.joints - before).max() < 0.011
        before = state.joints
    for turn in range(80):  # turned by hand, more often than a contract allows
        joints[TURNS] = 3.9 + 0.2 * turn
        state = reader.read(*all_states(GEN3, 10.0 + turn * PERIOD, _within_a_turn(joints)))
        assert np.all(state.joints <= GEN3.upper + 0.04)
        assert np.cos(state.joints) == pytest.approx(np.cos(joints))


def test_an_arm_at_home_is_not_pulled_a_turn_round():
    kinematics, home = Kinematics(GEN3), np.array(GEN3.home)
    reported = _within_a_turn(home)
    assert abs(home - reported)[TURNS] > 6
    assert DifferentialIK(kinematics, reported).joint_rates_with_posture(
        np.zeros(6)
    ) == pytest.approx(0, abs=1e-9)
    kept = kinematics.step_towards(reported, kinematics.forward(reported), PERIOD)
    assert kept == pytest.approx(reported, abs=1e-9)


def test_an_arm_far_from_home_goes_there_unhurried():
    robot = load_robot("xarm7")
    away = np.array(robot.home)
    away[TURNS] = 6.0
    assert (
        np.abs(DifferentialIK(Kinematics(robot), away).joint_rates_with_posture(np.zeros(6))).max()
        < 0.6
    )


def test_a_plan_of_joints_is_meant_in_the_turn_that_they_are_in():
    last = np.array([*_within_a_turn(GEN3.home)])
    kinematics = Kinematics(GEN3)
    values = clamp_action(
        GEN3, kinematics, ActionMode.JOINT_POSITION, np.array(GEN3.home), last, 0.02
    )
    assert values == pytest.approx(last, abs=1e-6)


def test_an_arm_that_turns_over_pi_is_driven_on():
    driver, reader, now = (
        MotionController(GEN3, PERIOD, trajectories=True),
        JointStateAssembler(GEN3, 0.3),
        100.0,
    )
    there = np.array(GEN3.home)
    there[TURNS] = wanted = 3.0
    told, last = [], None
    for _ in range(300):
        state = reader.read(*all_states(GEN3, now, _within_a_turn(there)))
        wanted = min(wanted + 0.2 * PERIOD, 3.4)
        goals = []
        for step in range(4):
            goals.append(np.array(GEN3.home))
            goals[-1][TURNS] = _within_a_turn(wanted + step * 0.2 * PERIOD)
        last = state.joints if last is None else last
        goals = [last := GEN3.unwrap_continuous_joints(goal, last) for goal in goals]
        last = goals[0]
        command = ActionCommand(
            ActionMode.JOINT_POSITION, goals[0], 0.0, now, 1.0, "", EMPTY_INSTRUCTION
        )
        drive = driver.update(now, command, goals[1:], state.joints)
        assert not driver.tripped
        now += PERIOD
        if drive is None:
            continue
        there = drive.preview.setpoints[0].position
        told.append(there[TURNS])
    assert np.abs(np.diff(told)).max() < 0.02
    assert told[-1] == pytest.approx(3.4, abs=0.02)


def test_a_plan_of_joints_goes_on_over_the_turn_of_a_continuous_joint():
    robot, watch = load_robot("gen3"), StreamMonitor("front camera", 5.0, 30.0)
    pilot, joints, number = ChunkExecutor(robot, [watch], period=0.02), np.array(robot.home), 2
    pose, told, stamp = HOME, [], 1.0
    joints[number] = 2.8
    watch.on_message(stamp)
    said = pilot.set_instruction("turn the cube left", stamp)
    pilot.step(stamp, joints, pose, 1.0)
    for tick_ in range(150):
        now = stamp + 0.02 * tick_
        watch.on_message(now)
        if tick_ % 10 == 0:
            values = np.tile(np.pad(joints, (0, 0)), (8, 1))
            values[:, number] = 2.8 + 0.3 * (now - stamp + 0.1 * np.arange(1, 9))
            values = (values + np.pi) % (2 * np.pi) - np.pi
            chunk = plan([0, 0, 0], mode=ActionMode.JOINT_POSITION, values=values)
            pilot.set_chunk(chunk, said.number, now, now)
        command = pilot.step(now, joints, pose, 1.0)
        assert command.hold_reason == ""
        joints = command.values.copy()
        told.append(joints[number])
    speeds = np.diff(told[20:]) / 0.02
    assert told[-1] > 3.5
    assert speeds.min() > 0.2, "it came to a stand or went back at the turn"
    assert speeds.max() < 0.4


def test_joint_states_of_two_publishers_within_one_turn_are_read_as_the_node_does(tmp_path):
    bag, robot = BagWriter(tmp_path / "bag", contract="gen3"), load_robot("gen3")
    place = np.array(robot.home)
    bag.say(0.0, "go home")
    for tick in range(150):
        now = tick / 50
        place[2] = 2.9 + 0.2 * now  # over pi
        reported = (place + np.pi) % (2 * np.pi) - np.pi
        told = (robot.joint_names, reported) if tick % 3 else ([robot.gripper.joint], [0.4])
        bag.add(
            "/joint_states", "sensor_msgs/msg/JointState", now, header=bag.header(now),
            name=list(told[0]), position=np.array(told[1]), velocity=np.zeros(0),
            effort=np.zeros(0),
        )  # fmt: skip
    bag.close()
    recording = read_recording(tmp_path / "bag")
    assert len(recording.joints) == 100
    assert recording.joints[-1][2] == pytest.approx(place[2])
    assert set(recording.openings) == {0.5}
    joint = summarize_recording(recording)["joints"][2]
    assert joint["velocity"] == pytest.approx(0.2 / robot.velocity[2], rel=0.05)
