"""What the learned policy knows since an instruction came, and what a correction makes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from vlm_robot_ros.models.text import Slots
from vlm_robot_ros.policy.correction import Correction

NUDGE = 0.05
"""How far "a bit" is [m]."""
_WAYS = {"left": (0.0, 1.0), "right": (0.0, -1.0), "away": (1.0, 0.0), "closer": (-1.0, 0.0)}
_OPPOSITE = {
    "push left": "push right", "push right": "push left", "push away": "push closer",
    "push closer": "push away", "turn left": "turn right", "turn right": "turn left",
    "open": "close", "close": "open",
}  # fmt: skip
_PUT_DOWN = "place left"
"""Any skill of placing: where to is given by the goal."""


@dataclass
class Sight:
    """Where one thing of the instruction is."""

    point: Tensor | None = None
    """Shape (1, 3), base frame [m]; None until it was seen."""
    unseen: int = 0
    """Pictures since it was seen."""


@dataclass
class Memory:
    """What is known since the instruction came."""

    slots: Slots
    problem: str = ""
    """Why the words cannot be followed, or nothing."""
    target: Sight = field(default_factory=Sight)
    reference: Sight = field(default_factory=Sight)
    start: Tensor | None = None
    """Where the target was first. Shape (1, 3), [m]."""
    held: bool = False
    """Whether the fingers are closed on the target."""
    turned: float = 0.0
    """How far what is held was turned [rad]."""
    yaw: float | None = None
    """Of the tool at the last picture [rad]."""
    nudge: Tensor | None = None
    """From `start` to the goal, instead of the skill's. Shape (3,), [m]."""
    back_to: Tensor | None = None
    """The goal itself, instead of the skill's. Shape (1, 3), [m]."""


def correct(
    before: Memory | None,
    correction: Correction,
    skills: Sequence[str],
    read: Callable[[str], Slots],
) -> Memory:
    """Return the memory to go on with after a correction.

    Args:
        before: Of the instruction that is corrected.
        correction: What was said.
        skills: Names of the skills.
        read: Reads a sentence.
    """
    if before is None or before.problem:
        nothing = before.slots if before else read("")
        return Memory(nothing, "there is no instruction to be corrected")
    skill = skills[int(before.slots.skill.argmax())]
    if correction.kind == "other thing":
        return _other_thing(before, read(f"pick up {correction.words}"), correction.words)
    if correction.kind == "undo":
        return _undo(before, skill, skills)
    if correction.kind == "other way":
        family = skill.split()[0]
        other = f"{family} {correction.words}"
        if other not in skills:
            return Memory(before.slots, f"I cannot {skill} to the {correction.words}")
        return Memory(_with_skill(before.slots, skills, other))
    if before.target.point is None:
        return Memory(before.slots, "there is nothing to be moved a bit")
    way = torch.tensor([*_WAYS[correction.words], 0.0]) * NUDGE
    push = _with_skill(_alone(before.slots), skills, f"push {correction.words}")
    return Memory(push, nudge=way.to(before.slots.skill.device))


def _other_thing(before: Memory, read: Slots, words: str) -> Memory:
    old = before.slots
    unknown = float(read.reject[0]) > 0 or int(read.noun[0, 0].argmax()) == 0
    if unknown or int(old.noun[0, 0].argmax()) == 0:
        return Memory(old, f"I do not know what '{words}' is to be")
    colour, noun = old.colour.clone(), old.noun.clone()
    colour[:, 0] = read.colour[:, 0]
    if int(read.noun[0, 0].argmax()) != 1:  # "the blue one" is one of the same kind
        noun[:, 0] = read.noun[:, 0]
    return Memory(old._replace(colour=colour, noun=noun))


def _undo(before: Memory, skill: str, skills: Sequence[str]) -> Memory:
    if skill == "home":
        return Memory(before.slots, "I cannot undo going home")
    if skill in _OPPOSITE:
        slots = _with_skill(before.slots, skills, _OPPOSITE[skill])
        back = None if skill.startswith("turn") else before.start
        return Memory(slots, back_to=back)
    if before.start is None:
        return Memory(before.slots, "nothing was done yet that could be undone")
    slots = _with_skill(_alone(before.slots), skills, _PUT_DOWN)
    return Memory(slots, target=before.target, back_to=before.start)


def _with_skill(slots: Slots, skills: Sequence[str], name: str) -> Slots:
    chosen = torch.tensor([list(skills).index(name)], device=slots.skill.device)
    return slots._replace(skill=20 * F.one_hot(chosen, len(skills)).float())


def _alone(slots: Slots) -> Slots:
    """Return slots without a reference."""
    noun = slots.noun.clone()
    noun[:, 1] = 20 * F.one_hot(torch.zeros(1, dtype=torch.long), noun.shape[-1]).to(noun)
    return slots._replace(noun=noun)
