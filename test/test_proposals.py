"""Sentences that may be requests: what the arm proposes, and what counts as a yes."""

import numpy as np
import pytest

from vlm_robot_ros.interfaces.hold import HoldCode, HoldReason
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.policies.sentence_parsing import load_sentence_parser
from vlm_robot_ros.policies.transfer.named_things import NamedThings
from vlm_robot_ros.policies.transfer.policy import TransferPolicy
from vlm_robot_ros.policies.transfer.proposals import agrees
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.libero.suites import contract_of

NAMES = {"mug": ("coffee mug",), "tray": (), "shelf": (), "fork": ()}


@pytest.fixture(scope="module")
def things():
    return NamedThings(NAMES, load_sentence_parser(), fixed=("shelf",))


@pytest.mark.parametrize(
    ("text", "proposal"),
    [
        ("Is the  mug\ton the tray yet?", "Shall I put the mug on the tray?"),
        ("Is the left mug on the tray yet?", "Shall I put the left mug on the tray?"),
        ("Shouldn\N{RIGHT SINGLE QUOTATION MARK}t there be a mug on that tray?",
         "Shall I put the mug on the tray?"),
        ("Is the mug on the tray yet?", "Shall I put the mug on the tray?"),
        ("Why is the mug next to the fork and not on the shelf?",
         "Shall I put the mug next to the fork on the shelf?"),
        ("Wouldn't the fork look nicer on that tray?", "Shall I put the fork on the tray?"),
        ("Why am I looking at a tray with no mug on it?", "Shall I put the mug on the tray?"),
        ("Will the mug ever be to the left of the fork?",
         "Shall I put the mug to the left of the fork?"),
        ("There is room for the mug on the shelf.", "Shall I put the mug on the shelf?"),
        ("Isn't the tray where the fork lives?", "Shall I put the fork on the tray?"),
        ("The mug isn't on the tray.", "Shall I put the mug on the tray?"),
        ("The mug still hasn't made its way onto the shelf.", "Shall I put the mug on the shelf?"),
        ("I see that there's no fork on the tray.", "Shall I put the fork on the tray?"),
        ("The tray has no fork on it.", "Shall I put the fork on the tray?"),
        ("The fork seems to be missing from the tray.", "Shall I put the fork on the tray?"),
        ("Did you put the mug on the tray already?", "Shall I put the mug on the tray?"),
        ("Did the mug get onto the tray yet?", "Shall I put the mug on the tray?"),
        ("I thought the mug was on the tray.", "Shall I put the mug on the tray?"),
        ("There is no problem with putting the mug on the shelf.",
         "Shall I put the mug on the shelf?"),
    ],
)  # fmt: skip
def test_what_may_be_a_request_is_proposed(things, text, proposal):
    read = things.read(text)
    assert read.problem.endswith(proposal)
    assert read.proposed
    assert not read.steps


@pytest.mark.parametrize(
    "text",
    [
        "The mug is on the tray.",
        "The mug is on the tray already",
        "Who put the mug on the tray?",
        "Did anybody put the mug on the shelf?",
        "What colour is the mug next to the tray?",
        "Yesterday the mug stood on the shelf.",
        "I'll put the mug on the tray myself.",
        "Never put the mug on the shelf!",
        "put the mug not on the tray",
        "Don't put the mug on the tray.",
        "Put the mug down, but not on the tray",
        "Please do not put the mug on the shelf.",
        "The mug should not be on the tray.",
        "I wish the mug was not on the tray.",
        "Is it safe to put the fork on the tray yet?",
        "Is the shelf on the tray?",
        "Is it raining?",
        "How heavy is the mug on the tray?",
        "Are the mug, the fork and the tray in my way on the shelf?",
        "Would you please not put the mug on the tray?",
        "You should never put the mug on the tray",
        "I told you not to put the mug on the shelf",
        "I don't want the mug on the tray",
        "It is not a good idea to put the mug on the tray",
        "No mug on the tray, please",
        "Hands off the mug on the tray",
        "The mug can't stay on the tray",
        "Why is the mug still on the tray?",
        "Why did you put the mug on the tray?",
        "The mug on the tray is broken",
        "There's no need to put the mug on the tray",
        "There is no reason for the mug to be on the tray.",
        "The mug is not going on the tray.",
        "I am not putting the mug on the tray.",
        "I do mind if you put the mug on the tray.",
        "I would mind if the mug was on the tray.",
        "I object to the mug being put on the tray.",
        "I'd hate to see the mug on the tray.",
        "It would be bad if the mug were on the tray.",
        "The mug should stay on the tray.",
        "Leave the mug on the tray.",
        "Keep the mug on the tray.",
        "Let the mug stay next to the tray.",
        "The mug stays put, and so does the fork on the tray.",
        "I changed my mind, the mug doesn't need to go on the tray.",
        "Forget what I said about the mug on the tray.",
        "I was only joking when I said the mug belongs on the tray.",
        "The mug is exactly where it ought to be, on the tray.",
        "The mug on the tray is empty.",
        "Do you know whether the mug fits on the tray?",
        "Is it true that a mug should be on the tray?",
        "Anyone who puts a mug on the tray is wrong.",
        "There is a problem with putting the mug on the tray.",
        "I thought I told you not to put the mug on the tray",
        "Did anyone see the mug on the tray yesterday?",
        "Who was missing from the tray, the mug?",
        "There is a mug on the tray",
        "I like the mug on the tray",
        "Can you see the mug on the tray?",
        "Has anyone put the mug on the tray?",
        "Thank you for putting the mug on the tray",
        "I hope the mug is not on the tray yet",
        "The mug is too big for the tray",
        "Smash the mug on the shelf",
        "Is the spoon by the mug on the tray yet?",
        "Is the lid of the mug on the tray yet?",
        "Is the soup under the mug on the tray?",
        "Is the mug close to the tray yet?",
        "Is the mug \N{LATIN SMALL LETTER DOTLESS I}n the tray yet?",
        "I usually prefer the mug on the shelf",
    ],
)
def test_what_asks_for_something_else_is_not_proposed(things, text):
    read = things.read(text)
    assert read.problem
    assert not read.proposed


def test_what_nobody_knows_how_to_do_is_not_replaced_by_something_else(things):
    assert things.read("Vacuum the mug on the shelf").problem == "I do not know how to do 'Vacuum'"


def test_what_is_not_there_is_not_left_out_of_a_proposal(things):
    there = things.among({"mug", "tray"})
    assert there.read("Is the mug on the tray yet?").proposed
    assert not there.read("Is the mug or the fork on the tray yet?").proposed
    assert not there.read("Is the mug next to the fork on the tray yet?").proposed


@pytest.mark.parametrize("text", ["yes", "Yes, please!", "yeah do it", "go ahead", "oh yes",
                                  "Please do", "yes robot, go ahead", "okay, yes",
                                  "do it now"])  # fmt: skip
def test_a_yes_agrees(text):
    assert agrees(text)


@pytest.mark.parametrize("text", ["no", "please", "ok", "sure", "not yes", "yes and no", "yes?",
                                  "don't do it", "", "yes, but not now", "do it later", "thanks",
                                  "yesterday", "maybe", "do not go ahead", "do it?", "of course",
                                  "yes \N{CJK UNIFIED IDEOGRAPH-4E0D}",
                                  "yes \U0001f44e"])  # fmt: skip
def test_what_is_no_yes_does_not_agree(text):
    assert not agrees(text)


class Reader:
    """Reads with given things, and sees nothing."""

    cameras = ()

    def __init__(self, things):
        self._things = things

    def reset(self):
        """Nothing is kept."""

    def read(self, text, observation):
        """Read as all scenes do."""
        return self._things.read(text)

    def look(self, observation, nouns):
        """Tell what is looked for."""
        raise LookupError(f"looking for the {' and the '.join(nouns)}")


class Talk:
    """A policy that is talked to."""

    def __init__(self, things):
        self.policy = TransferPolicy(
            _NoHead(), Reader(things), load_robot(contract_of("goal")), "cpu"
        )

    def say(self, text, time=0.0):
        """Return why the arm holds."""
        self.policy.next_instruction()
        pose = np.array([0.5, 0.0, 0.3, 0.0, 1.0, 0.0, 0.0])
        self.hold = self.policy.infer(Observation({}, pose, 1.0, text, np.zeros(7), time)).hold
        return self.hold


class _NoHead:
    def to(self, device):
        return self


@pytest.fixture
def talk(things):
    return Talk(things)


def test_a_yes_does_what_was_proposed(talk):
    assert talk.say("Is the mug on the tray yet?") == "Shall I put the mug on the tray?"
    assert talk.hold.code is HoldCode.POLICY_PROPOSES
    assert talk.say("yes please") == "looking for the mug and the tray"
    assert not isinstance(talk.hold, HoldReason)


def test_a_yes_that_is_said_again_goes_on(talk):
    talk.say("Is the mug on the tray yet?")
    talk.say("yes")
    assert talk.say("yes") == "looking for the mug and the tray"
    talk.say("what a lovely day")
    assert "looking" not in talk.say("yes")


def test_a_yes_after_what_the_policy_was_not_asked_about_does_nothing(talk):
    talk.say("Is the mug on the tray yet?")
    talk.policy.next_instruction()  # a stop, or what came while it was busy
    assert "looking" not in talk.say("yes")


def test_a_yes_from_before_the_question_does_nothing(talk):
    talk.say("Is the mug on the tray yet?", 100.0)
    assert "looking" not in talk.say("yes", 3.0)


def test_a_yes_to_something_else_does_nothing(talk):
    talk.say("Is the mug on the tray yet?")
    talk.say("what a lovely day")
    assert "looking" not in talk.say("yes")


def test_a_yes_that_comes_late_does_nothing(talk):
    talk.say("Is the mug on the tray yet?", 0.0)
    assert "looking" not in talk.say("yes", 61.0)


def test_a_no_does_nothing(talk):
    talk.say("Is the mug on the tray yet?")
    assert "looking" not in talk.say("no")


def test_a_yes_after_a_reset_does_nothing(talk):
    talk.say("Is the mug on the tray yet?")
    talk.policy.reset()
    assert "looking" not in talk.say("yes")
