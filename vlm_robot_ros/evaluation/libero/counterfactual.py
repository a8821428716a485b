"""The same state with another instruction: another thing is to go where the task's thing goes.

A policy that acts on what it sees, and not on what it is told, does the task of the suite instead.
"""

from collections.abc import Sequence

import numpy as np

from vlm_robot_ros.evaluation.libero.things import kind_of
from vlm_robot_ros.sim.libero.environment import SceneTruth

_INTO = ("basket", "bowl", "ramekin")
"""Nouns of what things are put into, not on."""


def other_instruction(
    part: Sequence[str], truth: SceneTruth, seed: tuple[int, ...]
) -> tuple[str, list[list[str]]] | None:
    """Return another instruction and its goal; None where the scene has no other thing for it.

    Args:
        part: A condition of the task's file: "on" or "in", the thing, and where it is to be.
        truth: The scene.
        seed: Decides which thing is taken.
    """
    how, thing, where_to = part
    owner = next((name for name in truth.boxes if f"{where_to}_".startswith(f"{name}_")), "")
    place = kind_of(owner)
    if place is None:
        return None
    target = kind_of(thing)
    things: dict[str, str] = {}
    for name in sorted(truth.boxes):
        kind = kind_of(name)
        if kind is not None and kind.movable and kind.noun != place.noun and kind != target:
            things.setdefault(kind.noun, name)
    if not things:
        return None
    nouns = sorted(things)
    noun = nouns[int(np.random.default_rng(seed).integers(len(nouns)))]
    where = "in" if place.noun in _INTO else "on"
    goal = [[how, things[noun], where_to]]
    return f"pick up the {noun} and place it {where} the {place.noun}", goal
