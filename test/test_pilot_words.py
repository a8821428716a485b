"""Words for the pilot: a stop lasts, old words end, and repeated words change nothing."""

import numpy as np
import pytest
from pilots import ROBOT, new_pilot, new_watch, tick
from plans import HOME, plan

from vlm_robot_ros.interfaces.action import validate_chunk
from vlm_robot_ros.interfaces.instruction import InstructionKind
from vlm_robot_ros.runtime.chunk_executor import ChunkExecutor
from vlm_robot_ros.runtime.execution_settings import ExecutionSettings


@pytest.fixture
def watch():
    return new_watch()


@pytest.fixture
def pilot(watch):
    return new_pilot(watch)


def test_old_words_are_obeyed_no_longer_until_they_are_said_again(watch):
    pilot = ChunkExecutor(
        ROBOT, [watch], period=0.02, settings=ExecutionSettings(instruction_timeout=5.0)
    )
    # From the clock's zero on.
    for begun in (0.0, 7.0):
        said = pilot.set_instruction("pick up the cube", begun)
        for now in (begun, begun + 4.9, begun + 5.1):
            watch.on_message(now)
            pilot.set_chunk(plan([0.58, 0, 0.3]), said.number, now, now)
            old = "" if now < begun + 5 else "the instruction is 5 s old, at most 5 s allowed"
            assert tick(pilot, now).hold_reason == old
    pilot.set_instruction("slower", 12.1)  # who says so means what is being done
    assert tick(pilot, 12.2).hold_reason == ""


def test_stop_holds_at_once_where_the_arm_was_last_told_to_be(pilot, watch):
    watch.on_message(1.0)
    said = pilot.set_instruction("pick up the cube", 1.0)
    pilot.set_chunk(plan([0.58, 0, 0.3]), said.number, 1.0, 1.0)
    tick(pilot, 1.0)
    moving = tick(pilot, 1.3)
    pilot.set_instruction("stop", 1.3)
    held = tick(pilot, 1.3)
    assert held.hold_reason == "stopped by 'stop'"
    np.testing.assert_array_equal(held.values, moving.values)
    assert held.gripper == moving.gripper  # what is gripped stays gripped
    np.testing.assert_array_equal(tick(pilot, 1.32).values, moving.values)


def test_nothing_that_comes_with_a_stop_undoes_it(pilot):
    pilot.set_instruction("pick up the cube", 1.0)
    assert pilot.set_instruction("stop", 3.0).kind is InstructionKind.STOP
    # From one publisher too many: other words, none, and always more of them.
    for number in range(200):
        said = pilot.set_instruction(f"push the can left {number % 7 or ''}", 3.01 + 0.02 * number)
        assert said.text == "stop"
        assert "after a stop words count when nothing was said for 0.5" in pilot.ignored
    assert (
        pilot.set_instruction("", 7.0).kind is InstructionKind.EMPTY
    )  # a hold, too, and no way around
    assert pilot.set_instruction("open the gripper", 7.4).kind is InstructionKind.EMPTY
    assert pilot.set_instruction("open the gripper", 9.0).text == "open the gripper"
    assert pilot.ignored == ""


def test_who_repeats_words_does_not_end_a_stop_with_them(pilot):
    for now in (1.0, 2.0, 3.0):
        pilot.set_instruction("pick up the cube", now)
    pilot.set_instruction("stop", 3.4)
    for now in np.arange(4.0, 20.0):  # ros2 topic pub, which nobody has ended
        assert pilot.set_instruction("pick up the cube", now).text == "stop"
        assert "repeated after 1.00 s" in pilot.ignored
    assert pilot.set_instruction("push the can left", 19.6).text == "push the can left"
    pilot.set_instruction("stop", 20.0)
    assert pilot.set_instruction("pick up the cube", 21.2).text == "pick up the cube"  # said again
    pilot.set_instruction("stop", 21.4)
    pilot.reset()  # somebody has looked, and wants to say something else, perhaps
    for now in np.arange(22.4, 30.0):
        assert pilot.set_instruction("pick up the cube", now).kind is InstructionKind.EMPTY
    assert pilot.set_instruction("pick up the cube", 32.0).text == "pick up the cube"


def test_after_a_rest_repeated_words_do_not_count_and_others_do_at_once(pilot):
    pilot.set_instruction("pick up the cube", 1.0)
    pilot.reset()
    assert (
        pilot.set_instruction("pick up the cube", 1.2).kind is InstructionKind.TASK
    )  # said once, and once more
    for now in (2.0, 3.0):
        pilot.set_instruction("pick up the cube", now)
    pilot.reset()
    for now in (4.0, 5.0):
        assert pilot.set_instruction("pick up the cube", now).kind is InstructionKind.EMPTY
    assert pilot.set_instruction("go home", 5.2).text == "go home"
    for now in (6.0, 7.0):
        pilot.set_instruction("pick up the cube", now)
    pilot.set_instruction("push the can left", 7.4)
    pilot.reset()
    assert (
        pilot.set_instruction("pick up the cube", 8.0).kind is InstructionKind.EMPTY
    )  # as every second
    for number in range(20):  # other words, by a publisher that is quick
        pilot.set_instruction("open the gripper", 8.1 + 0.1 * number)
    assert pilot.instruction.text == "open the gripper"


def test_words_that_are_repeated_are_gone_on_with(pilot, watch):
    watch.on_message(1.0)
    number = pilot.set_instruction("pick up the cube", 1.0).number
    pilot.set_chunk(plan([0.58, 0, 0.3]), number, 1.0, 1.0)
    assert tick(pilot, 1.02).hold_reason == ""
    assert pilot.set_instruction("pick up the cube", 1.03).number == number
    assert tick(pilot, 1.04).hold_reason == ""  # the plan is still there
    assert pilot.set_instruction("push the can left", 1.05).number == number + 1
    assert (
        pilot.set_instruction("pick up the cube", 1.06).number == number + 2
    )  # who changes his mind
    assert pilot.set_instruction("slower", 1.07).pace == 0.5
    assert pilot.set_instruction("slower", 1.08).pace == 0.25  # twice slower
    assert pilot.set_instruction("pick up the cube", 2.9).number == number + 3  # again


def test_a_policy_that_asks_for_a_slower_pace_is_executed_slower(watch):
    reached = {}
    for pace in (1.0, 0.5):
        pilot = new_pilot(watch)
        watch.on_message(1.0)
        number = pilot.set_instruction("go far", 1.0).number
        tick(pilot, 1.0)
        pilot.set_chunk(plan([0.6, 0, 0.3], steps=1, pace=pace), number, 1.0, 1.0)
        reached[pace] = tick(pilot, 1.02).values[0] - HOME[0]
    assert reached[1.0] > 0
    assert reached[0.5] == pytest.approx(0.5 * reached[1.0])


@pytest.mark.parametrize("pace", [0.0, 1.5, float("nan")])
def test_a_pace_that_is_none_is_refused(pace):
    with pytest.raises(ValueError, match=r"valid: 0.25 to 1"):
        validate_chunk(plan([0.5, 0, 0.3], pace=pace))


def test_a_clock_that_is_set_back_does_not_make_it_deaf(pilot):
    pilot.set_instruction("stop", 1e9)
    assert pilot.set_instruction("pick up the cube", 5.0).text == "pick up the cube"


def test_a_plan_for_words_of_before_is_dropped(pilot, watch):
    watch.on_message(1.0)
    old = pilot.set_instruction("pick up the cube", 1.0).number
    pilot.set_instruction("push the can left", 1.0)
    pilot.set_chunk(plan([0.58, 0, 0.3]), old, 1.0, 1.0)
    assert tick(pilot, 1.0).hold_reason == "waiting for a plan"
    pilot.set_instruction("stop", 1.02)
    pilot.set_chunk(plan([0.58, 0, 0.3]), pilot.instruction.number, 1.0, 1.0)
    assert "stopped" in tick(pilot, 1.02).hold_reason


def test_new_words_flush_what_was_planned(pilot, watch):
    watch.on_message(1.0)
    pilot.set_chunk(
        plan([0.58, 0, 0.3]), pilot.set_instruction("pick up the cube", 1.0).number, 1.0, 1.0
    )
    assert tick(pilot, 1.1).hold_reason == ""
    pilot.set_instruction("push the can left", 1.1)
    assert tick(pilot, 1.12).hold_reason == "waiting for a plan"
