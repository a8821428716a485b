"""The steps of an instruction, one after the other, and what corrections make of them."""

from collections.abc import Callable, Sequence

from vlm_robot_ros.interfaces.action import StepInfo
from vlm_robot_ros.interfaces.hold import HoldCode, HoldReason
from vlm_robot_ros.interfaces.instruction import MIN_PACE
from vlm_robot_ros.language.interpretation import Interpretation
from vlm_robot_ros.language.replies import describe_step, what_to_ask, why_hold
from vlm_robot_ros.language.task_spec import ANY, ObjectReference, TaskSpec
from vlm_robot_ros.policies.grounded.object_detection import DetectedObject
from vlm_robot_ros.policies.grounded.reference_resolution import (
    AmbiguousReference,
    is_resolved,
    resolve_steps,
)
from vlm_robot_ros.policies.grounded.task_state import (
    TaskState,
    adjusted,
    displacement,
    undone,
)
from vlm_robot_ros.policies.sentence_parsing import ParsedSentence, SentenceParser

_PACE_OF: dict[str, float] = {"slower": 0.5, "faster": 2.0}
_NOTHING = "there is no instruction to be corrected"


class Program:
    """What is to be done, step by step; the last instruction is kept for corrections of it."""

    def __init__(
        self,
        parser: SentenceParser,
        refusal: Callable[[TaskSpec], str],
        any_object: bool,
        detects: bool = False,
    ) -> None:
        """Make a program without steps.

        Args:
            parser: Reads instructions.
            refusal: Returns why the policy cannot do a step that is understood; empty if it can.
            any_object: Whether to take some object where the words do not say which.
            detects: Whether somebody calls `resolve` while the program is `unresolved`.
        """
        self._parser, self._refusal, self._any_object = parser, refusal, any_object
        self._detects = detects
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._steps: list[TaskSpec] = []
        self._index = 0
        self.pace = 1.0
        """Speed that was asked for, as a part of what is allowed."""
        self._confidence = 1.0
        """How sure the steps are, 0 to 1."""
        self._instruction = self._open = ""
        """What was said last; a command whose question was not answered yet."""
        self._asked: Sequence[TaskSpec] = ()
        """The steps of that command."""
        self.unresolved = False
        """Whether only an image tells which things the steps are about."""
        self._state: TaskState | None = None
        self.before: TaskState | None = None
        """What was known of the step that the next instruction may correct."""

    def expect_instruction(self) -> None:
        """Expect another instruction; what the last one was is kept for corrections of it."""
        if self._state is not None and not self._state.problem:
            self.before = self._state
        self._state = None

    def state(self, instruction: str) -> TaskState:
        """Return what is known of the step that runs, of an instruction that may be new."""
        if self._state is None:
            self._state = self._begin(instruction)
        return self._state

    def resolve(self, seen: Sequence[DetectedObject]) -> str:
        """Settle which things all steps are about; returns what nobody can tell, or nothing.

        Args:
            seen: What is on the table, the surest first.
        """
        assert self._state is not None
        before = None if self.before is None else self.before.step
        try:
            steps = resolve_steps(self._steps, seen, before, self._any_object)
        except AmbiguousReference as question:
            self._open, self._asked = self._instruction, self._steps
            self._state.problem = HoldReason(HoldCode.POLICY_ASKS, str(question))
            return self._state.problem
        except LookupError as error:
            return str(error)
        self._steps, self._state.step, self.unresolved = steps, steps[self._index], False
        return ""

    def advance(self) -> bool:
        """Go on with the next step; returns whether there is one."""
        if self._state is None or self._state.problem:
            return False
        if self._index + 1 >= len(self._steps):
            self._state.finished = True
            return False
        self.before, self._index = self._state, self._index + 1
        self._state = self._begin_step()
        self._state.remember(self.before)
        return True

    def progress(self) -> StepInfo:
        """Return which step of how many runs."""
        if self._state is None or self._state.problem or not self._steps:
            return StepInfo()
        text = "undo: " * self._state.undoes + describe_step(self._steps[self._index])
        return StepInfo(self._index, len(self._steps), text, self._state.finished)

    def _begin(self, instruction: str) -> TaskState:
        running = self._steps[self._index] if self._index < len(self._steps) else None
        self._instruction, self.unresolved = instruction, False
        after = self._open or (describe_step(running) if running else "")
        parsed = self._parser.parse(instruction, after)
        meaning = parsed.meaning
        problem = why_hold(meaning, instruction, parsed.confidence)
        asked = "" if problem else self._question(meaning)
        steps = self._completed(meaning.steps) if self._open else meaning.steps
        answered, self._open, self._asked = self._open, asked and instruction, meaning.steps
        problem = problem or HoldReason(HoldCode.POLICY_ASKS, asked)
        if not problem:
            problem = next(filter(None, map(self._refusal, steps)), "")
        if problem:
            return TaskState(TaskSpec(""), problem)
        if meaning.act == "command" or answered:
            self._take(steps)
            return self._begin_step(parsed)
        return self._correct(meaning, parsed)

    def _completed(self, answer: Sequence[TaskSpec]) -> Sequence[TaskSpec]:
        """Return the steps of the command that was asked about, with the one that is answered."""
        if len(answer) != 1 or len(self._asked) < 2:
            return answer
        for number, step in enumerate(self._asked):
            is_open = what_to_ask(Interpretation("command", (step,))) or not is_resolved(step)
            if is_open and step.skill.split()[0] == answer[0].skill.split()[0]:
                return (*self._asked[:number], answer[0], *self._asked[number + 1 :])
        return answer

    def _question(self, meaning: Interpretation) -> str:
        steps = [
            step
            for step in meaning.steps
            if not (
                self._any_object
                and ObjectReference(ANY, "object") in (step.target, step.reference)
            )
        ]
        return what_to_ask(Interpretation(meaning.act, tuple(steps)))

    def _take(self, steps: Sequence[TaskSpec], rest: Sequence[TaskSpec] = ()) -> None:
        self._steps, self._index = [*steps, *rest], 0
        known = len(self._steps) < 2 and all(map(is_resolved, self._steps))
        self.unresolved = self._detects and not known

    def _begin_step(self, parsed: ParsedSentence | None = None) -> TaskState:
        step = self._steps[self._index]
        if parsed is not None:
            self._confidence = parsed.confidence
        state = TaskState(step, confidence=self._confidence)
        state.nudge = displacement(step)
        if parsed is not None and len(self._steps) == 1:
            state.unknown_word = parsed.unknown_words
        return state

    def _correct(self, meaning: Interpretation, parsed: ParsedSentence) -> TaskState:
        """Return the state to go on with after a correction of the running step."""
        before, rest = self.before, self._steps[self._index + 1 :]
        if before is None or not self._steps:
            return TaskState(TaskSpec(""), _NOTHING)
        if meaning.effect == "cancel":
            self._take(())
            return TaskState(before.step, f"I leave it: {describe_step(before.step)} is cancelled")
        if meaning.effect in ("continue", "slower", "faster"):
            self.pace = min(1.0, max(MIN_PACE, self.pace * _PACE_OF.get(meaning.effect, 1.0)))
            return before
        if meaning.effect == "undo":
            self._steps, self._index = [before.step], 0
            state = undone(before)
            state.undoes = True
            return state
        if meaning.effect == "adjust":
            self._steps, self._index = [*meaning.steps, *rest], 0
            return adjusted(before, self._steps[0])
        if meaning.effect == "add" and meaning.steps[0] == before.step:
            self._steps[self._index + 1 :] = [*meaning.steps[1:], *rest]
            return before
        self._take(meaning.steps, rest if rest and self._keeps_rest(meaning) else ())
        state = self._begin_step(parsed)
        if state.step.skill.startswith("turn") and before.step.skill.startswith("turn"):
            state.is_straight = before.grip_yaw
        return state

    def _keeps_rest(self, meaning: Interpretation) -> bool:
        """Tell whether a correction changes the running step only, so that the later ones stay.

        What is a whole command without the one before is a new instruction.
        """
        if meaning.effect != "replace":
            return meaning.effect == "repeat"
        alone = self._parser.parse(self._instruction).meaning
        return alone.act != "command" or alone.is_open or alone.steps != meaning.steps
