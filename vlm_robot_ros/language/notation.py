"""Meanings in writing: `put(red lemon; bowl) | push left(any cube, not red cube)[small]`.

A program is steps with ` | ` between them. A step is a skill, in brackets its target and after a
semicolon its reference, and in square brackets an amount. A thing is a colour (`any` or nothing
where none is said), a noun, and after commas what else tells which one: a selector, a relation and
a landmark, `not` and what is excluded. `or` stands between things that the sentence leaves open,
`?` for what it does not name.
"""

import re
from collections.abc import Sequence

from vlm_robot_ros.language.task_spec import (
    ANY,
    COLOUR_SLOT,
    MISSING,
    NONE,
    NOUN_SLOT,
    OPEN_SKILLS,
    RELATIONS,
    SELECTORS,
    UNITS,
    ObjectReference,
    TaskSpec,
)
from vlm_robot_ros.tasks.tasks import SKILL, SKILLS

_STEP = re.compile(r"(?P<skill>[a-z ]+\??)\((?P<things>[^()]*)\)(?:\[(?P<amount>[^\[\]]+)\])?")
_AMOUNT = re.compile(rf"small|large|\d+(?:\.\d+)? (?:{'|'.join(UNITS)})")
ARGUMENTS = {
    **{name: 0 if not SKILL[name].has_target else 2 if SKILL[name].reference else 1
       for name in SKILLS},
    "push ?": 1, "place ?": 2, "turn ?": 1,
}  # fmt: skip
"""How many things each skill needs."""


def parse_program(text: str) -> list[TaskSpec]:
    """Return the steps that a text notes.

    Raises:
        ValueError: It is not in the notation; says what was given and what is valid.
    """
    return [_parse_step(part.strip()) for part in text.split("|")] if text.strip() else []


def format_program(steps: list[TaskSpec]) -> str:
    """Return steps in the notation."""
    return " | ".join(format_step(step) for step in steps)


def format_step(step: TaskSpec) -> str:
    """Return a step in the notation."""
    things = (step.target, step.reference)[: ARGUMENTS[step.skill]]
    amount = f"[{step.amount}]" if step.amount else ""
    return f"{step.skill}({'; '.join(format_object(thing) for thing in things)}){amount}"


def format_object(thing: ObjectReference) -> str:
    """Return a thing in the notation."""
    if thing.noun == MISSING:
        return MISSING
    text = f"{thing.colour} {thing.noun}"
    if thing.selector:
        text += f", {thing.selector}"
    if thing.landmark:
        text += f", {thing.relation} {format_object(thing.landmark)}"
    if thing.excluded:
        text += f", not {format_object(thing.excluded)}"
    return text + (f" or {format_object(thing.alternative)}" if thing.alternative else "")


def make_step(skill: str, things: Sequence[ObjectReference], amount: str = "") -> TaskSpec:
    """Return the step that does a skill to as many things as it needs."""
    target, reference = (*things, ObjectReference(), ObjectReference())[:2]
    return TaskSpec(skill, target, reference, amount)


def _parse_step(text: str) -> TaskSpec:
    match = _STEP.fullmatch(text)
    if match is None:
        raise ValueError(f"step {text!r}; valid: skill(target; reference)[amount]")
    skill, amount = match["skill"].strip(), match["amount"] or ""
    if skill not in ARGUMENTS:
        raise ValueError(f"skill {skill!r}; valid: {', '.join((*SKILLS, *OPEN_SKILLS))}")
    if amount and not _AMOUNT.fullmatch(amount):
        raise ValueError(f"amount {amount!r}; valid: small, large, a number and one of {UNITS}")
    things = [part.strip() for part in match["things"].split(";")] if match["things"] else []
    if len(things) != ARGUMENTS[skill]:
        raise ValueError(f"{text!r} has {len(things)} things; {skill} needs {ARGUMENTS[skill]}")
    return make_step(skill, [_parse_object(part) for part in things], amount)


def _parse_object(text: str) -> ObjectReference:
    first, _, other = text.partition(" or ")
    if first == MISSING:
        return ObjectReference(noun=MISSING)
    name, *qualifiers = (part.strip() for part in first.split(","))
    colour, noun = _parse_name(name)
    selector, relation, landmark, excluded = "", "", None, None
    for part in qualifiers:
        related = next((each for each in RELATIONS if part.startswith(f"{each} ")), "")
        if part in SELECTORS:
            selector = part
        elif part.startswith("not "):
            unwanted, kind = _parse_name(part.removeprefix("not "))
            # "A cube, not the red cube" is "a cube, not the red one".
            same = kind == noun and unwanted != ANY
            excluded = ObjectReference(unwanted, "object" if same else kind)
        elif related:
            relation = related
            landmark = ObjectReference(*_parse_name(part.removeprefix(f"{related} ")))
        else:
            raise ValueError(f"{part!r} of {text!r}; valid: {', '.join(SELECTORS)}, 'not' and "
                             f"a thing, or one of {', '.join(RELATIONS)} and a thing")  # fmt: skip
    alternative = _parse_object(other) if other else None
    return ObjectReference(colour, noun, selector, relation, landmark, excluded, alternative)


def _parse_name(text: str) -> tuple[str, str]:
    colour, _, noun = text.rpartition(" ")
    colour = colour or ANY
    nouns = [each for each in NOUN_SLOT if each != NONE]
    if colour not in COLOUR_SLOT or noun not in nouns:
        raise ValueError(
            f"thing {text!r}; valid: one of {', '.join(COLOUR_SLOT)} and one of {', '.join(nouns)}"
        )
    return colour, noun
