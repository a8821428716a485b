"""What sentences say, and what the rules of the table make of it."""

import numpy as np
import pytest

from vlm_robot_ros.evaluation.closed_loop import ClosedLoopRunner
from vlm_robot_ros.models.checkpoint import load_checkpoint
from vlm_robot_ros.policies.grounded.instruction_parser import InstructionParser
from vlm_robot_ros.policies.grounded.policy import GroundedPolicy
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.simulator import Simulator
from vlm_robot_ros.tasks.scene import Scene, SceneObject, VisualConditions


@pytest.fixture(scope="module")
def words(shipped):
    return InstructionParser(load_checkpoint(shipped).eval(), "cpu")


@pytest.mark.parametrize(
    ("sentence", "skill"),
    [
        ("put the red cube on the blue bread", "stack"),
        ("stack the red cube on the plate", "put"),
        ("put the red cube in the bowl", "put"),
        ("stack the red cube on the blue bread", "stack"),
        ("pick up the red cube", "pick up"),
    ],
)
def test_what_is_put_on_an_object_is_stacked_and_what_is_stacked_on_a_plate_is_put(
    words, sentence, skill
):
    slots = words.read(sentence)
    assert words.skill(slots) == skill
    assert words.problem(sentence, slots, any_object=False) == ""


@pytest.mark.parametrize(
    ("sentence", "strange"),
    [
        ("pick up the mint cube", ("mint", "")),
        ("put the red cube onto the lilac plate", ("", "lilac")),
        ("push the teal milk to the left", ("teal", "")),
        ("pick up the shiny red cube", ("", "")),  # which one is said all the same
        ("pick up the cube", ("", "")),
        ("hey rob pick up the cube", ("", "")),  # a word of nobody's
    ],
)
def test_a_word_that_may_say_which_thing_is_meant_is_not_passed_over(words, sentence, strange):
    slots = words.read(sentence)
    assert tuple(words.unknown_word(sentence, slots, which) for which in (0, 1)) == strange


@pytest.mark.parametrize(("colours", "acts"), [(("red",), True), (("red", "blue"), False)])
def test_an_unknown_word_is_passed_over_only_where_one_thing_can_be_meant(shipped, colours, acts):
    cubes = [
        SceneObject(colour, "cube", 0.5, 0.2 * at - 0.1, 0.0) for at, colour in enumerate(colours)
    ]
    lemon = SceneObject("yellow", "lemon", 0.6, 0.25, 0.0)
    sim, policy = Simulator(load_robot("panda_sim")), GroundedPolicy(shipped)
    sim.reset(Scene((*cubes, lemon), VisualConditions()))
    player = ClosedLoopRunner(sim, policy)
    player.set_instruction("pick up the mint cube")
    player.run(1.0)
    sim.close()
    if acts:
        assert not player.hold
        assert np.linalg.norm(policy.points["target"] - [0.5, -0.1, 0.02]) < 0.03
    else:
        assert player.hold in ("The red cube or the blue cube?", "The blue cube or the red cube?")
