"""What a person asks for, before any model has read it."""

from dataclasses import dataclass
from enum import Enum


class InstructionKind(Enum):
    """What an instruction calls for before any model has read it."""

    TASK = "task"
    STOP = "stop"
    EMPTY = "empty"


MIN_PACE = 0.25
"""The slowest that an arm becomes by words, as a part of what the robot's contract allows."""


@dataclass(frozen=True)
class Instruction:
    """What was said last."""

    text: str
    number: int
    """Counts the instructions received, from 1; 0 before the first."""
    kind: InstructionKind
    pace: float = 1.0
    """Speed as a part of what the robot's contract allows; 1 at most."""

    def pace_with(self, pace: float) -> float:
        """Return the pace where the policy asks for one, too."""
        return max(MIN_PACE, self.pace * pace)


EMPTY_INSTRUCTION = Instruction("", 0, InstructionKind.EMPTY)
