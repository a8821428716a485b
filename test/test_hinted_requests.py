"""Questions and statements that ask for something without saying what to do."""

import time

import pytest

from vlm_robot_ros.policies.sentence_parsing import load_sentence_parser
from vlm_robot_ros.policies.transfer.hinted_requests import hinted_request
from vlm_robot_ros.policies.transfer.mentions import MentionFinder
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
        ("how about putting the fork on the tray?", "fork", "tray"),
        ("Isn't it time to put the fork on the tray?", "fork", "tray"),
        ("Shouldn't the mug be put back on the tray?", "mug", "tray"),
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
        "Has the fork made it onto the tray yet?",
        "Is the mug on the tray yet?",
        "Isn't the mug on the tray?",
        "Shouldn't the mug be removed from the tray?",
        "Shouldn't the mug be taken away from the tray?",
        "Shouldn't the mug go under the shelf?",
        "Why haven't you removed the mug at the shelf yet?",
        "What is the mug still doing on the tray?",
        "Why is the mug still on the tray?",
        "Is the mug not supposed to be on the tray?",
        "Isn't the mug forbidden on the tray?",
        "Why is the mug not allowed on the tray?",
        "Why does the mug not fit on the tray?",
        "Why should the mug not be on the tray?",
        "Wouldn't the mug shatter on the shelf?",
        "When will the mug on the tray finally be removed?",
        "How long has the mug been on the tray?",
        "Is the mug on the tray finally clean?",
        "Isn't the mug on the tray mine?",
        "I wish the mug was not on the tray",
        "It worries me that the mug is on the tray",
        "I hope the mug is not on the tray yet",
        "The tray still has a mug",
        "There must be a mug on the tray",
        "The mug was supposed to be on the tray.",
    ],
)
def test_what_tells_or_asks_how_things_are_is_none(things, text):
    read = things.read(text)
    assert read.problem
    assert not read.steps


@pytest.mark.parametrize(
    "text",
    [
        "If you are ready and the shelf is cold, put the mug on the tray",
        "If you're not busy with the mug on the shelf, put the mug on the tray",
        "When you can, put the mug on the tray, but not before I leave the room",
    ],
)
def test_a_condition_is_no_courtesy(things, text):
    assert things.read(text).problem


@pytest.mark.parametrize(
    "text",
    ["is the mug on the tray" + " right now" * 40 + " x?",
     "the mug should " + "get moved " * 40 + "on the tray x?",
     "the mug is " + "still really " * 30 + "on the tray x"],
)  # fmt: skip
def test_a_long_sentence_is_read_as_fast_as_any(text):
    begun = time.process_time()
    assert not hinted_request(text, MentionFinder(NAMES).find(text)[1])
    assert time.process_time() - begun < 1.0


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
