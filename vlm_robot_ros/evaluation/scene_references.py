"""Scenes for sentences with known meanings, and which things of a scene a sentence means."""

import itertools
from collections.abc import Sequence

import numpy as np

from vlm_robot_ros.language.task_spec import ANY, MOVABLE_NOUNS, NONE, ObjectReference, TaskSpec
from vlm_robot_ros.tasks.objects import PAIRS, RECEPTACLES, SEEN_PAIRS
from vlm_robot_ros.tasks.scene import MOST_OBJECTS, Scene, sample_scene
from vlm_robot_ros.tasks.skill import Task
from vlm_robot_ros.tasks.tasks import SKILL, is_feasible

_TRIES = 60
"""Scenes that are tried for a sentence."""
_CLEAR_M = 0.03
"""How much farther to one side the leftmost thing is than the next one, at least [m]."""
_INSIDE_M, _NEXT_TO_M = 0.06, 0.15
_AXES = {"leftmost": (1, 1.0), "rightmost": (1, -1.0), "nearest": (0, -1.0), "farthest": (0, 1.0),
         "left of": (1, 1.0), "right of": (1, -1.0), "in front of": (0, -1.0),
         "behind": (0, 1.0)}  # fmt: skip
"""Axis of the base frame and sign of a position."""

Program = tuple[frozenset[Task], ...]
"""Of each step, the tasks any of which does it."""


def sample_program_scene(
    rng: np.random.Generator, steps: Sequence[TaskSpec]
) -> tuple[Scene, Program] | None:
    """Return a scene in which steps can be done, and the tasks that do them.

    Every thing that the steps name is there, and their words tell it from all others; of "anything
    but the red cube" there are several. None where no scene was found.
    """
    if any(step.amount or step.skill not in SKILL for step in steps):
        return None  # the judge knows no amounts
    things = [thing for step in steps for thing in (step.target, step.reference)
              if thing.noun != NONE]  # fmt: skip
    if any(thing.alternative or thing.noun not in (*MOVABLE_NOUNS, *RECEPTACLES)
           for thing in things):  # fmt: skip
        return None
    for _ in range(_TRIES):
        pairs = list(dict.fromkeys(pair for thing in things for pair in _pairs(rng, thing)))
        if len(pairs) > MOST_OBJECTS:
            continue
        scene = sample_scene(rng, include=pairs)
        program = program_of(scene, steps)
        if program is not None:
            return scene, program
    return None


def program_of(scene: Scene, steps: Sequence[TaskSpec]) -> Program | None:
    """Return the tasks that do steps in a scene; None if there are none or words are ambiguous."""
    program, handled = [], list[int]()
    for step in steps:
        meant: list[list[int | None]] = []
        for thing in (step.target, step.reference):
            if thing.noun == NONE:
                meant.append([None])
                continue
            found = things_meant(scene, thing, handled)
            if not found or (len(found) > 1 and thing.excluded is None):
                return None
            meant.append(list(found))
            handled += found
        tasks = {Task(step.skill, one, other) for one, other in itertools.product(*meant)}
        if not all(is_feasible(task, scene) for task in tasks):
            return None
        program.append(frozenset(tasks))
    return tuple(program)


def things_meant(scene: Scene, thing: ObjectReference, handled: Sequence[int]) -> list[int]:
    """Return the numbers of the things of a scene that words fit.

    Args:
        scene: The scene.
        thing: The words.
        handled: What the steps before were about: "the other one" is none of these.
    """
    found = [i for i in range(len(scene.things)) if _fits(scene, i, thing)]
    if thing.excluded is not None:
        found = [i for i in found if not _fits(scene, i, thing.excluded)]
    if thing.selector == "other":
        found = [i for i in found if i not in handled]
    if thing.landmark is not None:
        marks = things_meant(scene, thing.landmark, handled)
        if len(marks) != 1:
            return []
        found = [i for i in found if i != marks[0] and _is_at(scene, i, thing.relation, marks[0])]
    if thing.selector in _AXES and len(found) > 1:
        axis, sign = _AXES[thing.selector]
        found.sort(key=lambda i: -sign * scene.things[i].position[axis])
        first, second = (scene.things[i].position[axis] for i in found[:2])
        return found[:1] if abs(first - second) > _CLEAR_M else []
    if thing.selector == "middle":
        found.sort(key=lambda i: scene.things[i].position[1])
        return [found[1]] if len(found) == 3 else []
    return found


def _fits(scene: Scene, number: int, thing: ObjectReference) -> bool:
    given = scene.things[number]
    kind = given.movable if thing.noun == "object" else given.shape == thing.noun
    return kind and thing.colour in (ANY, given.colour)


def _is_at(scene: Scene, number: int, relation: str, mark: int) -> bool:
    way = scene.things[number].position - scene.things[mark].position
    apart = float(np.linalg.norm(way[:2]))
    if relation in _AXES:
        axis, sign = _AXES[relation]
        return float(sign * way[axis]) > _CLEAR_M
    return apart < (_NEXT_TO_M if relation == "next to" else _INSIDE_M)


def _pairs(rng: np.random.Generator, thing: ObjectReference) -> list[tuple[str, str]]:
    """Return colours and shapes that must be there for words to mean something."""
    if thing.noun in RECEPTACLES:
        return []
    fitting = [(colour, shape) for colour, shape in PAIRS
               if thing.colour in (ANY, colour) and thing.noun in ("object", shape)]  # fmt: skip
    if len(fitting) > 1:  # training may ask for what the sentence leaves open
        fitting = [pair for pair in fitting if pair in SEEN_PAIRS]
    count = 3 if thing.selector == "middle" else 2 if thing.selector or thing.excluded else 1
    chosen = [fitting[i] for i in rng.permutation(len(fitting))[:count]]
    for other in (thing.landmark, thing.excluded):
        chosen += _pairs(rng, other) if other is not None else []
    return chosen
