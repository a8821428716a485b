"""Suites of LIBERO: which episodes, their results on disk, and the table."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vlm_robot_ros.evaluation.libero.environment import LiberoEnvironment
from vlm_robot_ros.evaluation.libero.episode import run_episode
from vlm_robot_ros.evaluation.libero.expert import LiberoExpert
from vlm_robot_ros.interfaces.policy import Policy
from vlm_robot_ros.paths import atomic_write_text
from vlm_robot_ros.process_pool import map_in_processes
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.success_rate import wilson_interval

SUITES = tuple(
    f"{suite}{variant}"
    for suite in ("spatial", "object", "goal", "10")
    for variant in ("", "_lan", "_task", "_swap", "_object")
)
"""Names of suites, without `libero_`: LIBERO's and, with an ending, LIBERO-PRO's."""
SEED, WAIT_STEPS = 7, 10
"""Of the environments, and steps in which things come to rest: as openpi's script has them."""
_MAX_STEPS = {"spatial": 220, "object": 280, "goal": 300, "10": 520}
"""Actions of an episode at most, as openpi's script has them."""
PUBLISHED_TASK = "OpenVLA 0 %, pi0.5 0 to 1 %, X-VLA at most 10 %"
"""Success of other policies in `_task`: leaderboard of LIBERO-PRO (arXiv:2510.03827)."""
CONTRACTS = {"object": "libero_floor"}
"""Contracts of the suites whose scenes are not on the table of contract `libero`."""
_environment: LiberoEnvironment | None = None
_policies: dict[str, Policy] = {}
"""By the name of the contract."""


@dataclass(frozen=True)
class LiberoOutcome:
    """An episode and what came of it."""

    suite: str
    task: int
    state: int
    """Number of the initial state."""
    name: str
    instruction: str
    success: bool
    steps: int
    hold: str
    fulfilled: bool
    """Whether the task was fulfilled before anything was done; such episodes do not count."""


@dataclass(frozen=True)
class LiberoConfig:
    """What is to be run."""

    suites: tuple[str, ...]
    episodes: int
    """Of each task: initial states from the first on."""
    seed: int = SEED
    shard: tuple[int, int] = (1, 1)
    """Which part of how many is run."""


def run_benchmark(
    make_policy: Callable[[RobotConfig], Policy],
    config: LiberoConfig,
    python: str,
    out: Path,
    about: dict[str, Any],
    workers: int,
) -> list[LiberoOutcome]:
    """Run the episodes of a shard that `out` does not hold yet; returns those of all shards.

    Args:
        make_policy: Called in each process once for each contract; must be picklable.
        config: What is to be run.
        python: An interpreter that has LIBERO: see `LiberoEnvironment`.
        out: Folder of results, one file for each shard.
        about: What is measured; `out` must hold nothing else.
        workers: Processes.

    Raises:
        ValueError: a suite that there is not, or `out` holds episodes of something else.
        LiberoError: the benchmark cannot be run.
        OSError: a worker died; what was run is kept.
    """
    unknown = [suite for suite in config.suites if suite not in SUITES]
    if unknown:
        raise ValueError(f"no suite '{unknown[0]}' of LIBERO; valid: {', '.join(SUITES)}")
    out.mkdir(parents=True, exist_ok=True)
    known, head = out / "about.json", {"seed": config.seed, **about}
    if known.exists() and json.loads(known.read_text()) != head:
        raise ValueError(f"{out} holds episodes of {known.read_text().strip()}; valid: the same")
    atomic_write_text(known, json.dumps(head) + "\n")
    environment = LiberoEnvironment(python)
    tasks = {suite: environment.tasks(f"libero_{suite}") for suite in config.suites}
    environment.close()
    most = min(states for each in tasks.values() for states in each.values())
    if not 1 <= config.episodes <= most:
        raise ValueError(
            f"{config.episodes} episodes of each task; valid: 1 to {most}, as many as there are "
            "published initial states"
        )
    wanted = [
        (suite, task, state)
        for suite in config.suites
        for task in range(len(tasks[suite]))
        for state in range(config.episodes)
    ]
    part, of = config.shard
    done = read_outcomes(out)
    missing = [item for item in wanted[part - 1 :: of] if item not in done]
    # Episodes of one task follow each other: its environment is made once.
    given = (make_policy, python, config)
    results = map_in_processes(_run, [(each,) for each in missing], workers, _begin, given)
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
    return [done[item] for item in wanted if item in done]


def read_outcomes(out: Path) -> dict[tuple[str, int, int], LiberoOutcome]:
    """Return the episodes of all shards in a folder; a line that was cut off does not count."""
    found = {}
    for path in sorted(out.glob("episodes-*-of-*.jsonl")):
        for line in path.read_text().splitlines():
            try:
                outcome = LiberoOutcome(**json.loads(line))
            except (json.JSONDecodeError, TypeError):
                continue
            found[_key(outcome)] = outcome
    return found


def benchmark_table(outcomes: Iterable[LiberoOutcome]) -> str:
    """Return successes with 95 % intervals (Wilson), by suite and by task, as Markdown."""
    rows: dict[tuple[str, str], list[LiberoOutcome]] = {}
    for outcome in outcomes:
        rows.setdefault((outcome.suite, ""), []).append(outcome)
        rows.setdefault((outcome.suite, f"{outcome.task}: {outcome.instruction}"), []).append(
            outcome
        )
    lines = ["| suite | task | successes | 95 % interval | published |", "|---|---|---|---|---|"]
    for (suite, task), members in sorted(rows.items()):
        counted = [outcome for outcome in members if not outcome.fulfilled]
        told = f"{len(members)} fulfilled at the start |"
        if counted:
            successes = sum(outcome.success for outcome in counted)
            low, high = wilson_interval(successes, len(counted))
            told = f"{successes} of {len(counted)} | {low:.1%} to {high:.1%}"
        published = PUBLISHED_TASK if suite.endswith("_task") and not task else ""
        lines.append(f"| {suite} | {task or 'all'} | {told} | {published} |")
    return "\n".join(lines)


def _key(outcome: LiberoOutcome) -> tuple[str, int, int]:
    return outcome.suite, outcome.task, outcome.state


def contract_of(suite: str) -> str:
    """Return the name of the contract of a suite's scenes."""
    return CONTRACTS.get(suite.partition("_")[0], "libero")


def _begin(
    make_policy: Callable[[RobotConfig], Policy], python: str, config: LiberoConfig
) -> None:
    global _environment, _make_policy, _config
    _environment, _make_policy, _config = LiberoEnvironment(python), make_policy, config
    _policies.clear()


def _run(item: Sequence[Any]) -> LiberoOutcome:
    assert _environment is not None
    suite, task, state = item
    name = list(_environment.tasks(f"libero_{suite}"))[task]
    contract = contract_of(suite)
    if contract not in _policies:
        _policies[contract] = _make_policy(load_robot(contract))
    policy = _policies[contract]
    instruction = _environment.open(f"libero_{suite}", task)
    begun = _environment.reset(state, _config.seed, WAIT_STEPS, policy.cameras)
    if begun.done:
        return LiberoOutcome(suite, task, state, name, instruction, False, 0, "", True)
    if isinstance(policy, LiberoExpert):
        policy.watch(_environment)
    replan_steps = int(getattr(policy, "replan_steps", 0))
    most = _MAX_STEPS[suite.partition("_")[0]]
    result = run_episode(_environment, policy, instruction, begun, most, replan_steps)
    return LiberoOutcome(
        suite, task, state, name, instruction, result.success, result.steps, result.hold, False
    )


_config = LiberoConfig((), 0)
_make_policy: Callable[[RobotConfig], Policy] = LiberoExpert
