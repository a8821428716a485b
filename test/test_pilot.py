"""The pilot acts on a plan, and holds without one or without fresh images."""

from dataclasses import replace

import numpy as np
import pytest
from pilots import ROBOT, new_pilot, new_watch, tick
from plans import HOME, plan

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.robot.validation import validate_robot
from vlm_robot_ros.runtime.chunk_executor import ChunkExecutor


@pytest.fixture
def watch():
    return new_watch()


@pytest.fixture
def pilot(watch):
    return new_pilot(watch)


def test_the_pilot_acts_on_what_was_said_and_holds_otherwise(pilot, watch):
    watch.on_message(1.0)
    assert tick(pilot, 1.0).hold_reason == "no instruction yet"
    said = pilot.set_instruction("pick up the cube", 1.0)
    assert tick(pilot, 1.02).hold_reason == "waiting for a plan"
    pilot.set_chunk(plan([0.58, 0, 0.3]), said.number, 1.0, 1.04)
    command = tick(pilot, 1.04)
    assert command.hold_reason == ""
    assert command.stamp == 1.0
    assert command.instruction.text == "pick up the cube"
    assert tick(pilot, 1.3).values[0] > 0.51


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"confidence": 0.3}, "not sure enough"),
        ({"confidence": float("nan")}, "not sure enough"),
        ({"hold": "no such object"}, "no such object"),
        ({"values": np.full((8, 7), np.nan)}, "not finite"),
    ],
)
def test_a_plan_that_cannot_be_trusted_is_a_hold_that_says_why(pilot, watch, changes, reason):
    watch.on_message(1.0)
    said = pilot.set_instruction("pick up the cube", 1.0)
    pilot.set_chunk(plan([0.58, 0, 0.3], **changes), said.number, 1.0, 1.0)
    command = tick(pilot, 1.02)
    assert reason in command.hold_reason
    assert np.all(np.isfinite(command.values))
    pilot.set_chunk(plan([0.58, 0, 0.3]), said.number, 1.1, 1.1)  # and there is a way back
    assert tick(pilot, 1.12).hold_reason == ""


def test_a_stale_camera_holds_and_a_fresh_one_goes_on(pilot, watch):
    watch.on_message(1.0)
    number = pilot.set_instruction("pick up the cube", 1.0).number
    pilot.set_chunk(plan([0.58, 0, 0.3]), number, 1.0, 1.0)
    assert tick(pilot, 1.4).hold_reason == ""
    assert "front camera: 0.60 s old" in tick(pilot, 1.6).hold_reason
    watch.on_message(1.7)
    assert tick(pilot, 1.7).hold_reason == "waiting for a plan"  # the old one is gone
    pilot.set_chunk(plan([0.58, 0, 0.3]), number, 1.7, 1.7)
    assert tick(pilot, 1.75).hold_reason == ""


def test_a_plan_that_ran_out_is_a_hold(pilot, watch):
    watch.on_message(1.0)
    pilot.set_chunk(
        plan([0.52, 0, 0.3], steps=2), pilot.set_instruction("pick up it", 1.0).number, 1.0, 1.0
    )
    watch.on_message(1.3)
    assert tick(pilot, 1.3).hold_reason == "waiting for a plan"


def test_an_arm_that_somebody_else_moved_is_held_where_it_is_now(pilot, watch):
    watch.on_message(1.0)
    tick(pilot, 1.0)
    moved = HOME + np.array([0.0, 0.2, 0, 0, 0, 0, 0])
    watch.on_message(1.6)
    np.testing.assert_array_equal(tick(pilot, 1.6, moved).values, moved)


def test_a_hold_does_not_step_back_to_a_lagging_arm_or_follow_a_blind_one(pilot, watch):
    watch.on_message(1.0)
    pilot.set_chunk(
        plan([0.58, 0, 0.3]), pilot.set_instruction("pick up the cube", 1.0).number, 1.0, 1.0
    )
    for now in np.arange(1.0, 1.5, 0.02):
        moving = tick(pilot, now)
    assert moving.values[0] - HOME[0] > 0.045
    pilot.set_instruction("stop", 1.5)
    np.testing.assert_array_equal(tick(pilot, 1.5).values, moving.values)
    np.testing.assert_array_equal(tick(pilot, 1.52).values, moving.values)
    assert tick(pilot, 5.0).gripper == moving.gripper
    held = tick(pilot, 5.02).values
    for now in (5.5, 6.0, 6.5):  # the camera is gone: what is measured may be old, too
        np.testing.assert_array_equal(tick(pilot, now, HOME + 0.1).values, held)


def test_the_first_command_does_not_leap(pilot, watch):
    watch.on_message(1.0)
    pilot.set_chunk(
        plan([0.7, 0.3, 0.1]), pilot.set_instruction("pick up the cube", 1.0).number, 0.4, 1.0
    )
    command = tick(pilot, 1.1)
    np.testing.assert_allclose(command.values[:3], HOME[:3])
    step = np.linalg.norm(tick(pilot, 1.12).values[:3] - command.values[:3])
    assert 0 < step <= ROBOT.workspace.speed * 0.02 + 1e-9
    after_a_pause = np.linalg.norm(tick(pilot, 1.4).values[:3] - command.values[:3])
    assert after_a_pause <= ROBOT.workspace.speed * 0.06 + 1e-9


def test_a_clock_that_jumps_back_flushes_the_plan(pilot, watch):
    watch.on_message(100.0)
    pilot.set_chunk(
        plan([0.58, 0, 0.3]), pilot.set_instruction("pick up the cube", 100.0).number, 100.0, 100.0
    )
    assert tick(pilot, 100.1).hold_reason == ""
    watch.on_message(1.0)
    assert tick(pilot, 1.0).hold_reason == "waiting for a plan"


def _arm_of(joints):
    """Return a contract of so many joints: some of the Panda's, or with more at its wrist."""
    names = [f"joint{number}" for number in range(joints)]
    kept = [*ROBOT.joints, *ROBOT.joints[-3:]][:joints]
    home = (*ROBOT.home, 0.1, 0.1, 0.1)[:joints]
    named = tuple(replace(j, name=n, position=(-3, 3)) for j, n in zip(kept, names, strict=True))
    everywhere = replace(ROBOT.workspace, min=(-2, -2, -2), max=(2, 2, 2))
    return replace(ROBOT, joints=named, home=home, workspace=everywhere, servos=None)


@pytest.mark.parametrize("joints", [4, 5, 6, 8, 10])
def test_an_arm_is_told_as_many_joints_as_it_has(watch, joints):
    robot = _arm_of(joints)
    assert not list(validate_robot(robot))
    pilot, home = ChunkExecutor(robot, [watch], period=0.02), np.array(robot.home)
    pose = transform_to_pose7(Kinematics(robot).forward(home))
    watch.on_message(1.0)
    said = pilot.set_instruction("pick up the cube", 1.0)
    pilot.step(1.0, home, pose, 1.0)
    goal = home + 0.02 * np.arange(1, joints + 1) / joints
    chunk = plan(pose[:3], mode=ActionMode.JOINT_POSITION, values=np.tile(goal, (8, 1)))
    pilot.set_chunk(chunk, said.number, 1.0, 1.0)
    for number in range(20):
        command = pilot.step(1.02 + 0.02 * number, home, pose, 1.0)
        assert not command.hold_reason
    assert command.values == pytest.approx(goal)


@pytest.mark.parametrize("width", [5, 7])
def test_a_plan_of_another_number_of_joints_is_refused(watch, width):
    robot, watch_time = load_robot("ur5e_sim"), 1.0
    pilot = ChunkExecutor(robot, [watch], period=0.02)
    watch.on_message(watch_time)
    said = pilot.set_instruction("pick up the cube", 1.0)
    values = np.zeros((8, width))
    chunk = plan([0.5, 0, 0.3], mode=ActionMode.JOINT_POSITION, values=values)
    pilot.set_chunk(chunk, said.number, 1.0, 1.0)
    command = pilot.step(1.02, np.array(robot.home), HOME, 1.0)
    assert f"6 joints has values of shape (H, 6), got (8, {width})" in command.hold_reason


def test_a_quaternion_as_networks_write_it_is_normalized(pilot, watch):
    watch.on_message(1.0)
    said = pilot.set_instruction("pick up the cube", 1.0)
    chunk = plan([0.58, 0, 0.3])
    chunk.values[:, 3:] *= 1.02
    pilot.set_chunk(chunk, said.number, 1.0, 1.0)
    command = tick(pilot, 1.1)
    assert not command.hold_reason
    assert np.linalg.norm(command.values[3:]) == pytest.approx(1.0)


def test_a_plan_of_an_older_image_changes_nothing(pilot, watch):
    watch.on_message(1.0)
    said = pilot.set_instruction("pick up the cube", 1.0)
    pilot.set_chunk(plan([0.58, 0, 0.3]), said.number, 1.0, 1.0)
    before = tick(pilot, 1.1)
    joints = plan([0.58, 0, 0.3], mode=ActionMode.JOINT_POSITION)
    pilot.set_chunk(joints, said.number, 0.9, 1.1)
    after = tick(pilot, 1.12)
    assert (after.mode, after.stamp) == (before.mode, 1.0)


def test_joints_that_would_take_the_tool_out_of_its_box_are_a_reason_to_hold(pilot, watch):
    watch.on_message(1.0)
    home = np.array(ROBOT.home)
    rises = np.linspace(home, home + np.array([0, -1.5, 0, 1.5, 0, 0, 0]), 8)
    said = pilot.set_instruction("reach up", 1.0)
    up = plan([0, 0, 0], mode=ActionMode.JOINT_POSITION, values=rises)
    pilot.set_chunk(up, said.number, 1.0, 1.0)
    commands = []
    for now in np.arange(1.02, 1.6, 0.02):
        watch.on_message(now)
        commands.append(tick(pilot, now))
    assert commands[0].hold_reason == ""
    assert "out of its workspace" in commands[-1].hold_reason
    tool = Kinematics(ROBOT).forward(commands[-1].values)[:3, 3]
    assert tool[2] == pytest.approx(ROBOT.workspace.max[2], abs=0.02)


def test_a_plan_too_long_to_be_read_in_time_is_refused(pilot, watch):
    watch.on_message(1.0)
    said = pilot.set_instruction("pick up the cube", 1.0)
    pilot.set_chunk(plan([0.58, 0, 0.3], steps=2000), said.number, 1.0, 1.0)
    assert "1000 steps at most, got 2000" in tick(pilot, 1.0).hold_reason
