"""The control core: words, limits, watchdogs and the clock decide what the arm is told."""

import numpy as np
import pytest
from plans import HOME

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION, InstructionKind
from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.motion.limits import clamp_action
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.runtime.instructions import MAX_LENGTH, next_instruction
from vlm_robot_ros.runtime.stream_monitor import StreamMonitor
from vlm_robot_ros.runtime.tick_schedule import TickSchedule

ROBOT = load_robot("panda_sim")


@pytest.mark.parametrize(
    "text",
    ["stop", "STOP!", "please stop", "no, stop it now", "Halt.", "freeze", "stop\x00",
     "pick up the cube no wait stop", "x " * 5000 + "stop"],
)  # fmt: skip
def test_a_word_of_stop_anywhere_stops(text):
    assert next_instruction(EMPTY_INSTRUCTION, text).kind is InstructionKind.STOP


@pytest.mark.parametrize("text", ["pick up the stopper", "push the red cube", "unstoppable"])
def test_words_that_only_contain_stop_do_not(text):
    assert next_instruction(EMPTY_INSTRUCTION, text).kind is InstructionKind.TASK


@pytest.mark.parametrize("text", ["", "   ", "\x00\x01", "?!..."])
def test_no_words_are_no_task(text):
    assert next_instruction(EMPTY_INSTRUCTION, text).kind is InstructionKind.EMPTY


def test_hostile_text_is_cleaned_and_cut_and_counted():
    said = next_instruction(EMPTY_INSTRUCTION, "push\x1b[2J\n\u2028it" + " left" * 10_000)
    assert said.text.startswith("push [2J it left")
    assert len(said.text) <= MAX_LENGTH
    assert next_instruction(said, "again").number == 2


def test_what_is_too_long_to_be_looked_through_stops():
    assert next_instruction(EMPTY_INSTRUCTION, "push " * 20_000).kind is InstructionKind.TASK
    long = next_instruction(EMPTY_INSTRUCTION, "push " * 20_001)
    assert long.kind is InstructionKind.STOP
    assert long.text.startswith("push push")
    assert "100,005 characters; at most 100,000 are read" in long.text


def test_limits_keep_the_tool_in_its_box_and_slow():
    far = np.array([9.0, -9.0, -9.0, 1, 0, 0, 0])
    last = HOME
    for _ in range(400):
        now = clamp_action(ROBOT, Kinematics(ROBOT), ActionMode.END_EFFECTOR_POSE, far, last, 0.02)
        assert np.linalg.norm(now[:3] - last[:3]) <= ROBOT.workspace.speed * 0.02 + 1e-12
        last = now
    corner = [ROBOT.workspace.max[0], ROBOT.workspace.min[1], ROBOT.workspace.min[2]]
    np.testing.assert_allclose(last[:3], corner)


def test_limits_keep_joints_between_theirs_and_slow():
    home, kinematics = np.array(ROBOT.home), Kinematics(ROBOT)
    turned = home + np.array([0, 0, 0, 0, 0, 0, 9])  # it takes the tool nowhere
    now = clamp_action(ROBOT, kinematics, ActionMode.JOINT_POSITION, turned, home, 0.02)
    assert now[6] - home[6] == pytest.approx(ROBOT.velocity[6] * 0.02)
    for _ in range(200):
        now = clamp_action(ROBOT, kinematics, ActionMode.JOINT_POSITION, turned, now, 0.02)
    assert now[6] == ROBOT.upper[6]


def test_limits_keep_the_tool_slow_that_joints_move():
    last, kinematics = np.array(ROBOT.home), Kinematics(ROBOT)
    for _ in range(50):
        now = clamp_action(ROBOT, kinematics, ActionMode.JOINT_POSITION, last + 9, last, 0.02)
        way = kinematics.forward(now)[:3, 3] - kinematics.forward(last)[:3, 3]
        assert 0 < np.linalg.norm(way) <= 1.02 * ROBOT.workspace.speed * 0.02
        last = now


def test_a_watch_tells_missing_stale_frozen_and_future_apart():
    watch = StreamMonitor("front camera", 0.5, 30.0)
    assert "nothing received" in watch.problem(1.0)
    watch.on_message(1.0)
    assert watch.problem(1.2) == ""
    assert "1.00 s old" in watch.problem(2.0)
    watch.on_message(1.0)
    assert "frozen" in watch.problem(2.0)
    watch.on_message(2.0)
    assert watch.problem(2.1) == ""
    for number in range(1, 50):
        watch.on_message(2.0 + number / 25)
    assert watch.rate == pytest.approx(25.0)
    watch.on_message(0.5)  # time begins again
    assert watch.rate == 0.0
    watch.on_message(1.0)  # slower than the timeout allows
    assert watch.rate == pytest.approx(2.0)
    watch.on_message(5.0)  # after a pause
    assert watch.rate == 0.0
    watch.on_message(2.0)
    watch.on_rejected("encoding '8UC7'")
    assert "8UC7" in watch.problem(2.1)
    watch.on_message(2.2)
    assert watch.problem(2.2) == ""
    assert "use_sim_time" in watch.problem(1.0)


def test_limits_turn_the_tool_slowly():
    last, goal = HOME, np.array([0.5, 0, 0.3, 0, 1, 0, 0])
    for _ in range(10):
        now = clamp_action(
            ROBOT, Kinematics(ROBOT), ActionMode.END_EFFECTOR_POSE, goal, last, 0.02
        )
        assert 2 * np.arccos(min(1.0, abs(now[3:] @ last[3:]))) <= 1.5 * 0.02 + 1e-6
        assert np.linalg.norm(now[3:]) == pytest.approx(1.0)
        last = now
    assert abs(last[3:] @ HOME[3:]) < 0.999


def test_a_beat_is_even_however_late_the_calls_are():
    beat, due = TickSchedule(0.02), 100.013  # the first call is late, too
    for tick, late in enumerate((0.013, 0.0, 0.019, 0.001, 0.0)):
        assert beat.due_time(100 + 0.02 * tick + late) == pytest.approx(due + 0.02 * tick)
    # Whole periods that were missed are left out; then it goes on as before.
    assert beat.due_time(100 + 0.02 * 9 + 0.005) == pytest.approx(due + 0.02 * 8)
    assert beat.due_time(100 + 0.02 * 10) == pytest.approx(due + 0.02 * 9)
    assert beat.due_time(99.0) == 99.0  # the clock was set back
    assert beat.due_time(99.02) == pytest.approx(99.02)
