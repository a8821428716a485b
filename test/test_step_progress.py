"""Whether a step is done, by what the policy sees and feels."""

import numpy as np
import pytest
import torch

from vlm_robot_ros.language.notation import parse_program
from vlm_robot_ros.policies.grounded.step_progress import is_step_done
from vlm_robot_ros.policies.grounded.task_state import TaskState, displacement

STILL, MOVING = np.zeros((4, 3)), np.full((4, 3), 0.02)
START = (0.5, 0.0, 0.02)


def state(program, now=START, **known):
    """Return the state of a step whose target was at `START` and is at `now`."""
    made = TaskState(parse_program(program)[0], **known)
    made.start, made.target.point = torch.tensor([START]), torch.tensor([now])
    return made


def is_done(made, tool=(0.5, 0.0, 0.2), opening=1.0, moves=STILL):
    return is_step_done(made, torch.tensor([tool]), opening, moves)


@pytest.mark.parametrize(
    ("program", "now", "done"),
    [
        ("push left(red cube)", (0.5, 0.08, 0.02), True),
        ("push left(red cube)", (0.5, 0.03, 0.02), False),
        ("push left(red cube)", (0.5, -0.08, 0.02), False),
        ("push away(red cube)", (0.58, 0.0, 0.02), True),
        ("push closer(red cube)", (0.42, 0.0, 0.02), True),
    ],
)
def test_a_push_is_done_when_the_target_went_far_enough_that_way(program, now, done):
    assert is_done(state(program, now)) == done
    assert not is_done(state(program, now), moves=MOVING)


def test_a_push_by_an_amount_is_done_sooner():
    made = state("push left(red cube)[small]", (0.5, 0.04, 0.02))
    made.nudge = displacement(made.step)
    assert is_done(made)


def test_a_pick_up_is_done_when_the_target_is_held_high():
    assert is_done(state("pick up(red cube)", held=True))
    assert not is_done(state("pick up(red cube)"))
    assert not is_done(state("pick up(red cube)", held=True), tool=(0.5, 0.0, 0.04))


def test_a_carried_target_is_done_when_it_was_let_go_of_at_its_goal():
    goal = torch.tensor([[0.4, 0.2, 0.03]])
    there = {"now": (0.41, 0.2, 0.02), "goal": goal, "was_held": True}
    tool = (0.41, 0.2, 0.15)
    assert is_done(state("put(red cube; bowl)", **there), tool)
    assert not is_done(state("put(red cube; bowl)", **{**there, "was_held": False}), tool)
    assert not is_done(state("put(red cube; bowl)", **{**there, "now": START}), tool)
    assert not is_done(state("put(red cube; bowl)", **there), (0.41, 0.2, 0.03))
    assert not is_done(state("put(red cube; bowl)", **there), tool, opening=0.5)


def test_a_turn_is_done_when_it_was_turned_and_let_go_of():
    goal = torch.tensor([START])
    assert is_done(state("turn left(any milk)", goal=goal, turned=1.5))
    assert not is_done(state("turn left(any milk)", goal=goal, turned=0.8))


def test_the_gripper_and_home_are_done_when_they_are_reached():
    assert is_done(state("open()"), opening=0.95)
    assert not is_done(state("open()", fingers_still=True), opening=0.5)
    assert is_done(state("close()"), opening=0.05)
    assert is_done(state("close()", fingers_still=True), opening=0.5)
    assert not is_done(state("close()"), opening=0.5)
    assert not is_done(state("close()", fingers_still=True), opening=1.0)
    assert is_done(state("home()"))
    assert not is_done(state("home()"), moves=MOVING)
