"""`vlm-robot evaluate`: measure a checkpoint in closed loop, in unseen scenes."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("evaluate", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("--checkpoint", type=Path, help="folder; the shipped one if not given")
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first episode")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--robot", default="panda_sim", help="name or file of the contract")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it and print the table."""
    from vlm_robot_ros.contract.load import load_robot
    from vlm_robot_ros.evaluation.closed_loop import evaluate, summarise
    from vlm_robot_ros.paths import share_dir

    if args.episodes < 1:
        raise ValueError(f"--episodes is {args.episodes}; it must be 1 or more")
    checkpoint = args.checkpoint or share_dir() / "checkpoints" / "panda_sim"
    robot = load_robot(args.robot)
    outcomes = evaluate(robot, checkpoint, args.episodes, args.seed, args.workers)
    table = summarise(outcomes)
    print(f"{'skill':<13}{'episodes':>9}{'success':>9}{'rate':>8}   95 % interval")
    for name, row in table.items():
        print(
            f"{name:<13}{row['episodes']:>9}{row['successes']:>9}{row['rate']:>8.1%}"
            f"   {row['low']:.1%} to {row['high']:.1%}"
        )
    if args.json:
        content = {
            "seed": args.seed,
            "checkpoint": str(args.checkpoint or "shipped"),
            "skills": table,
            "episodes": [asdict(outcome) for outcome in outcomes],
        }
        args.json.write_text(json.dumps(content, indent=2) + "\n")
    return 0
