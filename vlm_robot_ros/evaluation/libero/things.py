"""What stands in LIBERO's scenes: nouns, how each is gripped, and where things are put on it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.evaluation.libero.environment import SceneTruth
from vlm_robot_ros.manipulation.geometry import ObjectGeometry
from vlm_robot_ros.models.transfer.config import ThingConfig


@dataclass(frozen=True)
class Kind:
    """One kind of thing."""

    noun: str
    names: tuple[str, ...]
    """What people call it, besides its noun."""
    hollow: bool = False
    rest: float | None = None
    """How far above its base a thing comes to rest on it, or in it [m]; None: on its top."""
    region: str = ""
    """Of a fixture: the end of the name of the region on which things are put."""
    lift: float = 0.0
    """From the middle of that region up to where things come to rest [m]."""
    front: tuple[float, float] | None = None
    """From the base to what is called its front, where it has one of its own [m]."""

    @property
    def movable(self) -> bool:
        """Whether the arm can carry it."""
        return not self.region and self.noun != "basket"


KINDS = {
    "akita_black_bowl": Kind("bowl", ("black bowl",), hollow=True, rest=0.01),
    "plate": Kind("plate", ("dish", "saucer"), hollow=True, rest=0.008),
    "glazed_rim_porcelain_ramekin": Kind(
        "ramekin", ("ramekin bowl", "small white bowl"), hollow=True, rest=0.01
    ),
    "cookies": Kind(
        "cookie box", ("cookies", "cookies box", "box of cookies", "biscuit box", "biscuits")
    ),
    "wine_bottle": Kind("wine bottle", ("bottle", "bottle of wine", "wine")),
    "cream_cheese": Kind("cream cheese", ("cream cheese box", "cheese", "box of cream cheese")),
    "alphabet_soup": Kind("alphabet soup", ("soup", "soup can", "can of soup")),
    "salad_dressing": Kind("salad dressing", ("dressing",)),
    "bbq_sauce": Kind("bbq sauce", ("barbecue sauce", "bbq")),
    "ketchup": Kind("ketchup", ("ketchup bottle", "bottle of ketchup", "catsup")),
    "tomato_sauce": Kind("tomato sauce", ("can of tomato sauce",)),
    "butter": Kind("butter", ("stick of butter", "butter box")),
    "milk": Kind("milk", ("milk carton", "carton of milk")),
    "chocolate_pudding": Kind("chocolate pudding", ("pudding", "pudding box")),
    "orange_juice": Kind("orange juice", ("juice", "carton of orange juice", "oj")),
    "basket": Kind("basket", ("hamper",), hollow=True, rest=0.02),
    "flat_stove": Kind("stove", ("cooktop", "burner", "hob", "stovetop", "cooker"),
                       region="cook_region", lift=0.03, front=(0.2, 0.0)),
    "wooden_cabinet": Kind(
        "cabinet", ("wooden cabinet", "cupboard", "chest of drawers", "drawers", "drawer"),
        region="top_side",
    ),
    "wine_rack": Kind("wine rack", ("rack", "bottle rack", "wine holder"), region="top_region"),
}  # fmt: skip
"""Kinds by the category of the benchmark."""
DRAWER = Kind(
    "top drawer",
    (
        "upper drawer", "top layer",
        *(
            f"{part} of the {owner}"
            for part in ("top drawer", "upper drawer", "top layer")
            for owner in ("wooden cabinet", "cabinet", "drawer", "cupboard")
        ),
    ),
    region="wooden_cabinet_1_top_region",
)  # fmt: skip
"""The drawer of the cabinet that the scenes have open."""
_DRAWER_OPEN_M = 0.05
"""How far out a drawer is that counts as a place of its own [m]."""


def kind_of(name: str) -> Kind | None:
    """Return the kind of a thing by its name in a file, such as `plate_1`; None: unknown."""
    return KINDS.get(name.rpartition("_")[0])


def geometries(truth: SceneTruth) -> dict[str, ObjectGeometry]:
    """Return all known things of a scene as boxes, by their names in the task's file."""
    found = {}
    for name, box in truth.boxes.items():
        kind = kind_of(name)
        if kind is None:
            continue
        base, size = np.array([*box.mean(0)[:2], box[0, 2]]), box[1] - box[0]
        spot = None if kind.rest is None else np.array([0.0, 0.0, kind.rest])
        if kind.region:
            spot = truth.regions[f"{name}_{kind.region}"] + [0.0, 0.0, kind.lift] - base
        found[name] = ObjectGeometry(base, size, 0.0, kind.hollow, spot)
    return found


def region_geometry(name: str, truth: SceneTruth) -> ObjectGeometry:
    """Return where a goal of a task's file leads: a thing, or a region on one or on the table.

    Raises:
        KeyError: there is nothing of that name.
    """
    things = geometries(truth)
    if name in things:
        return things[name]
    for owner, thing in things.items():
        if name.startswith(f"{owner}_"):
            return thing
    return ObjectGeometry(truth.regions[name], np.zeros(3), spot=np.array([0.0, 0.0, 0.01]))


def drawer_is_open(truth: SceneTruth, cabinet: str) -> bool:
    """Tell whether the top drawer of a cabinet is open."""
    out = truth.regions[f"{cabinet}_top_region"] - truth.regions[f"{cabinet}_middle_region"]
    return bool(np.linalg.norm(out[:2]) > _DRAWER_OPEN_M)


def measured_things(scenes: Iterable[SceneTruth]) -> tuple[ThingConfig, ...]:
    """Return all kinds with their sizes, as they are where the simulator has them first.

    Raises:
        ValueError: a kind is in none of the scenes.
    """
    seen: dict[str, ObjectGeometry] = {}
    for truth in scenes:
        for name, known in geometries(truth).items():
            kind = kind_of(name)
            assert kind is not None
            seen.setdefault(kind.noun, known)
    missing = [kind.noun for kind in KINDS.values() if kind.noun not in seen]
    if missing:
        raise ValueError(f"no scene has a {missing[0]}")
    found = []
    for kind in (*KINDS.values(), DRAWER):
        thing: ObjectGeometry | None = seen.get(kind.noun)
        size = (0.25, 0.2, 0.06) if thing is None else tuple(np.round(thing.size, 4).tolist())
        spot = (
            () if thing is None or thing.spot is None else tuple(np.round(thing.spot, 4).tolist())
        )
        found.append(
            ThingConfig(
                kind.noun, kind.names, size, kind.movable, kind.hollow, spot, bool(kind.region),
                kind.front or (),
            )
        )  # fmt: skip
    return tuple(found)
