"""The obedience suite: cells of episodes, in parallel, resumable, with intervals."""

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from vlm_robot_ros.evaluation.conditions import CONDITIONS, make_episode_spec
from vlm_robot_ros.evaluation.run_episode import Outcome, crashed, run_episode
from vlm_robot_ros.interfaces.policy import Policy
from vlm_robot_ros.paths import atomic_write_text
from vlm_robot_ros.process_pool import map_in_processes
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sim.joint_trajectory_controller import ControllerSettings
from vlm_robot_ros.sim.simulator import Simulator
from vlm_robot_ros.success_rate import wilson_interval

_DISTURBANCE_M = 0.03


@dataclass(frozen=True)
class SuiteConfig:
    """What is to be run."""

    conditions: tuple[str, ...]
    episodes: int
    """A cell."""
    seed: int
    through: str = "action"
    """How the arm is told: one of `playing.THROUGH`."""
    families: tuple[str, ...] = ()
    """Only episodes of these; all if empty."""
    controller: ControllerSettings = field(default_factory=ControllerSettings)
    """Of the trajectory controller."""


def run_suite(
    robot: RobotConfig,
    make_policy: Callable[[], Policy],
    config: SuiteConfig,
    out: Path,
    about: dict[str, Any],
    workers: int,
) -> list[Outcome]:
    """Run all episodes that `out` does not hold yet, and return all outcomes.

    Args:
        robot: The simulated arm.
        make_policy: Called once in each process; must be picklable.
        config: What is to be run.
        out: Folder for `episodes.jsonl`, and for images of what failed.
        about: What was measured; `out` must hold nothing else.
        workers: Processes.

    Raises:
        ValueError: a cell that there is not, or `out` holds episodes of something else.
        OSError: a worker died; what was run is kept.
    """
    unknown = [cell for cell in config.conditions if cell not in CONDITIONS]
    if unknown:
        raise ValueError(f"no cell {unknown[0]!r}; valid: {', '.join(CONDITIONS)}")
    (out / "failures").mkdir(parents=True, exist_ok=True)
    head = {"seed": config.seed, "through": config.through, **about}
    if config.through == "joint_trajectory":
        head["controller"] = asdict(config.controller)
    known = out / "about.json"
    if known.exists() and json.loads(known.read_text()) != head:
        raise ValueError(
            f"{out} holds episodes of {known.read_text().strip()}; choose another --out"
        )
    atomic_write_text(known, json.dumps(head) + "\n")
    log = out / "episodes.jsonl"
    done = {(o.cell, o.index): o for o in _read(log)} if log.exists() else {}
    # A run that ended in the midst of a line must not spoil the next one.
    (out / "episodes.part").write_text("".join(_line(outcome) for outcome in done.values()))
    (out / "episodes.part").replace(log)
    wanted = [(cell, index) for cell in config.conditions for index in _numbers(cell, config)]
    missing = [item for item in wanted if item not in done]
    given = (robot, make_policy, config, out / "failures")
    outcomes = map_in_processes(_run, missing, workers, _begin, given)
    bar = tqdm(desc="episodes", total=len(wanted), initial=len(wanted) - len(missing))
    with closing(outcomes), bar, log.open("a") as file:
        try:
            for outcome in outcomes:
                done[(outcome.cell, outcome.index)] = outcome
                file.write(_line(outcome))
                file.flush()
                bar.update()
        except ChildProcessError as error:
            raise OSError(f"{error}; {out} keeps what was run: call again") from error
    return [done[item] for item in wanted]


def _numbers(cell: str, config: SuiteConfig) -> list[int]:
    """Return which episodes of a cell are to be run."""
    if not config.families:
        return list(range(config.episodes))
    found: list[int] = []
    number = 0
    while len(found) < config.episodes and number < 50 * config.episodes:
        if make_episode_spec(cell, config.seed, number).family in config.families:
            found.append(number)
        number += 1
    if not found:
        raise ValueError(f"cell '{cell}' has no family of {', '.join(config.families)}")
    return found


def _line(outcome: Outcome) -> str:
    return json.dumps(asdict(outcome)) + "\n"


def _read(log: Path) -> list[Outcome]:
    rows = []
    for line in log.read_text().splitlines():
        try:
            fields = json.loads(line)
        except json.JSONDecodeError:
            continue  # the run ended in the midst of this line
        try:
            rows.append(
                Outcome(
                    **{**fields, **{k: tuple(fields.get(k, ())) for k in ("said", "executed")}}
                )
            )
        except (TypeError, KeyError) as error:
            raise ValueError(f"'{log}' has no episode in {line[:80]!r}: {error!r}") from error
    return rows


_worker: tuple[Simulator, Policy, SuiteConfig, Path] | None = None


def _begin(
    robot: RobotConfig, make_policy: Callable[[], Policy], config: SuiteConfig, failures: Path
) -> None:
    global _worker
    torch.set_num_threads(1)
    _worker = (Simulator(robot, config.controller), make_policy(), config, failures)


def _run(cell: str, index: int) -> Outcome:
    assert _worker is not None
    sim, policy, config, failures = _worker
    seed, through = config.seed, config.through
    try:
        outcome, image = run_episode(sim, policy, cell, seed, index, through)
    except Exception as error:  # a policy is anybody's code
        return crashed(cell, seed, index, error)
    if not outcome.success:
        name = f"{outcome.cell.replace(' ', '-')}-{outcome.index:04d}.jpg"
        Image.fromarray(image).save(failures / name, quality=85)
    return outcome


def summarize_outcomes(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Return, of each cell and each family in it, episodes, successes and the Wilson interval.

    Of a cell also in how many episodes another thing was moved by more than 3 cm, the largest
    joint speed as a part of its limit, how far a joint was outside its limits [rad], and the
    largest velocity, acceleration and jerk that a trajectory controller executed.
    """
    table: dict[str, dict[str, Any]] = {}
    for cell in dict.fromkeys(outcome.cell for outcome in outcomes):
        of_cell = [outcome for outcome in outcomes if outcome.cell == cell]
        families = dict.fromkeys(sorted(outcome.family for outcome in of_cell))
        table[cell] = {
            **_rate([outcome.success for outcome in of_cell]),
            "others_moved": sum(outcome.disturbed > _DISTURBANCE_M for outcome in of_cell),
            "joint_speed": max(outcome.speed for outcome in of_cell),
            "joint_outside": max(outcome.outside for outcome in of_cell),
            "executed": np.max([outcome.executed for outcome in of_cell], axis=0).tolist()
            if all(outcome.executed for outcome in of_cell)
            else [],
            "families": {
                family: _rate([o.success for o in of_cell if o.family == family])
                for family in families
            },
        }
    return table


def _rate(successes: list[bool]) -> dict[str, Any]:
    low, high = wilson_interval(sum(successes), len(successes))
    return {
        "episodes": len(successes),
        "successes": sum(successes),
        "rate": round(sum(successes) / len(successes), 4),
        "wilson_95": [round(low, 4), round(high, 4)],
    }
