"""The control core: words, plans and watchdogs decide what the arm is told."""

import numpy as np
import pytest

from vlm_robot_ros.contract.action import ActionChunk, ActionMode
from vlm_robot_ros.contract.load import load_robot
from vlm_robot_ros.control.instruction import MAX_LENGTH, NOTHING_SAID, Kind, next_instruction
from vlm_robot_ros.control.limits import limit
from vlm_robot_ros.control.pilot import Pilot
from vlm_robot_ros.control.timeline import Timeline
from vlm_robot_ros.control.watchdog import StreamWatch

ROBOT = load_robot("panda_sim")
HOME = np.array([0.5, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0])


def plan(end, steps=8, mode=ActionMode.END_EFFECTOR_POSE, **changes):
    """A straight plan from HOME to `end` (shape (3,), [m]) in steps of 0.1 s."""
    places = HOME[:3] + np.linspace(0, 1, steps + 1)[1:, None] * (np.array(end) - HOME[:3])
    fields = {
        "mode": mode,
        "values": np.hstack([places, np.tile(HOME[3:], (steps, 1))]),
        "gripper": np.zeros(steps),
        "step_dt": 0.1,
        "label": "pick up",
        "scores": {"pick up": 1.0},
        "confidence": 1.0,
        "hold": "",
    }
    return ActionChunk(**{**fields, **changes})


@pytest.mark.parametrize(
    "text",
    ["stop", "STOP!", "please stop", "no, stop it now", "Halt.", "freeze", "stop\x00",
     "pick up the cube no wait stop", "x " * 5000 + "stop"],
)  # fmt: skip
def test_a_word_of_stop_anywhere_stops(text):
    assert next_instruction(NOTHING_SAID, text).kind is Kind.STOP


@pytest.mark.parametrize("text", ["pick up the stopper", "push the red cube", "unstoppable"])
def test_words_that_only_contain_stop_do_not(text):
    assert next_instruction(NOTHING_SAID, text).kind is Kind.TASK


@pytest.mark.parametrize("text", ["", "   ", "\x00\x01", "?!..."])
def test_no_words_are_no_task(text):
    assert next_instruction(NOTHING_SAID, text).kind is Kind.EMPTY


def test_hostile_text_is_cleaned_and_cut_and_counted():
    said = next_instruction(NOTHING_SAID, "push\x1b[2J\n\u2028it" + " left" * 10_000)
    assert said.text.startswith("push [2J it left")
    assert len(said.text) <= MAX_LENGTH
    assert next_instruction(said, "again").number == 2


def test_a_plan_is_played_by_the_clock():
    timeline = Timeline(blend=0.0)
    timeline.put(plan([0.58, 0.0, 0.3]), stamp=10.0, now=10.0)
    for now, x in ((10.1, 0.51), (10.25, 0.525), (10.8, 0.58)):
        values, grip = timeline.sample(now)
        assert values[0] == pytest.approx(x)
        assert grip == 0.0
    assert timeline.sample(10.81) is None


def test_a_late_plan_starts_where_the_clock_is():
    timeline = Timeline()
    timeline.put(plan([0.58, 0.0, 0.3]), stamp=10.0, now=10.4)
    assert timeline.sample(10.4)[0][0] == pytest.approx(0.54)


def test_plans_are_blended_without_a_jump():
    timeline = Timeline(blend=0.1)
    timeline.put(plan([0.58, 0.0, 0.3]), stamp=0.0, now=0.0)
    before = timeline.sample(0.3)[0]
    timeline.put(plan([0.5, 0.2, 0.3]), stamp=0.2, now=0.3)
    np.testing.assert_allclose(timeline.sample(0.3)[0], before)
    times = np.linspace(0.3, 0.5, 101)
    path = np.array([timeline.sample(time)[0][:3] for time in times])
    assert np.max(np.linalg.norm(np.diff(path, axis=0), axis=1)) < 0.005
    after = Timeline(blend=0.0)
    after.put(plan([0.5, 0.2, 0.3]), stamp=0.2, now=0.3)
    np.testing.assert_allclose(path[-1], after.sample(0.5)[0][:3])


def test_blending_turns_the_short_way_round():
    timeline = Timeline(blend=0.1)
    timeline.put(plan([0.58, 0.0, 0.3]), stamp=0.0, now=0.0)
    chunk = plan([0.58, 0.0, 0.3])
    chunk.values[:, 3:] *= -1  # the same orientation
    timeline.put(chunk, stamp=0.1, now=0.2)
    turn = timeline.sample(0.25)[0][3:]
    assert abs(turn @ HOME[3:]) == pytest.approx(1.0)


def test_an_older_plan_does_not_replace_a_newer():
    timeline = Timeline()
    timeline.put(plan([0.58, 0.0, 0.3]), stamp=1.0, now=1.0)
    timeline.put(plan([0.5, 0.3, 0.3]), stamp=0.5, now=1.0)
    assert timeline.sample(1.8)[0][0] == pytest.approx(0.58)


@pytest.mark.parametrize(
    "changes",
    [
        {"values": np.full((8, 7), np.nan)},
        {"values": np.zeros((8, 6))},
        {"values": np.zeros((8, 7))},  # no unit quaternion
        {"values": np.zeros((0, 7))},
        {"gripper": np.full(8, np.inf)},
        {"gripper": np.zeros(3)},
        {"step_dt": 0.0},
        {"step_dt": float("nan")},
        {"mode": ActionMode.JOINT_DELTA},
    ],
)
def test_a_bad_plan_is_refused(changes):
    with pytest.raises(ValueError, match=r"plan|chunk|step_dt"):
        Timeline().put(plan([0.6, 0, 0.3], **changes), 0.0, 0.0)


def test_limits_keep_the_tool_in_its_box_and_slow():
    far = np.array([9.0, -9.0, -9.0, 1, 0, 0, 0])
    last = HOME
    for _ in range(400):
        now = limit(ROBOT, ActionMode.END_EFFECTOR_POSE, far, last, 0.02)
        assert np.linalg.norm(now[:3] - last[:3]) <= ROBOT.workspace.speed * 0.02 + 1e-12
        last = now
    corner = [ROBOT.workspace.max[0], ROBOT.workspace.min[1], ROBOT.workspace.min[2]]
    np.testing.assert_allclose(last[:3], corner)


def test_limits_keep_joints_between_theirs_and_slow():
    home = np.array(ROBOT.home)
    now = limit(ROBOT, ActionMode.JOINT_POSITION, home + 9, home, 0.02)
    np.testing.assert_allclose(now - home, np.minimum(ROBOT.velocity * 0.02, ROBOT.upper - home))


def test_a_watch_tells_missing_stale_frozen_and_future_apart():
    watch = StreamWatch("front camera", 0.5)
    assert "nothing received" in watch.problem(1.0)
    watch.saw(1.0)
    assert watch.problem(1.2) == ""
    assert "1.00 s old" in watch.problem(2.0)
    watch.saw(1.0)
    assert "frozen" in watch.problem(2.0)
    watch.saw(2.0)
    assert watch.problem(2.1) == ""
    watch.refused("encoding '8UC7'")
    assert "8UC7" in watch.problem(2.1)
    watch.saw(2.2)
    assert watch.problem(2.2) == ""
    assert "use_sim_time" in watch.problem(1.0)


@pytest.fixture
def watch():
    return StreamWatch("front camera", 0.5)


@pytest.fixture
def pilot(watch):
    return Pilot(ROBOT, [watch], blend=0.1, min_confidence=0.5, period=0.02)


def tick(pilot, now, pose=HOME, opening=1.0):
    return pilot.tick(now, np.array(ROBOT.home), pose, opening)


def test_the_pilot_acts_on_what_was_said_and_holds_otherwise(pilot, watch):
    watch.saw(1.0)
    assert tick(pilot, 1.0).hold_reason == "no instruction yet"
    said = pilot.hear("pick up the cube")
    assert tick(pilot, 1.02).hold_reason == "waiting for a plan"
    pilot.take(plan([0.58, 0, 0.3]), said.number, 1.0, 1.04)
    command = tick(pilot, 1.04)
    assert command.hold_reason == ""
    assert command.stamp == 1.0
    assert command.said.text == "pick up the cube"
    assert tick(pilot, 1.3).values[0] > 0.51


def test_stop_holds_at_once_where_the_arm_was_last_told_to_be(pilot, watch):
    watch.saw(1.0)
    said = pilot.hear("pick up the cube")
    pilot.take(plan([0.58, 0, 0.3]), said.number, 1.0, 1.0)
    tick(pilot, 1.0)
    moving = tick(pilot, 1.3)
    pilot.hear("stop")
    held = tick(pilot, 1.3)
    assert held.hold_reason == "stopped by 'stop'"
    np.testing.assert_array_equal(held.values, moving.values)
    assert held.gripper == moving.gripper  # what is gripped stays gripped
    np.testing.assert_array_equal(tick(pilot, 1.32).values, moving.values)


def test_a_plan_for_words_of_before_is_dropped(pilot, watch):
    watch.saw(1.0)
    old = pilot.hear("pick up the cube").number
    pilot.hear("push the can left")
    pilot.take(plan([0.58, 0, 0.3]), old, 1.0, 1.0)
    assert tick(pilot, 1.0).hold_reason == "waiting for a plan"
    pilot.hear("stop")
    pilot.take(plan([0.58, 0, 0.3]), pilot.said.number, 1.0, 1.0)
    assert "stopped" in tick(pilot, 1.02).hold_reason


def test_new_words_flush_what_was_planned(pilot, watch):
    watch.saw(1.0)
    pilot.take(plan([0.58, 0, 0.3]), pilot.hear("pick up the cube").number, 1.0, 1.0)
    assert tick(pilot, 1.1).hold_reason == ""
    pilot.hear("push the can left")
    assert tick(pilot, 1.12).hold_reason == "waiting for a plan"


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
    watch.saw(1.0)
    said = pilot.hear("pick up the cube")
    pilot.take(plan([0.58, 0, 0.3], **changes), said.number, 1.0, 1.0)
    command = tick(pilot, 1.02)
    assert reason in command.hold_reason
    assert np.all(np.isfinite(command.values))
    pilot.take(plan([0.58, 0, 0.3]), said.number, 1.1, 1.1)  # and there is a way back
    assert tick(pilot, 1.12).hold_reason == ""


def test_a_stale_camera_holds_and_a_fresh_one_goes_on(pilot, watch):
    watch.saw(1.0)
    number = pilot.hear("pick up the cube").number
    pilot.take(plan([0.58, 0, 0.3]), number, 1.0, 1.0)
    assert tick(pilot, 1.4).hold_reason == ""
    assert "front camera: 0.60 s old" in tick(pilot, 1.6).hold_reason
    watch.saw(1.7)
    assert tick(pilot, 1.7).hold_reason == "waiting for a plan"  # the old one is gone
    pilot.take(plan([0.58, 0, 0.3]), number, 1.7, 1.7)
    assert tick(pilot, 1.75).hold_reason == ""


def test_a_plan_that_ran_out_is_a_hold(pilot, watch):
    watch.saw(1.0)
    pilot.take(plan([0.52, 0, 0.3], steps=2), pilot.hear("pick up it").number, 1.0, 1.0)
    watch.saw(1.3)
    assert tick(pilot, 1.3).hold_reason == "waiting for a plan"


def test_an_arm_that_somebody_else_moved_is_held_where_it_is_now(pilot, watch):
    watch.saw(1.0)
    tick(pilot, 1.0)
    moved = HOME + np.array([0.0, 0.2, 0, 0, 0, 0, 0])
    watch.saw(1.6)
    np.testing.assert_array_equal(tick(pilot, 1.6, moved).values, moved)


def test_a_hold_does_not_step_back_to_a_lagging_arm_or_follow_a_blind_one(pilot, watch):
    watch.saw(1.0)
    pilot.take(plan([0.58, 0, 0.3]), pilot.hear("pick up the cube").number, 1.0, 1.0)
    for now in np.arange(1.0, 1.5, 0.02):
        moving = tick(pilot, now)
    assert moving.values[0] - HOME[0] > 0.045
    pilot.hear("stop")
    np.testing.assert_array_equal(tick(pilot, 1.5).values, moving.values)
    np.testing.assert_array_equal(tick(pilot, 1.52).values, moving.values)
    assert tick(pilot, 5.0).gripper == moving.gripper
    held = tick(pilot, 5.02).values
    for now in (5.5, 6.0, 6.5):  # the camera is gone: what is measured may be old, too
        np.testing.assert_array_equal(tick(pilot, now, HOME + 0.1).values, held)


def test_the_first_command_does_not_leap(pilot, watch):
    watch.saw(1.0)
    pilot.take(plan([0.7, 0.3, 0.1]), pilot.hear("pick up the cube").number, 0.4, 1.0)
    command = tick(pilot, 1.1)
    np.testing.assert_allclose(command.values[:3], HOME[:3])
    step = np.linalg.norm(tick(pilot, 1.12).values[:3] - command.values[:3])
    assert 0 < step <= ROBOT.workspace.speed * 0.02 + 1e-9
    after_a_pause = np.linalg.norm(tick(pilot, 1.4).values[:3] - command.values[:3])
    assert after_a_pause <= ROBOT.workspace.speed * 0.06 + 1e-9


def test_limits_turn_the_tool_slowly():
    last, goal = HOME, np.array([0.5, 0, 0.3, 0, 1, 0, 0])
    for _ in range(10):
        now = limit(ROBOT, ActionMode.END_EFFECTOR_POSE, goal, last, 0.02)
        assert 2 * np.arccos(min(1.0, abs(now[3:] @ last[3:]))) <= 1.5 * 0.02 + 1e-6
        assert np.linalg.norm(now[3:]) == pytest.approx(1.0)
        last = now
    assert abs(last[3:] @ HOME[3:]) < 0.999


def test_a_plan_whose_quaternions_flip_their_sign_turns_nowhere():
    chunk = plan([0.58, 0, 0.3])
    chunk.values[1::2, 3:] *= -1
    timeline = Timeline(blend=0.0)
    timeline.put(chunk, 0.0, 0.0)
    for now in np.linspace(0, 0.8, 33):
        assert abs(timeline.sample(now)[0][3:] @ HOME[3:]) == pytest.approx(1.0)


def test_a_clock_that_jumps_back_flushes_the_plan(pilot, watch):
    watch.saw(100.0)
    pilot.take(plan([0.58, 0, 0.3]), pilot.hear("pick up the cube").number, 100.0, 100.0)
    assert tick(pilot, 100.1).hold_reason == ""
    watch.saw(1.0)
    assert tick(pilot, 1.0).hold_reason == "waiting for a plan"
