"""When a policy is asked, and its answers, in a thread of its own about the newest observation."""

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from vlm_robot_ros.interfaces.action import ActionChunk, validate_chunk
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import Policy, hold_chunk

_ANSWER_TIMEOUT_S = 1.0
"""After this time without a chunk to execute the arm holds for the policy [s]."""

_EARLY = 0.01
"""Part of a step by which an observation may be early and is in time."""
_MOST_TOLD = 2
"""How often at most a policy is told of instructions between two questions: one, or several."""
_LONGEST_TEXT = 600
"""Characters of an error that are told with each action."""


@dataclass(frozen=True)
class InferenceRequest:
    """What a policy is asked."""

    observation: Observation
    stamp: float
    """Of the camera frame [s]."""
    number: int
    """Of the instruction; a new one makes the policy forget the old."""
    source: object = None
    """Whatever the asker wants to have with the answer."""


def run_inference(policy: Policy, question: InferenceRequest, before: int) -> ActionChunk:
    """Return a policy's answer; where it fails, a hold that says so.

    Args:
        policy: Anybody's code.
        question: What it is asked.
        before: Number of the instruction that it was asked about before; negative when it is to
            forget everything first.
    """
    try:
        if before < 0:
            policy.reset()
        for _ in range(min(abs(question.number - before), _MOST_TOLD) if before >= 0 else 0):
            policy.next_instruction()
        return validate_chunk(policy.infer(question.observation))
    except Exception as error:
        return _failure(question, error)


def _failure(question: InferenceRequest, error: Exception) -> ActionChunk:
    text = f"the policy failed: {error!r}"[:_LONGEST_TEXT]
    return hold_chunk(question.observation, 0.1, HoldReason(HoldCode.POLICY_UNAVAILABLE, text))


class InferenceWorker:
    """Hands answers to `answer(question, chunk, seconds)`, called in its own thread.

    A question that comes meanwhile replaces one that waits. A policy is anybody's code: where it
    or its answer fails, the answer is a hold that says so.
    """

    def __init__(
        self,
        policy: Policy,
        answer: Callable[[InferenceRequest, ActionChunk, float], None],
        begin: Callable[[], object] = lambda: None,
    ) -> None:
        """Start the thread, which calls `begin()` first."""
        self._policy = policy
        self._answer = answer
        self._begin = begin
        self._question: InferenceRequest | None = None
        self._stopping = self._interrupted = False
        self._began: float | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="policy", daemon=True)
        self._thread.start()

    def submit(self, question: InferenceRequest) -> None:
        """Ask the newest question."""
        with self._changed:
            self._question = question
            self._changed.notify()
        time.sleep(0)  # the other thread goes on now, not when this one next waits for something

    @property
    def problem(self) -> HoldReason:
        """Why there is no chunk: the policy takes long to answer; empty when it does not."""
        began = self._began
        took = 0.0 if began is None else time.perf_counter() - began
        if took <= _ANSWER_TIMEOUT_S:
            return MAY_MOVE
        text = f"the policy has not answered for {took:.0f} s"
        return HoldReason(HoldCode.POLICY_UNAVAILABLE, text)

    def interrupt(self) -> None:
        """Take note that the next instruction follows nothing that the policy knows."""
        with self._changed:
            self._interrupted = True

    def stop(self) -> None:
        """Drop what waits and end the thread; what is thought about has a second to finish."""
        with self._changed:
            self._stopping, self._question = True, None
            self._changed.notify()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        self._begin()
        number = -1
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._question is not None)
                if self._stopping:
                    return
                question, self._question = self._question, None
                assert question is not None
                if self._interrupted and question.number != number:
                    number, self._interrupted = number - (number > 0), False
            self._began = begun = time.perf_counter()
            chunk = run_inference(self._policy, question, number)
            number = question.number
            if self._stopping:
                return
            try:
                self._answer(question, chunk, time.perf_counter() - begun)
            except Exception as error:
                failed = _failure(question, error)
                with suppress(Exception):  # whatever happens, this thread goes on
                    self._answer(question, failed, time.perf_counter() - begun)
            self._began = None


class InferenceSchedule:
    """Asks at every observation, or again only when some steps of the last chunk are over.

    A policy that draws its actions at random dithers between equally good ways where it is asked
    too often, and one that thinks long is asked about nothing old if it is asked one thing at a
    time.
    """

    def __init__(self, replan_steps: int = -1, of_policy: int = 0) -> None:
        """Make a schedule.

        Args:
            replan_steps: Steps of a chunk after which the policy is asked again; 0: it is asked
                at every observation; negative: as `of_policy` says.
            of_policy: What the policy wants.
        """
        self._replan_steps = of_policy if replan_steps < 0 else replan_steps
        self.reset()

    def reset(self) -> None:
        """Ask at the next observation."""
        self._asked = -1
        """Number of the instruction that the policy thinks about; negative when it does not."""
        self._planned, self._planned_at, self._due = -1, -math.inf, -math.inf
        """Number of the instruction of the last chunk, when what it answers was seen, and when to
        ask again [s]."""

    def is_due(self, stamp: float, number: int, has_chunk: bool) -> bool:
        """Tell whether to ask about an observation.

        Args:
            stamp: Of the observation [s].
            number: Of the instruction.
            has_chunk: Whether there is a chunk to execute meanwhile.
        """
        if not self._replan_steps:
            return True
        if number == self._asked:
            return False
        return (
            not has_chunk
            or number != self._planned
            or stamp >= self._due
            or stamp < self._planned_at
        )

    def on_request(self, number: int) -> None:
        """Take that the policy is asked about instruction `number`."""
        self._asked = number

    def on_chunk(self, chunk: ActionChunk, number: int, stamp: float) -> None:
        """Take the answer about instruction `number` and an observation of time `stamp`."""
        if number == self._asked:
            self._asked = -1
        steps = min(self._replan_steps, len(chunk.values))
        self._planned, self._planned_at = number, stamp
        self._due = stamp + (steps - _EARLY) * chunk.step_dt
