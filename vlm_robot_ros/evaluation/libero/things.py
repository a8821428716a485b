"""What stands in LIBERO's scenes: nouns, how each is gripped, and where things are put on it."""

from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.manipulation.geometry import ObjectGeometry
from vlm_robot_ros.sim.libero.environment import SceneTruth


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
    """From the spot to what is called its front, where it has one of its own [m]."""

    @property
    def movable(self) -> bool:
        """Whether the arm can carry it."""
        return not self.region and self.noun != "basket"


KINDS = {
    "akita_black_bowl": Kind(
        "bowl",
        (
            "black bowl", "dish", "dark bowl", "black dish", "dark dish", "black basin", "basin",
            "soup dish", "soup bowl", "cereal dish", "cereal bowl", "serving bowl", "vessel",
            "black container", "black vessel", "round container", "deep dish", "hollow dish",
            "mixing bowl", "porringer", "tureen", "soup plate", "serving dish", "black pot",
            "chalice", "goblet", "earthenware", "stoneware", "pottery",
        ),
        hollow=True, rest=0.01,
    ),
    "plate": Kind(
        "plate",
        (
            "platter", "dinner plate", "saucer", "flat dish", "serving dish", "dish",
            "shallow dish", "porcelain dish", "serving platter", "tray", "charger plate",
            "charger", "chinaware", "trencher", "salver", "eating surface",
        ),
        hollow=True, rest=0.008,
    ),
    "glazed_rim_porcelain_ramekin": Kind(
        "ramekin",
        (
            "small white bowl", "white bowl", "custard cup", "souffle cup", "souffle dish",
            "baking cup", "baking dish", "white dish", "small cup", "cup",
        ),
        hollow=True, rest=0.01,
    ),
    "cookies": Kind(
        "cookie box",
        ("cookies", "cookie", "cookies box", "biscuit box", "biscuits", "biscuit", "snack box"),
    ),
    "wine_bottle": Kind(
        "wine bottle",
        ("bottle", "wine", "vino", "red wine", "glass bottle", "liquor", "alcohol", "booze",
         "wine flask", "wine vessel", "spirits", "merlot", "cabernet", "chardonnay", "pinot noir",
         "burgundy", "bordeaux", "rioja", "champagne", "riesling", "chianti",
         "glass container", "glass vessel", "beverage container", "drink container",
         "liquor container", "drink bottle", "beverage", "drink"),
    ),
    "cream_cheese": Kind(
        "cream cheese",
        (
            "cheese", "soft cheese", "cheese spread", "cream cheese spread", "dairy",
            "dairy spread", "cheesy spread", "creamy cheese", "schmear", "philadelphia",
            "neufchatel", "fromage", "ricotta", "mascarpone", "curd", "dairy product",
        ),
    ),
    "alphabet_soup": Kind("alphabet soup", ("soup", "letter soup", "abc soup")),
    "salad_dressing": Kind("salad dressing", ("dressing", "salad sauce", "vinaigrette", "ranch")),
    "bbq_sauce": Kind("bbq sauce", ("barbecue sauce", "bbq", "barbecue", "grill sauce")),
    "ketchup": Kind("ketchup", ("catsup",)),
    "tomato_sauce": Kind("tomato sauce", ("pasta sauce", "tomato puree", "tomatoes")),
    "butter": Kind("butter", ("margarine",)),
    "milk": Kind("milk", ()),
    "chocolate_pudding": Kind(
        "chocolate pudding",
        ("pudding", "pudding mix", "cocoa pudding", "chocolate dessert", "dessert"),
    ),
    "orange_juice": Kind("orange juice", ("juice", "orange drink", "oj")),
    "basket": Kind(
        "basket",
        (
            "hamper", "carrier", "shopping basket", "wicker basket", "grocery basket",
            "wicker container", "crate", "bin",
        ),
        hollow=True, rest=0.02,
    ),
    "flat_stove": Kind(
        "stove",
        (
            "cooktop", "burner", "hob", "stovetop", "stove top", "cooker", "range", "hot plate",
            "hotplate", "cooking plate", "cooking surface", "heating plate", "oven top",
            "oven", "burner plate", "induction plate", "hearth", "grill", "gas",
        ),
        region="cook_region", lift=0.03, front=(0.2, 0.0),
    ),
    "wooden_cabinet": Kind(
        "cabinet",
        (
            "wooden cabinet", "cupboard", "wooden cupboard", "chest of drawers", "drawers",
            "drawer", "dresser", "drawer unit", "storage unit", "chest", "closet", "sideboard",
            "bureau", "credenza", "armoire", "wardrobe", "hutch", "locker", "nightstand",
            "shelving unit", "bookcase", "buffet", "console",
        ),
        region="top_side",
    ),
    "wine_rack": Kind(
        "wine rack",
        (
            "rack", "bottle rack", "wine holder", "bottle holder", "bottle stand", "wine stand",
            "wine shelf", "holder", "stand", "shelf", "bottle cradle", "wine cradle",
            "bottle shelf", "wine storage", "shelving", "ledge", "frame", "bracket",
        ),
        region="top_region",
    ),
}  # fmt: skip
"""Kinds by the category of the benchmark."""
_TOP = ("top", "upper", "uppermost", "highest")
_OWNERS = (
    "wooden cabinet",
    "cabinet",
    "drawer",
    "cupboard",
    "wooden cupboard",
    "dresser",
    "chest",
)
DRAWER = Kind(
    "top drawer",
    (
        *(f"{top} {part}" for top in _TOP for part in ("drawer", "layer", "compartment")),
        *(
            f"{top} {part} of the {owner}"
            for top in _TOP for part in ("drawer", "layer", "compartment") for owner in _OWNERS
        ),
        *(
            f"{owner}'s {top} {part}"
            for owner in _OWNERS for top in _TOP for part in ("drawer", "compartment")
        ),
        "top cabinet drawer",
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
