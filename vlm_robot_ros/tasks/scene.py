"""A scene: what lies where on the table, in what light; sampled by seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.tasks.objects import (
    RECEPTACLES,
    SEEN_PAIRS,
    SHAPES,
    UNNAMED_PAIRS,
)

AREA_MIN, AREA_MAX = np.array([0.36, -0.27]), np.array([0.66, 0.27])
"""Corners of the area where things are laid. Shape (2,), base frame [m]."""
MOST_OBJECTS = 5
MOST_RECEPTACLES = 2
TRAINING_PAIRS = (*SEEN_PAIRS, *sorted(UNNAMED_PAIRS))
"""What may lie on the training's table."""


@dataclass(frozen=True)
class SceneObject:
    """One thing on the table: a movable object, or a receptacle, which has no colour."""

    colour: str
    shape: str
    x: float
    y: float
    yaw: float
    size: float = 1.0
    """Of a cube or a cylinder, as a part of the shape's own."""

    @property
    def name(self) -> str:
        """Colour and shape, as in "red cube"."""
        return f"{self.colour} {self.shape}".strip()

    @property
    def movable(self) -> bool:
        """Whether it is no receptacle."""
        return self.shape in SHAPES

    @property
    def half_height(self) -> float:
        """Half the height of an object, the rim's height of a receptacle [m]."""
        if self.movable:
            return SHAPES[self.shape].half[2] * self.size
        return RECEPTACLES[self.shape].height

    @property
    def position(self) -> np.ndarray:
        """An object's middle, the middle of a receptacle's rim. Shape (3,), base frame [m]."""
        return np.array([self.x, self.y, self.half_height])


@dataclass(frozen=True)
class VisualConditions:
    """How a scene is seen: light, table and a camera that was bumped."""

    brightness: float = 1.0
    table: tuple[float, float, float] = (0.72, 0.70, 0.66)
    """RGB of the table top in 0..1."""
    texture: int = 0
    """Number of the table's texture; 0 is plain."""
    camera_shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of the front camera from its place [m]."""
    camera_turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of the front camera, as a rotation vector in its own frame [rad]."""


@dataclass(frozen=True)
class Scene:
    """A table with movable objects, no two of one name, and then receptacles."""

    things: tuple[SceneObject, ...]
    look: VisualConditions

    @property
    def objects(self) -> list[int]:
        """Indices of the movable things."""
        return [index for index, thing in enumerate(self.things) if thing.movable]

    @property
    def receptacles(self) -> list[int]:
        """Indices of the receptacles."""
        return [index for index, thing in enumerate(self.things) if not thing.movable]


def sample_scene(
    rng: np.random.Generator,
    pairs: Sequence[tuple[str, str]] = TRAINING_PAIRS,
    include: Sequence[tuple[str, str]] = (),
    shift: float = 0.0,
) -> Scene:
    """Return a random scene of 3 to 5 objects and 1 or 2 receptacles.

    Args:
        rng: Random numbers.
        pairs: Colours and shapes that may be there.
        include: Colours and shapes that must be there.
        shift: 0 for looks as in training, 1 for looks that training never has.
    """
    count = int(rng.integers(3, MOST_OBJECTS + 1))
    chosen = list(include)
    free = [pair for pair in pairs if pair not in chosen]
    while len(chosen) < count:
        pair = free.pop(int(rng.integers(len(free))))
        chosen.append(pair)
        # Often one that shares a word with another: only both words tell them apart.
        related = [other for other in free if (other[0] == pair[0]) != (other[1] == pair[1])]
        if len(chosen) < count and related and rng.random() < 0.5:
            other = related[int(rng.integers(len(related)))]
            free.remove(other)
            chosen.append(other)
    chosen = [chosen[i] for i in rng.permutation(len(chosen))]
    kinds = [str(kind) for kind in rng.permutation(list(RECEPTACLES))]
    kinds = kinds[: int(rng.integers(1, MOST_RECEPTACLES + 1))]
    # The hand is 20 cm wide and must get past the tall ones.
    room = [0.068 if SHAPES[shape].half[2] > 0.03 else 0.056 for _, shape in chosen]
    places = _scatter(rng, room + [0.088] * len(kinds))
    things = []
    for (colour, shape), (x, y) in zip(chosen, places, strict=False):
        size = float(rng.uniform(0.9, 1.08)) if not SHAPES[shape].mesh else 1.0
        yaw = float(rng.uniform(-0.35, 0.35))
        things.append(SceneObject(colour, shape, float(x), float(y), yaw, size))
    for kind, (x, y) in zip(kinds, places[len(chosen) :], strict=True):
        things.append(SceneObject("", kind, float(x), float(y), 0.0))
    return Scene(tuple(things), sample_look(rng, shift))


def sample_look(rng: np.random.Generator, shift: float = 0.0) -> VisualConditions:
    """Return random light, table and camera; `shift` 1 takes them beyond the training's."""
    far = 1.0 + shift
    grey = rng.uniform(0.5, 0.8) if shift == 0 else rng.choice([0.38, 0.92])
    tint = rng.uniform(-0.05, 0.05, 3) * far
    table = np.clip(grey + tint, 0.0, 1.0)
    brightness = rng.uniform(0.75, 1.25) if shift == 0 else rng.choice([0.5, 1.7])
    texture = int(rng.integers(0, 5)) if shift == 0 else int(rng.integers(5, 8))
    move = rng.normal(size=3)
    turn = rng.normal(size=3)
    move *= rng.uniform(shift, far) * 0.005 / np.linalg.norm(move)
    turn *= rng.uniform(shift, far) * 0.004 / np.linalg.norm(turn)
    return VisualConditions(
        float(brightness), _triple(table), texture, _triple(move), _triple(turn)
    )


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def _scatter(rng: np.random.Generator, radii: list[float]) -> np.ndarray:
    """Return places whose circles of `radii` do not meet. Shape (len(radii), 2), [m]."""
    places: list[np.ndarray] = []
    while len(places) < len(radii):
        radius = radii[len(places)]
        for _ in range(100):
            place = rng.uniform(AREA_MIN, AREA_MAX)
            gaps = [np.linalg.norm(place - other) for other in places]
            if all(gap >= radius + other for gap, other in zip(gaps, radii, strict=False)):
                places.append(place)
                break
        else:
            places = []
    return np.array(places)
