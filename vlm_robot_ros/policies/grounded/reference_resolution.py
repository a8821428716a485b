"""Which thing on the table a sentence means: "the leftmost cube", "the other one", "the cube"."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vlm_robot_ros.language.replies import describe_object
from vlm_robot_ros.language.task_spec import (
    ANY,
    MOVABLE_NOUNS,
    NONE,
    ObjectReference,
    TaskSpec,
    is_full,
    is_qualified,
)
from vlm_robot_ros.policies.grounded.object_detection import DetectedObject

_CERTAIN = 0.8
"""Confidence above which two things are two, and the arm asks which is meant."""
_ASIDE_M, _INSIDE_M, _ON_TOP_M, _NEXT_TO_M = 0.02, 0.07, 0.03, 0.2
"""How far a thing is aside of a landmark, from what it is in, or on, or next to [m]."""
_BESIDE = {
    "left of": (1, 1.0),
    "right of": (1, -1.0),
    "in front of": (0, -1.0),
    "behind": (0, 1.0),
}
"""Axis of the base frame and sign of what is left of, ... a landmark."""
_ENDS = {"leftmost": (1, 1.0), "rightmost": (1, -1.0), "nearest": (0, -1.0), "farthest": (0, 1.0)}


class AmbiguousReference(LookupError):
    """The words do not tell which of several things is meant; the message is a question."""


def is_resolved(step: TaskSpec) -> bool:
    """Tell whether the names of a step's things say without an image which are meant."""
    return all(
        thing.noun == NONE
        or is_full(thing)
        or (thing.noun not in MOVABLE_NOUNS and not is_qualified(thing))
        for thing in (step.target, step.reference)
    )


def resolve(
    thing: ObjectReference,
    seen: Sequence[DetectedObject],
    handled: Sequence[ObjectReference] = (),
    any_will_do: bool = False,
) -> ObjectReference:
    """Return the thing by colour and kind.

    Args:
        thing: As the sentence names it.
        seen: What is on the table, the surest first.
        handled: What the steps before were about: "the other one" is none of these.
        any_will_do: Whether to take one where several fit.

    Raises:
        AmbiguousReference: several things fit.
        LookupError: there is no such thing; says which.
    """
    fitting = [each for each in seen if _matches(thing, each)]
    name = describe_object(thing).removeprefix("the ")
    if thing.selector == "other":
        names = {(each.colour, each.noun) for each in handled}
        # "The other one", said of a blue cube, is another cube.
        for kind in (thing, replace(thing, colour=ANY)):
            fitting = [each for each in seen if _matches(kind, each)
                       and (each.colour, each.noun) not in names]  # fmt: skip
            if fitting:
                break
    if thing.excluded is not None:
        fitting = [each for each in fitting if not _matches(thing.excluded, each)]
    if thing.landmark is not None:
        fitting = _related(thing, fitting, seen)
    if not fitting:
        raise LookupError(f"I see no {name}")
    if thing.selector in _ENDS:
        axis, sign = _ENDS[thing.selector]
        fitting.sort(key=lambda each: -sign * float(each.point[axis]))
    elif thing.selector == "middle":
        fitting.sort(key=lambda each: float(each.point[1]))
        if len(fitting) % 2 == 0:
            raise LookupError(f"I see {len(fitting)} such things, and none is the {name}")
        fitting = [fitting[len(fitting) // 2]]
    elif thing.landmark is None and thing.excluded is None and not any_will_do:
        certain = [each for each in fitting if each.confidence > _CERTAIN]
        if len(certain) > 1:
            raise AmbiguousReference(_which(certain))
    return ObjectReference(fitting[0].colour, fitting[0].noun)


def resolve_steps(
    steps: Sequence[TaskSpec],
    seen: Sequence[DetectedObject],
    before: TaskSpec | None,
    any_object: bool,
) -> list[TaskSpec]:
    """Return steps whose things are all named by colour and kind, and all there.

    Args:
        steps: What is to be done.
        seen: What is on the table, the surest first.
        before: The step before them: "the other one" is not what that was about.
        any_object: Whether to take one where several fit.

    Raises:
        AmbiguousReference: the words do not tell which thing is meant.
        LookupError: a thing is not there; says which.
    """
    handled = [] if before is None else [before.target, before.reference]
    others = {thing.noun for step in steps for thing in (step.target, step.reference)
              if thing.selector == "other"}  # fmt: skip
    resolved = []
    for step in steps:
        rest, names = list(seen), []
        for thing in (step.target, step.reference):
            name = thing
            if thing.noun != NONE and not (thing in handled and is_full(thing)):
                either = any_object or thing.noun in others
                name = resolve(thing, rest, handled, either)
                rest = [each for each in rest if not _matches(name, each)]
            names.append(name)
            handled.append(name)
        resolved.append(replace(step, target=names[0], reference=names[1]))
    return resolved


def _matches(thing: ObjectReference, seen: DetectedObject) -> bool:
    kind = seen.noun in MOVABLE_NOUNS if thing.noun == "object" else thing.noun == seen.noun
    return kind and thing.colour in (ANY, seen.colour)


def _related(
    thing: ObjectReference, fitting: Sequence[DetectedObject], seen: Sequence[DetectedObject]
) -> list[DetectedObject]:
    """Return what is where the sentence says, what is nearest to the landmark first."""
    assert thing.landmark is not None
    landmarks = [each for each in seen if _matches(thing.landmark, each)]
    if not landmarks:
        raise LookupError(f"I see no {describe_object(thing.landmark).removeprefix('the ')}")
    if len(landmarks) > 1:
        raise AmbiguousReference(_which(landmarks))
    place = landmarks[0].point
    found = []
    for each in fitting:
        if each is landmarks[0]:
            continue
        way, apart = each.point - place, float(np.linalg.norm((each.point - place)[:2]))
        if thing.relation in _BESIDE:
            axis, sign = _BESIDE[thing.relation]
            if sign * way[axis] > _ASIDE_M:
                found.append((apart, each))
        elif thing.relation == "next to":
            if apart < _NEXT_TO_M:
                found.append((apart, each))
        elif apart < (_INSIDE_M if landmarks[0].noun not in MOVABLE_NOUNS else _ON_TOP_M):
            found.append((apart, each))
    return [each for _, each in sorted(found, key=lambda pair: pair[0])]


def _which(seen: Sequence[DetectedObject]) -> str:
    """Return the question which of some things is meant."""
    names = [f"the {each.colour} {each.noun}".replace(f"{ANY} ", "") for each in seen]
    return f"{', '.join(names[:-1])} or {names[-1]}?".capitalize()
