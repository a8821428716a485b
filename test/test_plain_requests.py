"""Requests in many words, said in few."""

import re

import pytest

from vlm_robot_ros.policies.transfer.noun_phrases import noun_phrases, with_determiners
from vlm_robot_ros.policies.transfer.plain_requests import (
    plain_request,
    without_courtesy,
    without_descriptions,
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("is it possible for you to move the mug to the tray?", "move the mug to the tray"),
        ("do you think you could put the mug on the tray?", "put the mug on the tray"),
        ("you may put the mug on the tray", "put the mug on the tray"),
        ("lift the mug so that it ends up resting on the tray",
         "lift the mug and put it on the tray"),
        ("after picking it up, put the mug on the tray", "put the mug on the tray"),
        ("once you have picked up the mug, put it on the tray",
         "pick up the mug and put it on the tray"),
        ("carefully pick up the mug and set it down gently on the tray",
         "pick up the mug and set it down on the tray"),
        ("put it right in the middle of the tray", "put it in the tray"),
        ("take the mug that is standing on the table to the tray", "take the mug to the tray"),
        ("stand the mug on the shelf", "put the mug on the shelf"),
        ("it would be great if the mug were moved to the tray",
         "the mug should be moved to the tray"),
        ("make sure the mug is on the tray", "the mug should be on the tray"),
    ],
)  # fmt: skip
def test_courtesy_manner_and_clauses_are_left_out(text, plain):
    assert plain_request(without_courtesy(text)) == plain


@pytest.mark.parametrize(
    "text",
    [
        "it would be bad if the mug were on the tray", "can you see the mug?",
        "is it possible?", "are you able to lift the mug?",
        "put the mug on the table", "take the mug from the table centre to the tray",
        "when I take the plate, put the mug on the tray",
        "don't put the mug on the tray", "is the mug on the tray?", "put the mug back in the box",
        "after dinner, put the mug on the tray", "when you grab the mug, wait for me",
        "leave the mug until it is on the tray", "is it okay to put the mug on the tray?",
        "put the bowl by the side of the plate", "put the mug on the right on the tray",
        "put the mug at the center of the table", "move the mug from the table mat to the tray",
    ],
)  # fmt: skip
def test_what_means_something_else_without_it_stays(text):
    assert plain_request(without_courtesy(text)) == text


def test_descriptions_are_left_out_unless_they_name_a_thing():
    names = re.compile("shelf|mug|tray")
    text = "put the mug that is used for tea on the tray"
    assert without_descriptions(text, names) == "put the mug on the tray"
    text = "put the mug, the blue one with a handle, on the tray"
    assert without_descriptions(text, names) == "put the mug on the tray"
    for kept in (
        "put the mug that is on the shelf on the tray",
        "take the mug that you see and put it on the tray",
        "pick up the bowl that isn't big and is on the tray",
    ):
        assert without_descriptions(kept, names) == kept


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("put the glass flask of wine on the tall furniture", ["glass flask of wine",
                                                               "tall furniture"]),
        ("the alcoholic drink should be moved to the stand", ["alcoholic drink", "stand"]),
        ("push it to the front of the cooking appliance", ["cooking appliance"]),
        ("put it on the table", []), ("take a picture of it", []),
        ("pick up the pen from the cup", ["pen", "cup"]), ("pick up the other mug", ["mug"]),
        ("pick up the lid of the moka pot", ["lid", "moka pot"]),
        ("push the red mug left", ["red mug"]), ("put the mug before the bowl", ["mug", "bowl"]),
        ("stop", []),
    ],
)  # fmt: skip
def test_phrases_that_may_name_things_are_found(text, phrases):
    assert [text[start:end] for start, end in noun_phrases(text)] == phrases


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("put apple on plate", "put the apple on the plate"),
        ("pick up screwdriver", "pick up the screwdriver"),
        ("please push coffee mug left", "please push the coffee mug left"),
        ("pick up fork and put it in drawer", "pick up the fork and put it in the drawer"),
        ("place spoon in front of bowl", "place the spoon in front of the bowl"),
        ("put it down", "put it down"),
        ("move forward", "move forward"),
        ("go home", "go home"),
        ("stop", "stop"),
        ("put the apple on plate", "put the apple on plate"),
    ],
)
def test_terse_requests_get_the_words_that_they_lack(text, whole):
    assert with_determiners(text) == whole
