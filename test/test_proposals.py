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
        ("Is the mug on the tray yet?", "Shall I put the mug on the tray?"),
        ("Why is the mug next to the fork and not on the shelf?",
         "Shall I put the mug next to the fork on the shelf?"),
        ("Wouldn't the fork look nicer on that tray?", "Shall I put the fork on the tray?"),
        ("Why am I looking at a tray with no mug on it?", "Shall I put the mug on the tray?"),
        ("Will the mug ever be to the left of the fork?",
         "Shall I put the mug to the left of the fork?"),
        ("There is room for the mug on the shelf.", "Shall I put the mug on the shelf?"),
        ("Isn't the tray where the fork lives?", "Shall I put the fork on the tray?"),
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
        "Put the mug down, but not on the tray",
        "Please do not put the mug on the shelf.",
        "The mug should not be on the tray.",
        "I wish the mug was not on the tray.",
        "Is it safe to put the fork on the tray yet?",
        "Is the shelf on the tray?",
        "Is it raining?",
        "How heavy is the mug on the tray?",
        "Are the mug, the fork and the tray in my way on the shelf?",
    ],
)
def test_what_asks_for_something_else_is_not_proposed(things, text):
    read = things.read(text)
    assert read.problem
    assert not read.proposed


def test_what_was_not_understood_is_told_with_the_proposal(things):
    problem = things.read("Vacuum the mug on the shelf").problem
    assert problem == "I do not know how to do 'Vacuum'. Shall I put the mug on the shelf?"


@pytest.mark.parametrize("text", ["yes", "Yes, please!", "yeah do it", "go ahead", "Sure.",
                                  "Please do", "yes robot, go ahead"])  # fmt: skip
def test_a_yes_agrees(text):
    assert agrees(text)


@pytest.mark.parametrize("text", ["no", "please", "ok", "not yes", "yes and no", "don't do it", "",
                                  "yes, but not now", "do it later", "thanks", "yesterday",
                                  "maybe", "do not go ahead"])  # fmt: skip
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
    assert talk.hold.code is HoldCode.POLICY_ASKS
    assert talk.say("yes please") == "looking for the mug and the tray"
    assert not isinstance(talk.hold, HoldReason)


def test_a_yes_counts_once(talk):
    talk.say("Is the mug on the tray yet?")
    talk.say("yes")
    assert "looking" not in talk.say("yes")


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
