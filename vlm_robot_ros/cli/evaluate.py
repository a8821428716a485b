"""`vlm-robot evaluate`: measure how well a policy obeys, in unseen scenes."""

import argparse
import dataclasses
import functools
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from vlm_robot_ros.cli import evaluate_libero
from vlm_robot_ros.cli.argument_types import int_at_least
from vlm_robot_ros.cli.node_processes import add_map_option

if TYPE_CHECKING:
    from vlm_robot_ros.sim.joint_trajectory_controller import ControllerSettings


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("evaluate", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("--env", choices=("table", "libero"), default="table",
                        help="the package's table, or the LIBERO benchmark")  # fmt: skip
    parser.add_argument("--suite", default="", help="of the table: seen, one cell, or obedience, "
                        "all; of LIBERO: goal, goal_task, ..., with commas between")  # fmt: skip
    parser.add_argument("--cells", help="some cells instead, separated by commas")
    parser.add_argument("--families", help="episodes of some families only, with commas between")
    parser.add_argument("--through", default="", help="how the arm is told: action, the default, "
                        "or as by a sink: joint_trajectory, pose, twist")  # fmt: skip
    parser.add_argument("--controller", default="", help="settings of the trajectory controller, "
                        "as rate=250,interpolate_from_desired_state=true")  # fmt: skip
    parser.add_argument("--policy", default="fusion", help="fusion, hold, blind, module:Class, "
                        "openpi://HOST:PORT, or a name that a package registers")  # fmt: skip
    add_map_option(parser)
    parser.add_argument("--checkpoint", type=Path, help="folder; the shipped one if not given")
    parser.add_argument("--parser", default="", help="of sentences: a folder of train-parser, or "
                        "checkpoint for its own words; the shipped one if not given")  # fmt: skip
    parser.add_argument("--episodes", type=int_at_least(1),
                        help="of a cell, 100; of a task of LIBERO, 10")  # fmt: skip
    parser.add_argument("--seed", type=int_at_least(0), help="0, or LIBERO's 7, if not given")
    parser.add_argument("--libero-python", default="", help="an interpreter that has LIBERO")
    parser.add_argument("--paraphrases", default="", help="of LIBERO's suite para: the table of "
                        "LIBERO-Para, a folder with its repository, or its address")  # fmt: skip
    parser.add_argument("--sample", type=int_at_least(1), help="so many random ones of these")
    parser.add_argument("--confirm", action="store_true", help="of LIBERO: answer yes to what the "
                        "policy proposes; the table says how often")  # fmt: skip
    parser.add_argument("--films", type=Path, help="folder for films of LIBERO's failures")
    parser.add_argument("--shard", default="1/1", help="of LIBERO: run part I of N, as 1/4; "
                        "parts with one --out are reported together")  # fmt: skip
    parser.add_argument("--ray", default="", metavar="ADDRESS", help="of LIBERO: run the workers "
                        "on this Ray cluster; auto: the one of this machine")  # fmt: skip
    parser.add_argument("--workers", type=int_at_least(1), default=2, help="processes")
    parser.add_argument("--robot", default="", help="contract; panda_sim if not given")
    parser.add_argument("--out", type=Path, help="folder to resume from; runs/evaluate-...")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it, print the tables and write the report; what `--out` holds is not run again."""
    if args.env == "libero":
        args.suite = args.suite or "goal"
        return evaluate_libero.run(args)
    for name in evaluate_libero.OPTIONS_OF_LIBERO:
        if getattr(args, name):
            raise ValueError(f"--{name.replace('_', '-')} is not for --env table; valid: libero")
    args.suite, args.seed = args.suite or "seen", args.seed or 0
    args.through, args.robot = args.through or "action", args.robot or "panda_sim"
    args.episodes = args.episodes or 100
    if args.suite not in ("seen", "obedience"):
        raise ValueError(f"--suite '{args.suite}'; valid: seen, obedience")
    from vlm_robot_ros.evaluation.closed_loop import CONTROL_INTERFACES
    from vlm_robot_ros.evaluation.conditions import CONDITIONS
    from vlm_robot_ros.evaluation.suite import SuiteConfig, run_suite, summarize_outcomes
    from vlm_robot_ros.evaluation.suite_report import (
        conditions_table,
        confusion_table,
        contact_sheet,
    )
    from vlm_robot_ros.paths import SHIPPED_CHECKPOINT, shipped_checkpoint
    from vlm_robot_ros.policies.factory import load_policy
    from vlm_robot_ros.provenance import checkpoint_hash, git_hash
    from vlm_robot_ros.robot.loader import contract_file, load_robot
    from vlm_robot_ros.sim.simulator import Simulator
    from vlm_robot_ros.tasks.tasks import FAMILIES

    cells = tuple(CONDITIONS) if args.suite == "obedience" else (args.suite,)
    if args.cells:
        cells = tuple(dict.fromkeys(cell.strip() for cell in args.cells.split(",")))
    families = tuple(args.families.split(",")) if args.families else ()
    for what, given, valid in (("--families", families, tuple(FAMILIES)),
                               ("--through", (args.through,), CONTROL_INTERFACES)):  # fmt: skip
        unknown = [name for name in given if name not in valid]
        if unknown:
            raise ValueError(f"{what} {unknown[0]!r}; valid: {', '.join(valid)}")
    controller = controller_settings(args.controller)
    checkpoint = args.checkpoint or shipped_checkpoint()
    robot = load_robot(args.robot)
    make = functools.partial(
        load_policy, args.policy, robot, checkpoint, parser=args.parser, policy_map=args.map
    )
    make()  # what is wrong with it is said before workers start
    Simulator(robot).close()
    about = {
        "robot": args.robot,
        "contract_sha256": hashlib.sha256(contract_file(args.robot).read_bytes()).hexdigest(),
        "policy": args.policy,
        "checkpoint_sha256": checkpoint_hash(checkpoint),
        "map": args.map,
        "parser": args.parser or SHIPPED_CHECKPOINT,
        "git": git_hash(),
    }
    name = "-".join(
        ["evaluate", robot.name, args.through, re.sub(r"[^\w.]+", ".", args.policy),
         about["checkpoint_sha256"][:8], about["git"], str(args.seed)]
    )  # fmt: skip
    out = args.out or Path("runs") / name
    outcomes = run_suite(
        robot,
        make,
        SuiteConfig(cells, args.episodes, args.seed, args.through, families, controller),
        out,
        about,
        args.workers,
    )
    table = summarize_outcomes(outcomes)
    text = f"{conditions_table(table)}\n\n{confusion_table(outcomes)}\n"
    for cell, figures in table.items():
        if figures["executed"]:
            parts = zip(("velocity", "acceleration", "jerk"), figures["executed"], strict=True)
            text += f"\n{cell}: the controller executed at most "
            text += ", ".join(f"{part:.2f} of the {name} limit" for name, part in parts) + "\n"
    print(text)
    (out / "report.md").write_text(text)
    content = {"seed": args.seed, "through": args.through, **about, "cells": table}
    for path in filter(None, (out / "report.json", args.json)):
        path.write_text(json.dumps(content, indent=2) + "\n")
    contact_sheet(outcomes, out / "failures", out / "failures.png")
    print(f"report in {out}")
    return 0


def controller_settings(text: str) -> "ControllerSettings":
    """Return settings written as `name=value`, separated by commas.

    Raises:
        ValueError: an unknown name, or a value that is not of its type.
    """
    from vlm_robot_ros.sim.joint_trajectory_controller import ControllerSettings

    known = dataclasses.asdict(ControllerSettings())
    values: dict[str, Any] = {}
    for item in filter(None, text.split(",")):
        name, _, value = item.partition("=")
        if name not in known:
            raise ValueError(f"--controller {name!r}; valid: {', '.join(known)}")
        content = yaml.safe_load(value)
        kind = type(known[name])
        if isinstance(content, bool) is not (kind is bool) or not isinstance(content, int | float):
            raise ValueError(f"--controller {item!r}; valid: {name}={known[name]}")
        values[name] = kind(content)
    settings = ControllerSettings(**values)
    if not 50.0 <= settings.rate <= 1000.0:
        raise ValueError(f"--controller rate={settings.rate:g}; valid: 50 to 1000 Hz")
    return settings
