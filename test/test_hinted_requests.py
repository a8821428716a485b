"""Questions and statements that ask for something without saying what to do."""

import pytest

from vlm_robot_ros.policies.sentence_parsing import load_sentence_parser
from vlm_robot_ros.policies.transfer.named_things import NamedThings

NAMES = {"mug": ("coffee mug",), "tray": (), "shelf": (), "fork": ()}


@pytest.fixture(scope="module")
def things():
    return NamedThings(NAMES, load_sentence_parser(), fixed=("shelf",))


@pytest.mark.parametrize(
    ("text", "target", "reference"),
    [
        ("Isn't the mug supposed to be on the tray?", "mug", "tray"),
        ("why is the mug still not on the shelf?", "mug", "shelf"),
        ("Has the fork made it onto the tray yet?", "fork", "tray"),
        ("when will the mug finally be on the shelf?", "mug", "shelf"),
        ("Shouldn't the coffee mug be on the tray by now?", "mug", "tray"),
        ("The tray is still missing the mug.", "mug", "tray"),
        ("The mug belongs on the shelf.", "mug", "shelf"),
        ("the mug isn't on the tray yet", "mug", "tray"),
        ("The tray is waiting for the fork", "fork", "tray"),
        ("the mug's place is on the shelf", "mug", "shelf"),
        ("the shelf is where the mug belongs", "mug", "shelf"),
        ("It's high time the mug was on the tray", "mug", "tray"),
        ("I think the tray looks empty without the mug on it.", "mug", "tray"),
    ],
)
def test_a_wish_is_a_request(things, text, target, reference):
    read = things.read(text)
    assert not read.problem
    (step,) = read.steps
    assert (step.skill, step.target.noun, step.reference.noun) == ("put", target, reference)


@pytest.mark.parametrize(
    "text",
    [
        "Is the mug on the tray?",
        "Where is the mug, on the tray or on the shelf?",
        "How heavy is the mug on the tray?",
        "Why is the mug on the tray?",
        "The mug is on the tray.",
        "The mug was on the tray yesterday.",
        "Who put the mug on the shelf?",
        "Would the mug break if it fell off the shelf?",
        "Did my sister ever put the mug on the shelf?",
        "Is it safe to put the fork on the tray yet?",
        "Never mind that the mug isn't on the tray yet.",
        "Don't put the mug on the tray.",
        "The mug should not be on the tray.",
        "The mug doesn't belong on the tray.",
        "The mug isn't on the tray.",
        "There is no mug on the tray.",
        "The tray has no mug on it.",
        "Tomorrow the mug belongs on the tray.",
        "The other robot is the one that puts the mug on the tray.",
        "I prefer the mug to anything on the tray.",
        "The tray is missing.",
        "The shelf is waiting for the paint to dry.",
    ],
)
def test_what_tells_or_asks_how_things_are_is_none(things, text):
    read = things.read(text)
    assert read.problem
    assert not read.steps


def test_what_stands_fast_is_not_carried(things):
    assert things.read("isn't the shelf supposed to be on the tray?").problem


@pytest.mark.parametrize(
    ("there", "text", "noun"),
    [
        (("bowl", "stove"), "put the container on the appliance", "bowl"),
        (("basket", "soup"), "put the tin in the container", "soup"),
        (("bowl", "basket"), "put the container on the stove", ""),
        (("bowl", "stove"), "put the wardrobe on the stove", ""),
    ],
)
def test_a_general_word_means_the_only_thing_of_its_kind_that_is_there(there, text, noun):
    names = {name: () for name in ("bowl", "basket", "stove", "soup")}
    reader = NamedThings(names, load_sentence_parser(), fixed=("stove",))
    read = reader.among(there).read(text)
    assert (read.steps[0].target.noun if read.steps else "") == noun
