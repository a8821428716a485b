"""What a model of transfers tells apart in LIBERO's scenes, as large as the simulator has it."""

from collections.abc import Iterable

import numpy as np

from vlm_robot_ros.evaluation.libero.things import DRAWER, KINDS, geometries, kind_of
from vlm_robot_ros.manipulation.geometry import ObjectGeometry
from vlm_robot_ros.models.transfer.config import ThingConfig
from vlm_robot_ros.sim.libero.environment import SceneTruth


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
