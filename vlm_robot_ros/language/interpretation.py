"""What a sentence means as a whole: who says what for, and the steps to be done."""

from dataclasses import dataclass
from typing import Literal, get_args

from vlm_robot_ros.language.notation import parse_program
from vlm_robot_ros.language.task_spec import MISSING, OPEN_SKILLS, TaskSpec

Act = Literal[
    "command", "correction", "question", "statement", "prohibition", "condition", "stop", "pause",
    "resume", "unclear",
]  # fmt: skip
"""What a sentence is said for."""
Effect = Literal[
    "", "replace", "add", "repeat", "undo", "cancel", "continue", "slower", "faster", "adjust",
]  # fmt: skip
"""What a correction does to the running step."""
Obstacle = Literal["", "unknown action", "unknown object", "unknown place", "every object"]
"""Why a command cannot be done, whatever is on the table."""
ACTS: tuple[Act, ...] = get_args(Act)
EFFECTS: tuple[Effect, ...] = get_args(Effect)
OBSTACLES: tuple[Obstacle, ...] = get_args(Obstacle)


@dataclass(frozen=True)
class Interpretation:
    """The meaning of one sentence."""

    act: Act
    steps: tuple[TaskSpec, ...] = ()
    """What the sentence asks for; for a correction, what is done from then on."""
    effect: Effect = ""
    """Of a correction."""
    obstacle: Obstacle = ""
    """Why a command has no steps."""
    part: str = ""
    """Words of the sentence that name what cannot be done."""

    @property
    def is_open(self) -> bool:
        """Whether a step lacks a thing or a direction, or leaves open which thing is meant."""
        return any(
            step.skill in OPEN_SKILLS
            or any(
                thing.noun == MISSING or thing.alternative is not None
                for thing in (step.target, step.reference)
            )
            for step in self.steps
        )


def parse_interpretation(
    act: str, effect: str, steps: str, obstacle: str = "", part: str = ""
) -> Interpretation:
    """Return an interpretation from its columns in a file of sentences.

    Raises:
        ValueError: One of them is not valid; says which, what was given and what is valid.
    """
    for name, given, valid in (
        ("act", act, ACTS), ("effect", effect, EFFECTS), ("obstacle", obstacle, OBSTACLES)
    ):  # fmt: skip
        if given not in valid:
            raise ValueError(f"{name} {given!r}; valid: {', '.join(filter(None, valid))}")
    program = tuple(parse_program(steps))
    if (act == "correction") != bool(effect):
        raise ValueError(
            f"act {act!r}, effect {effect!r}; a correction, and only it, has an effect"
        )
    if act == "command" and bool(program) == bool(obstacle):
        raise ValueError("a command has either steps or an obstacle")
    if act not in ("command", "correction") and program:
        raise ValueError(f"act {act!r} has steps; only commands and corrections do")
    return Interpretation(act, program, effect, obstacle, part)  # type: ignore[arg-type]
