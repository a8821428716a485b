"""What a policy is told of instructions between two questions."""

import queue

import numpy as np
import pytest

from vlm_robot_ros.inference.worker import InferenceRequest, InferenceWorker
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import HoldPolicy

POSE = np.array([0.5, 0.0, 0.3, 0.0, 1.0, 0.0, 0.0])


class Diary(HoldPolicy):
    """Notes what it is told."""

    def __init__(self):
        self.told = []

    def reset(self):
        """Note it."""
        self.told.append("reset")

    def next_instruction(self):
        """Note it."""
        self.told.append("next")

    def infer(self, observation):
        """Note it."""
        self.told.append("infer")
        return super().infer(observation)


class Asker:
    """Asks a policy about instructions by their numbers."""

    def __init__(self):
        self.policy, self._answers = Diary(), queue.Queue()
        self.worker = InferenceWorker(self.policy, lambda *answer: self._answers.put(answer))

    def ask(self, number):
        """Return what the policy was told for this question."""
        self.policy.told = []
        self.worker.submit(InferenceRequest(Observation({}, POSE, 1.0, "go"), 0.0, number))
        self._answers.get(timeout=10.0)
        return self.policy.told


@pytest.fixture
def asker():
    asker = Asker()
    yield asker
    asker.worker.stop()


def test_the_first_question_comes_after_a_reset(asker):
    assert asker.ask(4) == ["reset", "infer"]


def test_the_same_instruction_is_no_other_one(asker):
    asker.ask(1)
    assert asker.ask(1) == ["infer"]


def test_the_next_instruction_is_told_once(asker):
    asker.ask(1)
    assert asker.ask(2) == ["next", "infer"]


def test_an_instruction_after_others_that_it_was_not_asked_about_is_told_twice(asker):
    asker.ask(1)
    assert asker.ask(3) == ["next", "next", "infer"]
    assert asker.ask(30) == ["next", "next", "infer"]


def test_numbers_that_begin_again_are_other_instructions(asker):
    asker.ask(5)
    assert asker.ask(1) == ["next", "next", "infer"]


def test_an_interruption_before_the_first_question_changes_nothing(asker):
    asker.worker.interrupt()  # before the first
    asker.ask(1)
    assert asker.ask(2) == ["next", "infer"]


def test_an_instruction_after_a_stop_is_told_twice(asker):
    asker.ask(1)
    asker.worker.interrupt()
    assert asker.ask(1) == ["infer"]
    assert asker.ask(2) == ["next", "next", "infer"]
    assert asker.ask(3) == ["next", "infer"]
