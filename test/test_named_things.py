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
        ("put the mug on the upper surface of the shelf", "put", "mug", "shelf"),
        ("put the mug on the shelf's flat surface", "put", "mug", "shelf"),
        ("make sure the mug is on the tray", "put", "mug", "tray"),
        ("lift the mug, which should then be left on the tray", "put", "mug", "tray"),
        ("once the mug is in your grip, set it on the tray", "put", "mug", "tray"),
        ("the mug should be on the tray, shouldn't it?", "put", "mug", "tray"),
        ("stand the mug on the tray", "put", "mug", "tray"),
        ("lift the mug and leave it on the tray", "put", "mug", "tray"),
        ("put the remaining mug on the tray", "put", "mug", "tray"),
        ("can you see to it that the mug lands on the tray?", "put", "mug", "tray"),
        ("you have my permission to put the mug on the tray", "put", "mug", "tray"),
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
        ("lift mug from shelf and set on tray", "in", ("shelf",), False),
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


KITCHEN = {
    "wine bottle": ("bottle", "wine", "liquor", "alcohol"), "bowl": ("soup bowl", "basin"),
    "plate": ("platter",),
    "cabinet": ("wooden cabinet", "cupboard", "storage unit"), "rack": ("wine rack", "shelf"),
    "cream cheese": ("cheese", "cheese spread", "dairy"),
}  # fmt: skip


@pytest.fixture(scope="module")
def kitchen():
    return NamedThings(KITCHEN, load_sentence_parser(), ("cabinet", "rack"))


@pytest.mark.parametrize(
    ("text", "target", "reference"),
    [
        ("put the alcoholic drink on the rack", "wine bottle", "rack"),
        ("could you move the glass flask of wine onto the wooden furniture", "wine bottle",
         "cabinet"),
        ("the spread should be in the bowl", "cream cheese", "bowl"),
        ("put the bowl that is used for breakfast on the plate", "bowl", "plate"),
        ("lift the bowl so that it ends up resting on the plate", "bowl", "plate"),
    ],
)  # fmt: skip
def test_a_phrase_that_is_no_name_means_the_thing_that_it_is_nearest_to(
    kitchen, text, target, reference
):
    read = kitchen.read(text)
    assert not read.problem
    (step,) = read.steps
    assert (step.target.noun, step.reference.noun) == (target, reference)


@pytest.mark.parametrize(
    "thing", ["wrench", "beer", "frying pan", "mozzarella", "zebra", "teapot", "spoon", "chair"]
)
def test_the_name_of_another_thing_means_none(kitchen, thing):
    read = kitchen.read(f"put the {thing} on the plate")
    assert read.problem
    assert not read.steps


@pytest.mark.parametrize(
    "text",
    [
        "pick up the apple from the plate", "don't touch the bowl until it is on the plate",
        "do not move the bowl so that it is on the plate", "when you take the bowl, be careful",
        "is it okay to put the bowl on the rack?",
        "make sure the bowl is not on the plate",
    ],
)  # fmt: skip
def test_more_words_do_not_make_a_request_of_what_is_none(kitchen, text):
    read = kitchen.read(text)
    assert read.problem, read.steps


def test_two_things_are_two_steps(things):
    read = things.read("put the mug on the tray and then put the screwdriver in the toolbox")
    assert [(step.target.noun, step.reference.noun) for step in read.steps] == [
        ("mug", "tray"), ("screwdriver", "toolbox"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "is the mug on the tray", "do not put the mug on the tray", "put the mug",
        "put the hammer in the toolbox", "the weather is nice", "put the mug not on the tray",
        "put the mug on the tray and not in the toolbox", "what if you put the mug on the tray",
        "put the mug between the tray and the toolbox", "",
        "put the mug on the tray " * 30, "put the mug on the \u017fhelf", "the tray (mug) [a-z]+",
    ],
)  # fmt: skip
def test_what_asks_for_nothing_that_can_be_done_has_a_problem_and_no_steps(things, text):
    read = things.read(text)
    assert read.problem
    assert not read.steps


def test_a_problem_names_the_thing_and_not_the_word_that_stood_for_it(things):
    for text in ("put the hammer in the toolbox", "wash the mug on the tray"):
        problem = things.read(text).problem.replace(text, "")
        assert problem
        said = set(problem.replace("'", " ").split())
        assert not {"lemon", "bread", "cube", "bin", "bowl", "plate"} & said


def test_words_that_could_stand_for_a_thing_stand_for_none_where_the_sentence_says_them(things):
    for text in (
        "put the lemon in the toolbox and the mug on the tray",
        "pick up the lemon next to the mug and put it in the toolbox",
    ):
        read = things.read(text)
        nouns = [(step.target.noun, step.reference.noun) for step in read.steps]
        assert read.problem or nouns == [("mug", "tray")], nouns
