"""A person takes the arm over and gives it back: within the limits, without a step."""

import numpy as np
import pytest
from controlled_arm import HOME, PERIOD, POSE, ROBOT
from takeover_arm import Arm, chunk_aside

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason
from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.runtime.takeover import TAKEOVER_TIMEOUT_S

SIDEWAYS = np.array([0.0, 0.1, 0.0, 0.0, 0.0, 0.0])


@pytest.fixture
def arm():
    return Arm()


def test_a_twist_moves_the_tool_at_its_speed_without_any_instruction(arm):
    arm.ticks(1.0, twist=SIDEWAYS)
    before = arm.tool
    action = arm.ticks(0.5, twist=SIDEWAYS)
    assert arm.tool - before == pytest.approx([0, 0.05, 0], abs=0.004)
    assert action.mode == ActionMode.END_EFFECTOR_POSE
    assert not action.hold_reason


def test_a_twist_turns_the_tool(arm):
    before = Kinematics(ROBOT).forward(arm.joints)[:3, :3]
    arm.ticks(1.0, twist=np.array([0, 0, 0, 0, 0, 0.5]))
    arm.ticks(0.3)
    turn = before.T @ Kinematics(ROBOT).forward(arm.joints)[:3, :3]
    assert np.arccos((np.trace(turn) - 1) / 2) == pytest.approx(0.5, abs=0.15)


def test_a_person_takes_a_moving_arm_and_gives_it_back_without_a_step(arm):
    arm.follow_chunk()
    arm.ticks(0.6)
    assert arm.tool[1] > POSE[1] + 0.02, "the policy moves it"
    arm.ticks(1.0, twist=-SIDEWAYS)
    arm.ticks(TAKEOVER_TIMEOUT_S + 0.1)
    assert arm.actions[-1].hold_reason.code is HoldCode.WAITING_FOR_CHUNK, "the old one is over"
    here = arm.tool
    number = arm.loop.instruction.number
    pose = np.concatenate([here, POSE[3:]])
    arm.loop.set_chunk(chunk_aside(pose, 0.1), number, arm.now, arm.now)
    assert not arm.ticks(0.5).hold_reason
    assert arm.tool[1] > here[1] + 0.01, "the policy has it again"
    speed, acceleration = arm.worst()
    assert speed <= 1.0
    assert acceleration <= 1.0 + 1e-6
    told = np.array([action.values[:3] for action in arm.actions])
    most = np.linalg.norm(np.diff(told, axis=0), axis=1).max()
    assert most <= ROBOT.workspace.speed * 2 * PERIOD + 1e-6


def test_a_leader_arm_leads_within_the_limits(arm):
    leader = HOME.copy()
    for number in range(150):
        leader[0] = HOME[0] + 0.4 * np.sin(number * PERIOD * 3)
        arm.tick(leader=leader.copy())
    assert arm.actions[-1].mode == ActionMode.JOINT_POSITION
    assert np.ptp([each[0] for each in arm.positions]) > 0.4
    speed, acceleration = arm.worst()
    assert speed <= 1.0
    assert acceleration <= 1.0 + 1e-6


def test_a_leader_arm_that_is_elsewhere_is_not_followed_until_it_is_near(arm):
    leader = HOME + np.array([0.6, 0, 0, 0, 0, 0, 0])
    action = arm.ticks(0.5, leader=leader)
    assert action.hold_reason.code is HoldCode.TAKEOVER
    assert "panda_joint1 of the leader arm is 0.60 rad" in action.hold_reason
    assert arm.joints == pytest.approx(HOME, abs=1e-6)
    assert not arm.ticks(0.5, leader=HOME + np.array([0.2, 0, 0, 0, 0, 0, 0])).hold_reason
    near = HOME + np.array([0.45, 0, 0, 0, 0, 0, 0])
    assert not arm.ticks(0.5, leader=near).hold_reason, "now it is led"


def test_a_twist_is_over_soon_after_the_last_message(arm):
    arm.ticks(1.0, twist=SIDEWAYS)
    arm.ticks(0.4)
    there = arm.tool
    arm.ticks(0.5)
    assert arm.tool == pytest.approx(there, abs=1e-4)


@pytest.mark.parametrize("stop", ["word", "service", "disabled", "hold"])
def test_a_stop_outranks_a_person(arm, stop):
    arm.ticks(0.5, twist=SIDEWAYS)
    hold = MAY_MOVE
    if stop == "word":
        arm.loop.set_instruction("stop", arm.now)
    elif stop == "service":
        arm.loop.stop()
    elif stop == "disabled":
        arm.loop.enable(False)
    else:
        hold = HoldReason(HoldCode.INPUT_STALE, "joint states: too old")
    arm.ticks(0.5, twist=SIDEWAYS, hold=hold)
    there = arm.tool
    assert arm.ticks(0.5, twist=SIDEWAYS, hold=hold).hold_reason
    assert arm.tool == pytest.approx(there, abs=1e-4)
    assert arm.worst()[1] <= 1.0 + 1e-6


def test_a_trip_outranks_a_person(arm):
    arm.ticks(0.5, twist=SIDEWAYS)
    arm.loop.motion.trip("a test")
    assert arm.ticks(0.5, twist=SIDEWAYS).hold_reason.code is HoldCode.TRIPPED
    there = arm.tool
    arm.ticks(0.5, twist=SIDEWAYS)
    assert arm.tool == pytest.approx(there, abs=1e-4)
    arm.loop.reset()
    action = arm.ticks(0.5, twist=SIDEWAYS)
    assert "let go for 0.5 s" in action.hold_reason
    assert arm.tool == pytest.approx(there, abs=1e-4)
    arm.ticks(TAKEOVER_TIMEOUT_S + 0.1)
    arm.ticks(1.0, twist=SIDEWAYS)
    assert arm.tool[1] > there[1] + 0.02


def test_a_person_cannot_leave_the_workspace_and_comes_back_at_once(arm):
    arm.ticks(8.0, twist=2 * SIDEWAYS)
    assert arm.tool[1] <= ROBOT.workspace.max[1] + 0.01
    edge = arm.tool[1]
    arm.ticks(0.6, twist=-SIDEWAYS)
    assert arm.tool[1] < edge - 0.02, "nothing was wound up"
    assert not arm.loop.blocked


def test_an_arm_that_cannot_follow_is_not_told_to_go_on():
    arm = Arm(sinks=())
    action = arm.ticks(5.0, twist=SIDEWAYS)
    assert np.linalg.norm(action.values[:3] - arm.tool) <= 0.083


def test_the_gripper_does_what_the_person_says_and_else_what_it_was_told(arm):
    assert arm.ticks(0.5, twist=SIDEWAYS).gripper == 1.0
    arm.loop.takeover.set_opening(0.25)
    assert arm.tick(twist=SIDEWAYS).gripper == 0.25
    arm.ticks(TAKEOVER_TIMEOUT_S + 0.1)
    assert arm.actions[-1].gripper == 0.25, "what is gripped stays gripped"


@pytest.mark.parametrize("wrong", [[np.nan] * 6, [1.0] * 5, [np.inf, 0, 0, 0, 0, 0], [1e200] * 6])
def test_twists_that_are_none_are_refused(arm, wrong):
    with pytest.raises(ValueError, match="valid: six finite numbers up to 1000"):
        arm.loop.takeover.set_twist(np.array(wrong), arm.now)
    assert not arm.loop.takeover.is_active(arm.now)


def test_joints_and_openings_that_are_none_are_refused(arm):
    with pytest.raises(ValueError, match="valid: 7 finite numbers"):
        arm.loop.takeover.set_joints(np.zeros(6), arm.now)
    with pytest.raises(ValueError, match="valid: 0"):
        arm.loop.takeover.set_opening(1.5)
