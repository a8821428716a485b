"""What can lie on the table, by name: colours, shapes and receptacles, and the held-out pairs."""

from dataclasses import dataclass

COLOURS = {
    "red": (0.78, 0.05, 0.05),
    "orange": (0.95, 0.42, 0.03),
    "yellow": (0.92, 0.82, 0.06),
    "green": (0.08, 0.52, 0.12),
    "cyan": (0.08, 0.72, 0.78),
    "blue": (0.07, 0.14, 0.78),
    "purple": (0.42, 0.08, 0.58),
    "pink": (0.96, 0.48, 0.68),
}
"""Names of the colours, and their RGB in 0..1."""


@dataclass(frozen=True)
class Shape:
    """A kind of movable object, standing upright, middle at the origin."""

    half: tuple[float, float, float]
    """Half extents along x, y (which the fingers grip) and z [m]."""
    mesh: str = ""
    """robosuite's mesh, stretched to `half`; without one MuJoCo's own box or cylinder."""
    flat_top: bool = False
    """Whether another object can stand on it."""
    flat_base: bool = True
    """Whether it can stand on another object."""
    turnable: bool = True
    """Whether a turn about the vertical is a turn of anything."""


SHAPES = {
    "cube": Shape((0.0215, 0.0215, 0.0215), flat_top=True),
    "cylinder": Shape((0.021, 0.021, 0.029), flat_top=True, turnable=False),
    "bottle": Shape((0.0195, 0.0195, 0.043), "bottle.stl", flat_base=False, turnable=False),
    "milk": Shape((0.020, 0.020, 0.036), "milk.msh"),
    "lemon": Shape((0.033, 0.020, 0.020), "lemon.msh", flat_base=False),
    "bread": Shape((0.038, 0.020, 0.020), "bread.stl"),
}
"""The shapes by name."""


@dataclass(frozen=True)
class Receptacle:
    """A kind of thing that stays where it is and takes objects."""

    radius: float
    """Of the free space inside [m]."""
    height: float
    """Of the rim above the table [m]."""
    floor: float
    """Of what an object comes to lie on, above the table [m]."""
    preposition: str


RECEPTACLES = {
    "plate": Receptacle(0.075, 0.012, 0.012, "on"),
    "bowl": Receptacle(0.062, 0.034, 0.006, "in"),
    "bin": Receptacle(0.068, 0.05, 0.004, "in"),
}
"""The receptacles by name."""

UNNAMED_PAIRS = frozenset(
    {("red", "bottle"), ("orange", "cube"), ("green", "lemon"),
     ("blue", "bread"), ("purple", "milk"), ("pink", "cylinder")}
)  # fmt: skip
"""Held out (a): lie on the training's table; no task, sentence or label there is of them."""
UNSEEN_PAIRS = frozenset(
    {("red", "milk"), ("yellow", "bread"), ("green", "cylinder"),
     ("cyan", "cube"), ("blue", "lemon"), ("purple", "bottle")}
)  # fmt: skip
"""Held out (b): never lie on the training's table."""
HELD_PAIRS = UNNAMED_PAIRS | UNSEEN_PAIRS
PAIRS = tuple((colour, shape) for colour in COLOURS for shape in SHAPES)
SEEN_PAIRS = tuple(pair for pair in PAIRS if pair not in HELD_PAIRS)
"""What training may ask for."""
