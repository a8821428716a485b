"""Sentences about things that the parser does not know, read with words that it knows."""

import pytest

from vlm_robot_ros.policies.sentence_parsing import load_sentence_parser
from vlm_robot_ros.policies.transfer.named_things import NamedThings

NAMES = {
    "screwdriver": (), "toolbox": ("tool case",), "mug": ("coffee mug", "cup"), "tray": (),
    "coaster": (), "shelf": ("rack",),
}  # fmt: skip


@pytest.fixture(scope="module")
def things():
    return NamedThings(NAMES, load_sentence_parser())


@pytest.mark.parametrize(
    ("text", "skill", "target", "reference"),
    [
        ("put the screwdriver in the toolbox", "put", "screwdriver", "toolbox"),
        ("could you place the mug on the coaster please", "put", "mug", "coaster"),
        ("pick up the screwdriver", "pick up", "screwdriver", ""),
        ("move the coffee mug onto the tray", "put", "mug", "tray"),
        ("put the screwdriver on the top of the shelf", "put", "screwdriver", "shelf"),
        ("push the mug to the front of the shelf", "place in front", "mug", "shelf"),
    ],
)
def test_a_known_name_is_what_the_sentence_says_of_it(things, text, skill, target, reference):
    read = things.read(text)
    assert not read.problem
    (step,) = read.steps
    assert (step.skill, step.target.noun, step.reference.noun) == (skill, target, reference)


@pytest.mark.parametrize(
    ("text", "relation", "landmarks", "negated"),
    [
        ("pick up the mug next to the toolbox and place it on the tray", "next to", ("toolbox",),
         False),
        ("pick up the mug on the shelf and place it on the tray", "on", ("shelf",), False),
        ("pick up the mug between the toolbox and the coaster and place it on the tray", "between",
         ("toolbox", "coaster"), False),
        ("pick up the mug not next to the toolbox and place it on the tray", "next to",
         ("toolbox",), True),
    ],
)  # fmt: skip
def test_where_a_thing_is_tells_which_is_meant(things, text, relation, landmarks, negated):
    (step,) = things.read(text).steps
    told = step.target
    assert (told.noun, told.relation, told.landmarks) == ("mug", relation, landmarks)
    assert told.negated == negated
    assert step.reference.noun == "tray"


def test_two_things_are_two_steps(things):
    read = things.read("put the mug on the tray and then put the screwdriver in the toolbox")
    assert [(step.target.noun, step.reference.noun) for step in read.steps] == [
        ("mug", "tray"), ("screwdriver", "toolbox"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "is the mug on the tray", "do not put the mug on the tray", "put the mug",
        "put the hammer in the toolbox", "the weather is nice",
    ],
)  # fmt: skip
def test_what_asks_for_nothing_that_can_be_done_has_a_problem_and_no_steps(things, text):
    read = things.read(text)
    assert read.problem
    assert not read.steps


def test_a_problem_names_the_thing_and_not_the_word_that_stood_for_it(things):
    problem = things.read("put the hammer in the toolbox").problem
    assert "hammer" in problem
    assert not {"lemon", "bread", "bin", "bowl", "plate"} & set(problem.replace("'", " ").split())
