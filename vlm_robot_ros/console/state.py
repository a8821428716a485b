"""What the console knows, of limited size whatever is published."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from vlm_robot_ros.interfaces.action import NO_STEP, StepInfo
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION, InstructionKind
from vlm_robot_ros.runtime.instructions import MAX_LENGTH, next_instruction
from vlm_robot_ros.terminal_text import escape_unprintable

_SILENCE_S = 1.0
"""The policy node says something more often than this [s]."""
_FAULT_LIFETIME_S = 5.0
"""A fault that is not reported again goes after so long [s]."""
_FAULTS, _EPISODES, _OBJECTS = 20, 30, 30
"""How many are kept."""
_MAX_STATUSES = 100
"""Of one message of diagnostics; the rest is not looked at."""
_MAX_SHOWN_CHARACTERS = 200
"""Of labels, reasons and faults [characters]."""
_FAULT_LEVELS = (1, 2, 3)
"""Of `DiagnosticStatus`: warning, error, stale."""


class ConsoleState:
    """What is asked, understood, done and wrong. Not thread-safe."""

    def __init__(self, policy_node: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin knowing nothing.

        Args:
            policy_node: Its full name without the leading slash, as its diagnostics begin: where
                there are more faults than are kept, its own stay.
            clock: Returns the time [s].
        """
        self._node, self._clock = f"{policy_node}: ", clock
        self._known: dict[str, Any] = {
            "instruction": "", "label": "", "score": 0.0, "hold": "", "acting": False,
            "step": "", "latency_ms": None, "objects": [],
            "proposes": False,
        }  # fmt: skip
        self._faults: dict[str, tuple[float, int, str]] = {}
        """Time of the last report, level and text, by name."""
        self._episodes: deque[dict[str, Any]] = deque(maxlen=_EPISODES)
        self._heard = -math.inf

    def as_dict(self) -> dict[str, Any]:
        """Return what is known now, of plain types."""
        self._expire()
        heard = self._clock() - self._heard < _SILENCE_S
        silent = {"acting": False, "hold": "", "proposes": False}
        known = self._known if heard else {**self._known, **silent}
        faults = [
            {"name": name, "level": level, "text": text}
            for name, (_, level, text) in self._faults.items()
        ]
        episodes = [dict(episode) for episode in reversed(self._episodes)]
        return {**known, "silent": not heard, "faults": faults, "episodes": episodes}

    def on_action(
        self,
        instruction: str,
        hold: bool,
        reason: str,
        step: StepInfo = NO_STEP,
        proposes: bool = False,
    ) -> None:
        """Note an action: the instruction that it answers, whether and why it holds, its step.

        `proposes`: whether the policy holds because it asks if it shall do something.
        """
        self._heard = self._clock()
        reason = escape_unprintable(reason, _MAX_SHOWN_CHARACTERS)
        self._known["acting"], self._known["hold"] = not hold, reason
        self._known["proposes"] = hold and proposes
        shown = step.label() if step.of > 1 else ""
        self._known["step"] = escape_unprintable(shown, _MAX_SHOWN_CHARACTERS)
        if episode := self._episode_of(instruction):
            episode["moved"] |= not hold
            episode["hold"] = reason

    def on_label(self, instruction: str, label: str, score: float) -> None:
        """Note what an instruction was understood as, and how surely."""
        label = escape_unprintable(label, _MAX_SHOWN_CHARACTERS)
        self._known["label"] = label
        self._known["score"] = min(max(score, 0.0), 1.0) if math.isfinite(score) else 0.0
        if episode := self._episode_of(instruction):
            episode["label"] = label or episode["label"]

    def on_instruction(self, text: str) -> None:
        """Note a new instruction."""
        kind = next_instruction(EMPTY_INSTRUCTION, text).kind
        shown = escape_unprintable(text, MAX_LENGTH)
        self._known |= {"instruction": shown, "label": "", "score": 0.0, "step": "", "objects": []}
        if kind is not InstructionKind.EMPTY:
            self._episodes.append(
                {"instruction": shown, "label": "", "moved": False, "hold": "",
                 "task": kind is InstructionKind.TASK,
                 "success": None, "at": time.strftime("%H:%M:%S")}
            )  # fmt: skip

    def on_latency(self, percentiles: dict[str, float]) -> None:
        """Note the time from camera to action, by percentile [s]."""
        finite = all(math.isfinite(value) for value in percentiles.values())
        rounded = {name: round(1e3 * value, 1) for name, value in percentiles.items()}
        self._known["latency_ms"] = rounded if finite else None

    def on_objects(self, seen: Sequence[tuple[str, Sequence[float], float, str]]) -> None:
        """Note what is seen: phrase, size [m], score, and why the gripper does not take it."""
        self._known["objects"] = [
            {"phrase": escape_unprintable(phrase, _MAX_SHOWN_CHARACTERS),
             "size": " x ".join(f"{100 * side:.0f}" for side in size) + " cm",
             "score": round(score, 2),
             "problem": escape_unprintable(problem, _MAX_SHOWN_CHARACTERS)}
            for phrase, size, score, problem in seen[:_OBJECTS]
            if all(map(math.isfinite, (*size, score)))
        ]  # fmt: skip

    def on_diagnostics(self, statuses: Iterable[tuple[str, int, str]]) -> None:
        """Note faults, and forget those that are over.

        Args:
            statuses: Name, level and text of each.
        """
        now = self._clock()
        self._expire()
        for name, level, text in islice(statuses, _MAX_STATUSES):
            name = escape_unprintable(name, _MAX_SHOWN_CHARACTERS)
            known = self._faults.pop(name, None)
            if level not in _FAULT_LEVELS:
                continue
            if known is None and len(self._faults) >= _FAULTS and not self._make_room(name):
                continue
            self._faults[name] = now, level, escape_unprintable(text, _MAX_SHOWN_CHARACTERS)

    def on_judgement(self, success: bool) -> None:
        """Note whether the last task went well."""
        tasks = [episode for episode in self._episodes if episode["task"]]
        if tasks:
            tasks[-1]["success"] = success

    def _episode_of(self, instruction: str) -> dict[str, Any] | None:
        last = self._episodes[-1] if self._episodes else None
        same = last is not None and last["instruction"] == escape_unprintable(
            instruction, MAX_LENGTH
        )
        return last if same else None

    def _expire(self) -> None:
        oldest = self._clock() - _FAULT_LIFETIME_S
        self._faults = {name: fault for name, fault in self._faults.items() if fault[0] > oldest}

    def _make_room(self, name: str) -> bool:
        """Forget a fault of another node for one of the policy node."""
        others = [each for each in self._faults if not each.startswith(self._node)]
        if not others or not name.startswith(self._node):
            return False
        del self._faults[others[0]]
        return True
