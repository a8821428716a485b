"""What lies on the table: coloured objects, sampled by seed."""

from dataclasses import dataclass

import numpy as np

COLOURS = {
    "red": (0.80, 0.07, 0.07),
    "green": (0.10, 0.55, 0.13),
    "blue": (0.08, 0.16, 0.78),
    "yellow": (0.92, 0.80, 0.08),
    "purple": (0.48, 0.10, 0.60),
    "orange": (0.95, 0.42, 0.04),
}
"""Names of the colours, and their RGB in 0..1."""
SHAPES = ("cube", "cylinder")
AREA_MIN, AREA_MAX = np.array([0.38, -0.22]), np.array([0.62, 0.22])
"""Corners of the area where objects are laid. Shape (2,), base frame [m]."""
SPACING = 0.11
"""Least distance between two objects' middles [m]."""


@dataclass(frozen=True)
class SceneObject:
    """One movable object, standing on the table."""

    colour: str
    shape: str
    x: float
    y: float
    yaw: float
    half_width: float
    """Half a cube's edge, or a cylinder's radius [m]."""
    half_height: float

    @property
    def name(self) -> str:
        """Colour and shape, as in "red cube"."""
        return f"{self.colour} {self.shape}"

    @property
    def position(self) -> np.ndarray:
        """The middle of the object. Shape (3,), base frame [m]."""
        return np.array([self.x, self.y, self.half_height])


@dataclass(frozen=True)
class Scene:
    """A table with objects of different colours, and how it is lit."""

    objects: tuple[SceneObject, ...]
    brightness: float
    table: tuple[float, float, float]
    """RGB of the table top in 0..1."""


def sample_scene(rng: np.random.Generator) -> Scene:
    """Return a random scene of 3 to 5 objects, no two of one colour."""
    count = int(rng.integers(3, 6))
    colours = rng.permutation(list(COLOURS))[:count]
    objects = []
    for colour, (x, y) in zip(colours, _scatter(rng, count), strict=True):
        shape = str(rng.choice(SHAPES))
        half_width = rng.uniform(0.018, 0.023)
        half_height = half_width if shape == "cube" else rng.uniform(0.022, 0.03)
        yaw = rng.uniform(-0.35, 0.35)
        objects.append(SceneObject(str(colour), shape, x, y, yaw, half_width, half_height))
    grey = rng.uniform(0.55, 0.8)
    tint = rng.uniform(-0.04, 0.04, 3)
    table = tuple(float(channel) for channel in grey + tint)
    return Scene(tuple(objects), float(rng.uniform(0.8, 1.2)), (table[0], table[1], table[2]))


def _scatter(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return `count` places at least `SPACING` apart. Shape (count, 2), [m]."""
    while True:
        places = rng.uniform(AREA_MIN, AREA_MAX, (count, 2))
        gaps = np.linalg.norm(places[:, None] - places[None], axis=-1)
        if np.all(gaps[np.triu_indices(count, 1)] >= SPACING):
            return places
