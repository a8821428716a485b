"""What sentences say, and what the rules of the table make of it."""

import pytest

from vlm_robot_ros.models.checkpoint import load_checkpoint
from vlm_robot_ros.policy.understanding import Understanding


@pytest.fixture(scope="module")
def words(shipped):
    return Understanding(load_checkpoint(shipped).eval(), "cpu")


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
        ("pick up the mint cube", "mint"),
        ("put the red cube onto the lilac plate", "lilac"),
        ("push the teal milk to the left", "teal"),
        ("pick up the shiny red cube", ""),  # which one is said all the same
        ("pick up the cube", ""),
        ("hey rob pick up the cube", ""),  # a word of nobody's
    ],
)
def test_a_word_that_may_say_which_thing_is_meant_is_not_passed_over(words, sentence, strange):
    problem = words.problem(sentence, words.read(sentence), any_object=False)
    expected = f"'{strange}' in '{sentence}' is a word that I do not know" if strange else ""
    assert problem == expected
