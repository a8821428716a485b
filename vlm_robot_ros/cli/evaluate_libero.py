"""`vlm-robot evaluate --env libero`: measure a policy on the LIBERO benchmark and its variants."""

import argparse
import functools
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vlm_robot_ros.interfaces.policy import Policy
    from vlm_robot_ros.robot.config import RobotConfig

EPISODES = 10
"""Episodes of each task."""
EXPERT = "expert"
"""Name of the policy that knows from the simulator where everything is."""
OPTIONS_OF_LIBERO = ("paraphrases", "sample", "confirm", "films", "ray", "libero_python")
OPTIONS_OF_THE_TABLE = ("cells", "families", "through", "controller", "parser", "robot")


def run(args: argparse.Namespace) -> int:
    """Run it and print the table; what `--out` holds is not run again."""
    from vlm_robot_ros.evaluation.libero.benchmark import (
        LiberoConfig,
        run_benchmark,
    )
    from vlm_robot_ros.evaluation.libero.paraphrases import read_paraphrases, sample
    from vlm_robot_ros.evaluation.libero.results import benchmark_table
    from vlm_robot_ros.paths import checkpoint_folder
    from vlm_robot_ros.provenance import checkpoint_hash, git_hash
    from vlm_robot_ros.robot.loader import load_robot
    from vlm_robot_ros.sim.libero.environment import LiberoError
    from vlm_robot_ros.sim.libero.suites import SEED, contract_of

    given = [name for name in OPTIONS_OF_THE_TABLE if getattr(args, name)]
    if given:
        raise ValueError(f"--{given[0]} is not for --env libero; valid: --env table")
    seed = SEED if args.seed is None else args.seed
    make = functools.partial(make_policy, args.policy, args.checkpoint, args.map)
    suites = tuple(dict.fromkeys(name.strip() for name in args.suite.split(",")))
    for contract in dict.fromkeys(map(contract_of, suites)):
        make(load_robot(contract))  # what is wrong is said before workers start
    if args.sample and not args.paraphrases:
        raise ValueError(f"--sample {args.sample}; valid: with --paraphrases")
    said = read_paraphrases(args.paraphrases) if args.paraphrases else []
    if args.sample:
        said = sample(said, args.sample, seed)
    config = LiberoConfig(
        suites,
        args.episodes or EPISODES,
        seed,
        parse_shard(args.shard),
        tuple(said),
        args.confirm,
        args.films,
    )
    about = {
        "policy": args.policy,
        "map": args.map,
        "checkpoint_sha256": checkpoint_hash(checkpoint_folder(args.checkpoint)),
        "paraphrases_sha256": hashlib.sha256(repr(said).encode()).hexdigest() if said else "",
        "git": git_hash(),
        **({"confirm": True} if args.confirm else {}),
    }
    folder = ["libero", re.sub(r"[^\w.]+", ".", args.policy), about["checkpoint_sha256"][:8],
              about["git"], str(seed), *(["confirm"] if args.confirm else [])]  # fmt: skip
    out = args.out or Path("runs") / "-".join(folder)
    try:
        outcomes = run_benchmark(
            make, config, args.libero_python, out, about, args.workers, args.ray
        )
    except LiberoError as error:
        raise ValueError(str(error)) from error
    text = benchmark_table(outcomes) + "\n"
    print(text)
    (out / "report.md").write_text(text)
    if args.json:
        args.json.write_text(json.dumps([vars(outcome) for outcome in outcomes], indent=1) + "\n")
    print(f"{len(outcomes)} episodes in {out}")
    return 0


def make_policy(
    name: str, checkpoint: str | None, policy_map: str, robot: "RobotConfig"
) -> "Policy":
    """Return a policy by its name: `EXPERT`, or one of `load_policy`."""
    from vlm_robot_ros.evaluation.libero.expert import LiberoExpert
    from vlm_robot_ros.policies.factory import load_policy

    if name == EXPERT:
        return LiberoExpert(robot)
    return load_policy(name, robot, checkpoint, policy_map=policy_map)


def parse_shard(text: str) -> tuple[int, int]:
    """Return which part of how many, of `2/4`.

    Raises:
        ValueError: it is not of that form, or there is no such part.
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError(f"--shard '{text}'; valid: I/N, I from 1 to N")
    return int(found[1]), int(found[2])
