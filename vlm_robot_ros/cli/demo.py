"""`vlm-robot demo`: the simulated arm obeys a programme of commands, or yours, over ROS 2."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, TextIO

_NODES = ("arm_sim", "policy", "recorder")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("demo", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("--seed", type=int, default=1, help="of scenes and commands")
    parser.add_argument("--out", type=Path, help="folder of the results; runs/<time> if not given")
    parser.add_argument("--commands", type=int, default=0, help="give only so many; 0: all")
    parser.add_argument("--interactive", action="store_true", help="you type the commands")
    parser.add_argument("--checkpoint", type=Path, help="folder; the shipped one if not given")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Start the three nodes, run the demo beside them, end them, and print what came of it."""
    try:
        from vlm_robot_ros.nodes.demo_node import conducting, perform
        from vlm_robot_ros.nodes.interactive import converse
        from vlm_robot_ros.nodes.stage import StageError
    except ModuleNotFoundError as error:
        raise ValueError(
            f"the demo needs ROS 2 ({error}): `make setup`, then `. ./env.sh`"
        ) from error
    from vlm_robot_ros.evaluation.report import table
    from vlm_robot_ros.paths import config_dir, dds_profile_variable

    if not 0 <= args.seed < 2**31:
        raise ValueError(f"--seed is {args.seed}; it must be 0 to 2147483647")
    out = (args.out or Path("runs") / time.strftime("%Y%m%d-%H%M%S")).resolve()
    if (out / "bag").exists():
        raise ValueError(f"--out: '{out}' has a bag already; name another folder")
    out.mkdir(parents=True, exist_ok=True)
    # Nobody else's nodes: a domain of this run's own, unless one was chosen.
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    os.environ.setdefault(dds_profile_variable(), str(config_dir() / "fastdds.xml"))
    settings: dict[str, dict[str, Any]] = {
        "arm_sim": {"seed": args.seed},
        "policy": {"use_sim_time": "true"},
        "recorder": {
            "use_sim_time": "true",
            "bag": out / "bag",
            "robot": "panda_sim",
            "about": f"'demo, seed {args.seed}'",
        },
    }
    if args.checkpoint:
        settings["policy"]["checkpoint"] = args.checkpoint.resolve()
    own = {"seed": args.seed, "out": out, "commands": args.commands}
    processes: dict[str, subprocess.Popen] = {}

    def alive() -> str:
        dead = [name for name, process in processes.items() if process.poll() is not None]
        return ", ".join(f"{name}_node" for name in dead)

    summary = None
    with (out / "nodes.log").open("w") as log, conducting(["--ros-args", *_assign(own)]) as node:
        try:
            for name in _NODES:
                processes[name] = _start(name, settings[name], log)
            if args.interactive:
                converse(node, alive, args.seed)
            else:
                summary = perform(node, alive)
        except StageError as error:
            tail = (out / "nodes.log").read_text().splitlines()[-8:]
            raise ValueError("\n".join([str(error), *tail])) from error
        except KeyboardInterrupt:
            print("ended by hand")
        finally:
            _end(processes)
    if summary:
        print(f"\n{table(summary)}\n")
    for name, what in (("demo.mp4", "video"), ("bag", "bag"), ("summary.json", "summary")):
        if (out / name).exists():
            print(f"{what:<8} {out / name}")
    return 0


def _start(name: str, parameters: dict, log: TextIO) -> subprocess.Popen:
    code = f"import sys; from vlm_robot_ros.nodes.{name}_node import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "--ros-args", *_assign(parameters)]
    # In a group of its own: Ctrl-C is for the demo, which ends its nodes in order.
    return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def _assign(parameters: dict) -> list[str]:
    return [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]


def _end(processes: dict[str, subprocess.Popen]) -> None:
    """End the nodes, the recorder last, so that the bag has their last words."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for process in processes.values():
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
