"""What a sentence asks for, in terms of things."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class ThingReference:
    """A thing as a sentence names it."""

    noun: str = ""
    """Of the things that there are; empty where the sentence speaks of none."""
    selector: str = ""
    """One of `task_spec.SELECTORS`, or nothing."""
    relation: str = ""
    """One of `task_spec.RELATIONS` or "between": where it is from `landmarks`; or nothing."""
    landmarks: tuple[str, ...] = ()
    """Nouns: one, of "between" two."""
    negated: bool = False
    """Whether it is the one that is not there."""


NO_THING = ThingReference()
"""Where a step is about none."""


@dataclass(frozen=True)
class ThingStep:
    """One step of a sentence."""

    skill: str
    """One of `tasks.SKILLS`; `put` for `stack`."""
    target: ThingReference
    reference: ThingReference = NO_THING


class ReadSentence(NamedTuple):
    """What a sentence says of things."""

    steps: tuple[ThingStep, ...]
    problem: str
    """Why the sentence cannot be followed, or what is asked about it; empty if it can be."""
    confidence: float
    asks_nothing: bool = False
    """Whether it surely is no request: a question, a remark, a prohibition."""
    knows_action: bool = True
    """Whether what is to be done is something that is known."""
    proposed: tuple[ThingStep, ...] = ()
    """What `problem` asks about: a "yes" makes these the steps."""
