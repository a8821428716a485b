"""Takeovers that are interrupted: by holds, resets, jumps, chunks and odd moments."""

from dataclasses import replace

import numpy as np
import pytest
from controlled_arm import HOME, POSE, ROBOT
from takeover_arm import Arm, chunk_aside

from vlm_robot_ros.interfaces.hold import HoldCode, HoldReason
from vlm_robot_ros.interfaces.robot_state import RobotState

SIDEWAYS = np.array([0.0, 0.1, 0.0, 0.0, 0.0, 0.0])


@pytest.fixture
def arm():
    return Arm()


def test_a_message_between_the_time_of_a_tick_and_its_call_is_one_of_now(arm):
    arm.ticks(1.0, twist=SIDEWAYS, early=0.004)
    assert not any(action.hold_reason for action in arm.actions[-30:])
    arm.loop.stop()
    arm.ticks(0.2, twist=SIDEWAYS, early=0.004)
    arm.loop.reset()
    arm.ticks(0.5, twist=SIDEWAYS, early=0.004)
    assert all("let go" in action.hold_reason for action in arm.actions[-20:])


@pytest.mark.parametrize("call", ["reset", "enable"])
def test_a_reset_and_an_enable_make_a_person_let_go(arm, call):
    arm.ticks(1.0, twist=SIDEWAYS)
    arm.loop.reset() if call == "reset" else arm.loop.enable(True)
    arm.ticks(0.5, twist=SIDEWAYS)
    there = arm.tool
    assert "let go" in arm.ticks(0.3, twist=SIDEWAYS).hold_reason
    assert arm.tool == pytest.approx(there, abs=1e-4)


def test_a_leader_arm_that_went_on_during_a_hold_has_to_come_back(arm):
    arm.ticks(1.0, leader=HOME)
    stale = HoldReason(HoldCode.INPUT_STALE, "joint states: too old")
    leader = HOME.copy()
    for _ in range(100):
        leader[0] += 0.01
        arm.tick(leader=leader.copy(), hold=stale)
    action = arm.ticks(0.5, leader=leader)
    assert "of the leader arm is 1.00 rad" in action.hold_reason
    assert arm.joints == pytest.approx(HOME, abs=0.01)


def test_a_leader_arm_that_jumps_is_not_followed(arm):
    arm.ticks(1.0, leader=HOME)
    action = arm.ticks(0.5, leader=HOME + np.array([0.8, 0, 0, 0, 0, 0, 0]))
    assert "of the leader arm is 0.80 rad" in action.hold_reason
    assert arm.joints == pytest.approx(HOME, abs=0.01)


def test_fingers_close_while_a_person_waits_for_the_arm(arm):
    arm.follow_chunk()
    arm.ticks(0.3)
    number = arm.loop.instruction.number
    pose = np.concatenate([arm.tool, POSE[3:]])
    closing = replace(chunk_aside(pose, 0.0), gripper=np.zeros(20))
    arm.loop.set_chunk(closing, number, arm.now, arm.now)
    arm.ticks(0.2)
    for opening in np.linspace(0.9, 0.3, 20):
        arm.opening = opening
        arm.tick(leader=HOME + np.array([1.0, 0, 0, 0, 0, 0, 0]))
    assert arm.actions[-1].hold_reason.code is HoldCode.TAKEOVER
    assert arm.actions[-1].gripper == 0.0


def test_chunks_of_another_mode_do_not_disturb_a_leader_arm(arm):
    arm.follow_chunk()
    arm.ticks(0.6)
    leader = arm.joints.copy()
    number, first = arm.loop.instruction.number, len(arm.actions)
    for tick in range(100):
        leader[0] += 0.004
        if tick % 5 == 0:
            arm.loop.set_chunk(chunk_aside(POSE, 0.2), number, arm.now, arm.now)
        arm.tick(leader=leader.copy())
    told = np.array([a.values[0] for a in arm.actions[first:] if a.mode == 0])
    assert len(told) > 80
    assert np.all(np.diff(told) >= 0), "it never goes back"


def test_a_twist_moves_as_far_however_often_the_loop_is_stepped(arm):
    arm.ticks(1.0, twist=SIDEWAYS)
    before = arm.actions[-1].values[1]
    for _ in range(25):
        arm.tick(twist=SIDEWAYS)
        state = RobotState(arm.now, arm.joints, arm.opening)
        for part in range(1, 4):
            arm.loop.step(arm.now + 0.001 * part, state, between_ticks=True)
    assert arm.actions[-1].values[1] - before == pytest.approx(0.05, abs=0.006)


def test_a_zero_twist_leaves_an_arm_that_was_moved_by_hand_where_it_is(arm):
    arm.ticks(1.0, twist=SIDEWAYS)
    arm.ticks(1.0)
    arm.joints = arm.joints + np.array([0, 0, 0, 0, 0, 0, 0.5])
    arm.ticks(1.0)
    there = arm.joints.copy()
    arm.ticks(1.0, twist=np.zeros(6))
    assert arm.joints == pytest.approx(there, abs=0.02)


@pytest.mark.parametrize("twist", [[0.0, 0.01, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0.01]])
def test_a_small_twist_outside_of_the_workspace_is_a_small_motion(arm, twist):
    above = np.array([0, 0.3, 0, -0.9, 0, 0, 0])
    arm.joints = HOME - above
    before = arm.tool
    assert before[2] > ROBOT.workspace.max[2] + 0.02
    arm.ticks(2.0, twist=np.array(twist, float))
    assert np.linalg.norm(arm.tool - before) < 0.04


def test_a_leader_arm_that_left_the_workspace_has_to_come_near_again(arm):
    leader = HOME.copy()
    for _ in range(200):
        leader[1] += 0.006
        arm.tick(leader=leader.copy())
    assert arm.actions[-1].hold_reason.code in (HoldCode.WORKSPACE, HoldCode.TAKEOVER)
    there = arm.joints.copy()
    for _ in range(100):
        leader[0] += 0.008
        arm.tick(leader=leader.copy())
    assert arm.joints == pytest.approx(there, abs=0.02)


def test_a_clock_that_is_set_back_does_not_let_go(arm):
    arm.ticks(0.5, twist=SIDEWAYS)
    arm.loop.stop()
    arm.ticks(0.2, twist=SIDEWAYS)
    arm.loop.reset()
    arm.now -= 5.0
    arm.tick()
    action = arm.ticks(1.0, twist=SIDEWAYS)
    assert "let go" in action.hold_reason
