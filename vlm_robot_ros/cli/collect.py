"""`vlm-robot collect`: record demonstrations of the scripted expert, or of a policy."""

import argparse
import functools
from collections.abc import Callable
from pathlib import Path

from vlm_robot_ros.cli.argument_types import int_at_least


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("collect", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("--out", type=Path, default=Path("data/demos"), help="folder to write to")
    parser.add_argument("--episodes", type=int_at_least(1), default=1000, help="episodes in all")
    parser.add_argument(
        "--seed", type=int_at_least(0), default=1_000_000, help="of the first episode"
    )
    parser.add_argument("--workers", type=int_at_least(1), default=2, help="processes")
    parser.add_argument("--checkpoint", type=Path, help="let this policy act (DAgger)")
    parser.add_argument("--robot", default="panda_sim", help="name or file of the contract")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it; what is there already is not recorded again."""
    from vlm_robot_ros.robot.loader import load_robot
    from vlm_robot_ros.sim.demonstrations import DemonstrationRecorder, collect

    robot = load_robot(args.robot)
    make: Callable[[], DemonstrationRecorder] = functools.partial(DemonstrationRecorder, robot)
    if args.checkpoint:
        from vlm_robot_ros.training.dagger import DaggerRecorder

        make = functools.partial(DaggerRecorder, robot, args.checkpoint)
    new = collect(args.out, args.episodes, args.seed, args.workers, make)
    print(f"{new} new episodes; {args.episodes} in {args.out}")
    return 0
