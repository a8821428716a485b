"""Demonstrations on LIBERO: the scripted expert carries things about, in scattered scenes.

What is recorded is labelled by the simulator. No published initial state and no sentence is used.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vlm_robot_ros.evaluation.libero.episode import follow_chunk
from vlm_robot_ros.evaluation.libero.things import (
    DRAWER,
    KINDS,
    drawer_is_open,
    geometries,
    kind_of,
)
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.manipulation.geometry import GraspError, ObjectGeometry, place_on
from vlm_robot_ros.manipulation.transfer import rollout
from vlm_robot_ros.manipulation.transfer_task import TransferTask, transfer_chunk
from vlm_robot_ros.robot.config import Workspace
from vlm_robot_ros.sim.libero.environment import (
    ArmState,
    LiberoEnvironment,
    LiberoError,
    SceneTruth,
)

NOUNS = (*(kind.noun for kind in KINDS.values()), DRAWER.noun)
"""What is told apart."""
SCENES = (
    *((suite, task % 10) for suite in ("spatial", "object") for task in range(20)),
    *(("goal", 1) for _ in range(8)),
)  # fmt: skip
"""Suites and tasks whose scenes are scattered; each as often as it stands here."""
CELL = 4
"""Side of the square of pixels that has one label [px]."""
_SCATTERED, _MOVED, _ON_TOP = 0.7, 0.6, 0.4
"""How many scenes are changed; of their things how many are moved; of these how many onto
others."""
_AREA = ((-0.27, -0.3), (0.16, 0.32))
"""Where things are put: x and y from, to [m]."""
_SCATTERINGS, _DECISIONS, _STEPS_A_DECISION, _DECISIONS_A_FRAME = 3, 24, 4, 2
"""How often an episode begins anew; decisions from there on; the benchmark's steps from one to the
next; every which is recorded."""
_NEXT_TRIP = 0.2
"""How likely another thing is carried at a decision after one was let go of."""


def record_episode(
    env: LiberoEnvironment, number: int, seed: int, workspace: Workspace, out: Path
) -> int:
    """Record one episode into `out`; returns how many frames it has.

    Args:
        env: Any; another task is opened in it.
        number: Of the episode: decides with the seed what is in it.
        seed: Of the recording.
        workspace: Of the arm.
        out: Folder.
    """
    rng = np.random.default_rng([seed, number])
    suite, task = SCENES[int(rng.integers(len(SCENES)))]
    env.open(f"libero_{suite}", task)
    frames: list[dict[str, np.ndarray]] = []
    for _ in range(_SCATTERINGS):
        placing, moves = int(rng.integers(2**31)), dict[str, np.ndarray]()
        if rng.random() < _SCATTERED:
            env.scatter(placing, {})
            moves = _scattered(rng, geometries(env.scene()))
        frames += _record(env, env.scatter(placing, moves), rng, workspace)
    stacked = {key: np.stack([frame[key] for frame in frames]) for key in frames[0]}
    with (out / f"{number:05d}.part").open("wb") as file:
        np.savez_compressed(file, **stacked, scene=np.array(suite))  # type: ignore[arg-type]
    (out / f"{number:05d}.part").replace(out / f"{number:05d}.npz")
    return len(frames)


def _record(
    env: LiberoEnvironment, state: ArmState, rng: np.random.Generator, workspace: Workspace
) -> list[dict[str, np.ndarray]]:
    """Carry things about from a state on; returns the labelled frames."""
    frames: list[dict[str, np.ndarray]] = []
    trip: TransferTask | None = None
    target = ""
    for decision in range(_DECISIONS):
        things = geometries(env.scene())
        if trip is None or (trip.placed and rng.random() < _NEXT_TRIP):
            trip, target = _begin(rng, things, workspace)
        trip.see(things[target], state.pose[:3])
        seen = Observation({}, state.pose, state.opening, "")
        plan = rollout(trip.state(seen), 2)
        trip.commanded(plan)
        cameras = ["front"] if decision % _DECISIONS_A_FRAME == 0 else []
        chunk = transfer_chunk(seen, plan, "")
        state = follow_chunk(env, chunk, state, _STEPS_A_DECISION, cameras)
        if cameras:
            labels, anchors = _labels(env, env.scene())
            frames.append(
                {"image": state.images["front"], "labels": labels, "anchors": anchors,
                 "tool": state.pose[:3], "opening": np.array(state.opening)}
            )  # fmt: skip
    return frames


def _begin(
    rng: np.random.Generator, things: Mapping[str, ObjectGeometry], workspace: Workspace
) -> tuple[TransferTask, str]:
    """Return a random thing to be carried to a random place, and its name."""
    movable = [name for name in things if (kind := kind_of(name)) and kind.movable]
    for _ in range(20):
        target = movable[int(rng.integers(len(movable)))]
        others = [name for name in things if name != target]
        place = place_on(things[others[int(rng.integers(len(others)))]])
        around = [things[name] for name in others]
        try:
            return TransferTask(things[target], place, around, workspace), target
        except GraspError:
            continue
    raise LiberoError(f"none of {movable} can be gripped")


def _scattered(
    rng: np.random.Generator, things: Mapping[str, ObjectGeometry]
) -> dict[str, np.ndarray]:
    """Return where some things are put, away from the others or onto one of them."""
    places: dict[str, np.ndarray] = {}
    movable = [name for name in things if (kind := kind_of(name)) and kind.movable]
    standing = {name: thing for name, thing in things.items() if rng.random() > _MOVED
                or name not in movable}  # fmt: skip
    ground = min(float(things[name].base[2]) for name in movable)
    used: set[str] = set()
    for name in movable:
        if name in standing:
            continue
        thing, lower = things[name], [other for other in standing if other not in used]
        if rng.random() < _ON_TOP and lower:
            other = lower[int(rng.integers(len(lower)))]
            used.add(other)
            base = standing[other].place + np.array([0.0, 0.0, 0.01])
        else:
            found = _free(rng, thing, list(standing.values()))
            if found is None:
                continue
            base = np.array([*found, ground + 0.01])
        standing[name] = ObjectGeometry(base, thing.size, hollow=thing.hollow, spot=thing.spot)
        # The file's own places are of the body, not of the box.
        places[name] = np.array([*(base - thing.base), 0.0])
    return places


def _free(
    rng: np.random.Generator, thing: ObjectGeometry, others: Sequence[ObjectGeometry]
) -> np.ndarray | None:
    """Return a place on the ground that is clear of others, shape (2,); None: none was found."""
    for _ in range(30):
        place = rng.uniform(*_AREA)
        gaps = [np.abs(place - other.base[:2]) - (thing.size + other.size)[:2] / 2 - 0.02
                for other in others]  # fmt: skip
        if all(gap.max() > 0 for gap in gaps):
            return place
    return None


def _labels(env: LiberoEnvironment, truth: SceneTruth) -> tuple[np.ndarray, np.ndarray]:
    """Return what each cell of the image shows, and where that is.

    Returns:
        Numbers, 0 for nothing known, shape (rows, columns); and for each number from 1 on the
        noun, and the base or, of fixtures, where things are put on it, [m]. Shape (N, 4).
    """
    bodies, names = env.segments()
    things = geometries(truth)
    number = np.zeros(len(names), np.uint8)
    rows = []
    for index, (name, thing) in enumerate(things.items()):
        kind = kind_of(name)
        assert kind is not None
        rows.append([NOUNS.index(kind.noun), *(thing.place if kind.region else thing.base)])
        for body, called in enumerate(names):
            if called.startswith(f"{name}_"):
                number[body] = index + 1
    for cabinet in [name for name in things if name.startswith("wooden_cabinet")]:
        if drawer_is_open(truth, cabinet):
            rows.append([NOUNS.index(DRAWER.noun), *truth.regions[f"{cabinet}_top_region"]])
            for body, called in enumerate(names):
                if called == f"{cabinet}_cabinet_top":
                    number[body] = len(rows)
    padded = np.full((16, 4), -1.0)
    padded[: len(rows)] = rows
    return number[bodies[CELL // 2 :: CELL, CELL // 2 :: CELL]], padded
