"""What a sentence means: a skill, its target and its reference, in words."""

from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.tasks.objects import COLOURS, RECEPTACLES, SEEN_PAIRS, SHAPES
from vlm_robot_ros.tasks.scene import Scene
from vlm_robot_ros.tasks.skill import Task
from vlm_robot_ros.tasks.tasks import SKILL, SKILLS

ANY, NONE = "any", "none"
COLOUR_SLOT = (ANY, *COLOURS)
"""What a sentence can say of a colour."""
NOUN_SLOT = (NONE, "object", *SHAPES, *RECEPTACLES)
"""What a sentence can say of a shape: none where it speaks of no thing, or of any object."""
MOVABLE_NOUNS = ("object", *SHAPES)
"""Nouns of what can be moved; the others are receptacles, which have no colour."""
MISSING = "?"
"""The noun of a thing that the sentence does not name and the skill needs."""
SELECTORS = ("leftmost", "rightmost", "nearest", "farthest", "middle", "other")
RELATIONS = ("left of", "right of", "in front of", "behind", "next to", "on", "in")
OPEN_SKILLS = ("push ?", "place ?", "turn ?")
"""Skills of which the sentence does not say the direction."""
UNITS = ("cm", "deg")


@dataclass(frozen=True)
class ObjectReference:
    """A thing as a sentence names it."""

    colour: str = ANY
    noun: str = NONE
    selector: str = ""
    """Which of several: one of `SELECTORS`, or nothing."""
    relation: str = ""
    """Where it is from `landmark`: one of `RELATIONS`, or nothing."""
    landmark: "ObjectReference | None" = None
    """What its place is told by."""
    excluded: "ObjectReference | None" = None
    """What it is not: "anything but the red cube"."""
    alternative: "ObjectReference | None" = None
    """What it may be as well, where the sentence leaves it open: "the red or the green cube"."""


def is_qualified(thing: ObjectReference) -> bool:
    """Tell whether more than colour and kind says which thing is meant."""
    return bool(thing.selector or thing.landmark or thing.excluded)


def is_full(thing: ObjectReference) -> bool:
    """Tell whether colour and kind are named, and nothing else."""
    return thing.colour != ANY and thing.noun != "object" and not is_qualified(thing)


@dataclass(frozen=True)
class TaskSpec:
    """What a sentence asks for: one step."""

    skill: str
    """One of `SKILLS`, or of `OPEN_SKILLS` where the sentence does not say which way."""
    target: ObjectReference = ObjectReference()
    reference: ObjectReference = ObjectReference()
    amount: str = ""
    """How much: "small", "large", a number and a unit of `UNITS`, or nothing."""


def describe_task(rng: np.random.Generator, task: Task, scene: Scene) -> TaskSpec:
    """Return a task in words: things by colour and shape, or by one of them if that is enough."""
    target, reference = (
        ObjectReference() if index is None else _name(rng, scene, index)
        for index in (task.target, task.reference)
    )
    return TaskSpec(task.skill, target, reference)


def _name(rng: np.random.Generator, scene: Scene, index: int) -> ObjectReference:
    thing = scene.things[index]
    if not thing.movable:
        return ObjectReference(ANY, thing.shape)
    others = [other for i, other in enumerate(scene.things) if i != index and other.movable]
    roll = rng.random()
    if roll < 0.12 and all(other.shape != thing.shape for other in others):
        return ObjectReference(ANY, thing.shape)
    if roll > 0.12 and roll < 0.3 and all(other.colour != thing.colour for other in others):
        return ObjectReference(thing.colour, "object")
    return ObjectReference(thing.colour, thing.shape)


def sample_meaning(rng: np.random.Generator) -> TaskSpec:
    """Return a random meaning, of no scene: any skill, things of the training's names."""
    skill = SKILLS[int(rng.integers(len(SKILLS)))]
    kind = SKILL[skill]
    if not kind.has_target:
        return TaskSpec(skill)
    target = _any_object(rng)
    if kind.reference == "receptacle":
        kinds = list(RECEPTACLES)
        return TaskSpec(skill, target, ObjectReference(ANY, kinds[int(rng.integers(len(kinds)))]))
    if kind.reference:
        return TaskSpec(skill, target, _any_object(rng))
    return TaskSpec(skill, target)


def _any_object(rng: np.random.Generator) -> ObjectReference:
    roll = rng.random()
    colour, shape = SEEN_PAIRS[int(rng.integers(len(SEEN_PAIRS)))]
    if roll < 0.2:
        return ObjectReference(ANY, NOUN_SLOT[int(rng.integers(1, 2 + len(SHAPES)))])
    return ObjectReference(colour, "object" if roll < 0.35 else shape)
