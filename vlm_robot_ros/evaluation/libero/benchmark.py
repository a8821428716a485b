"""Suites of LIBERO: which episodes, their results on disk, and the table."""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from vlm_robot_ros.evaluation.libero.counterfactual import other_instruction
from vlm_robot_ros.evaluation.libero.episode import run_episode
from vlm_robot_ros.evaluation.libero.expert import LiberoExpert, moves_of
from vlm_robot_ros.evaluation.libero.paraphrases import Paraphrase
from vlm_robot_ros.evaluation.libero.results import LiberoOutcome, read_outcomes
from vlm_robot_ros.interfaces.policy import Policy
from vlm_robot_ros.paths import atomic_write_text
from vlm_robot_ros.process_pool import map_in_processes
from vlm_robot_ros.ray_pool import map_on_ray
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.libero.environment import LiberoEnvironment
from vlm_robot_ros.sim.libero.suites import MAX_STEPS, SEED, WAIT_STEPS, contract_of
from vlm_robot_ros.sim.libero.suites import SUITES as LIBERO_SUITES
from vlm_robot_ros.viz.video_writer import Caption, VideoWriter

COUNTERFACTUAL = "_counterfactual"
"""End of the name of a suite with its states and other instructions."""
PARA = "para"
"""Name of the suite of LIBERO-Para: the scenes of `goal`, with sentences from elsewhere."""
SUITES = (
    *LIBERO_SUITES, *(f"{suite}{COUNTERFACTUAL}" for suite in ("spatial", "object", "goal")), PARA,
)  # fmt: skip
"""Names of suites: LIBERO's, LIBERO-PRO's and those that are made here."""
_FILM_RATE = 5.0
"""Images a second in films [Hz]."""
_environment: LiberoEnvironment | None = None
_policies: dict[str, Policy] = {}
"""By the name of the contract."""


class Item(NamedTuple):
    """An episode to be run."""

    suite: str
    task: int
    """Number of the task, or of the paraphrase."""
    state: int
    scene: int
    """Number of the task whose scene it has."""
    paraphrase: Paraphrase | None = None


@dataclass(frozen=True)
class LiberoConfig:
    """What is to be run."""

    suites: tuple[str, ...]
    episodes: int
    """Of each task: initial states from the first on."""
    seed: int = SEED
    shard: tuple[int, int] = (1, 1)
    """Which part of how many is run."""
    paraphrases: tuple[Paraphrase, ...] = ()
    """Of the suite `para`."""
    answers_yes: bool = False
    """Whether what a policy proposes to do is answered with "yes"."""
    films: Path | None = None
    """Folder for films of episodes that fail, by policies that look."""


def run_benchmark(
    make_policy: Callable[[RobotConfig], Policy],
    config: LiberoConfig,
    python: str,
    out: Path,
    about: dict[str, Any],
    workers: int,
    cluster: str = "",
) -> list[LiberoOutcome]:
    """Run the episodes of a shard that `out` does not hold yet; returns those of all shards.

    Args:
        make_policy: Called in each process once for each contract; must be picklable.
        config: What is to be run.
        python: An interpreter that has LIBERO: see `LiberoEnvironment`.
        out: Folder of results, one file for each shard.
        about: What is measured; `out` must hold nothing else.
        workers: Processes.
        cluster: Address of a Ray cluster that they run on; empty: on this machine.

    Raises:
        ValueError: a suite that there is not, `out` holds episodes of something else, or there
            is no such cluster.
        LiberoError: the benchmark cannot be run.
        OSError: a worker died; what was run is kept.
    """
    unknown = [suite for suite in config.suites if suite not in SUITES]
    if unknown:
        raise ValueError(f"no suite '{unknown[0]}' of LIBERO; valid: {', '.join(SUITES)}")
    if (PARA in config.suites) != bool(config.paraphrases):
        raise ValueError(f"the suite '{PARA}' needs --paraphrases, and only it takes them")
    out.mkdir(parents=True, exist_ok=True)
    known, head = out / "about.json", {"seed": config.seed, **about}
    if known.exists() and json.loads(known.read_text()) != head:
        raise ValueError(f"{out} holds episodes of {known.read_text().strip()}; valid: the same")
    atomic_write_text(known, json.dumps(head) + "\n")
    wanted = _items(config, python)
    part, of = config.shard
    done = read_outcomes(out)
    missing = [item for item in wanted[part - 1 :: of] if item[:3] not in done]
    # Episodes of one task follow each other: its environment is made once.
    given = (make_policy, python, config)
    run_all = functools.partial(map_on_ray, cluster) if cluster else map_in_processes
    results = run_all(_run, [(each,) for each in missing], workers, _begin, given)
    bar = tqdm(results, "episodes", len(missing))
    with (out / f"episodes-{part}-of-{of}.jsonl").open("a") as file:
        file.write("\n")  # the last line of a run that was killed may be cut off
        try:
            for outcome in bar:
                file.write(json.dumps(asdict(outcome)) + "\n")
                file.flush()
        except ChildProcessError as error:
            raise OSError(f"{error}; {out} keeps what was run: call again") from error
    done = read_outcomes(out)  # others run their parts meanwhile
    return [done[item[:3]] for item in wanted if item[:3] in done]


def _items(config: LiberoConfig, python: str) -> list[Item]:
    """Return all episodes of a configuration, those of one task after each other.

    Raises:
        ValueError: there are not so many initial states, or no such task.
        LiberoError: the benchmark cannot be run.
    """
    environment = LiberoEnvironment(python)
    try:
        tasks = {suite: environment.tasks(_scenes(suite)) for suite in config.suites}
        said = [environment.open(_scenes(PARA), task) for task in range(len(tasks[PARA]))] \
            if PARA in tasks else []  # fmt: skip
    finally:
        environment.close()
    most = min(states for each in tasks.values() for states in each.values())
    if not 1 <= config.episodes <= most:
        raise ValueError(
            f"{config.episodes} episodes of each task; valid: 1 to {most}, as many as there are "
            "published initial states"
        )
    states = range(config.episodes)
    items = [
        Item(suite, task, state, task)
        for suite in config.suites if suite != PARA
        for task in range(len(tasks[suite]))
        for state in states
    ]  # fmt: skip
    unknown = [each.original for each in config.paraphrases if each.original not in said]
    if unknown:
        raise ValueError(f"no task of LIBERO is '{unknown[0]}'; valid: {', '.join(said)}")
    of_task = sorted(config.paraphrases, key=lambda each: said.index(each.original))
    return items + [
        Item(PARA, each.number, state, said.index(each.original), each)
        for each in of_task for state in states
    ]  # fmt: skip


def _scenes(suite: str) -> str:
    """Return the benchmark's name of the suite whose scenes a suite has."""
    return "libero_goal" if suite == PARA else f"libero_{suite.removesuffix(COUNTERFACTUAL)}"


def _begin(
    make_policy: Callable[[RobotConfig], Policy], python: str, config: LiberoConfig
) -> None:
    torch.set_num_threads(1)
    global _environment, _make_policy, _config
    _environment, _make_policy, _config = LiberoEnvironment(python), make_policy, config
    _policies.clear()


def _run(item: Item) -> LiberoOutcome:
    assert _environment is not None
    suite, number, state, task, paraphrase = item
    name = list(_environment.tasks(_scenes(suite)))[task]
    contract = contract_of(suite)
    if contract not in _policies:
        _policies[contract] = _make_policy(load_robot(contract))
    policy = _policies[contract]
    instruction = _environment.open(_scenes(suite), task)
    kind = ""
    if paraphrase is not None:
        instruction, kind = paraphrase.text, paraphrase.kind
    begun = _environment.reset(state, _config.seed, WAIT_STEPS, policy.cameras)
    outcome = LiberoOutcome(
        suite, number, state, name, instruction, False, 0, "", begun.done,
        moves_of(_environment.goal()) is not None, kind,
    )  # fmt: skip
    if suite.endswith(COUNTERFACTUAL):
        goals = _environment.goal()
        seed = (_config.seed, number, state)
        other = (
            other_instruction(goals[0], _environment.scene(), seed) if outcome.covered else None
        )
        if other is None:
            return replace(outcome, skipped=True)
        instruction, goal = other
        outcome = replace(outcome, instruction=instruction, fulfilled=_environment.set_goal(goal))
    if outcome.fulfilled:
        return outcome
    if isinstance(policy, LiberoExpert):
        policy.watch(_environment)
    replan_steps = int(getattr(policy, "replan_steps", 0))
    most = MAX_STEPS["goal" if suite == PARA else suite.partition("_")[0]]
    yes = _config.answers_yes
    result = run_episode(_environment, policy, instruction, begun, most, replan_steps, yes)
    if _config.films is not None and not result.success and result.frames:
        _save_film(_config.films / f"{suite}-{number}-{state}.mp4", result.frames)
    return replace(outcome, success=result.success, steps=result.steps, hold=result.hold,
                   confirmed=result.confirmed)  # fmt: skip


def _save_film(path: Path, frames: Sequence[tuple[np.ndarray, Caption]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    film = VideoWriter(path, _FILM_RATE)
    for image, caption in frames:
        film.add(image, caption)
    film.close()


_config = LiberoConfig((), 0)
_make_policy: Callable[[RobotConfig], Policy] = LiberoExpert
