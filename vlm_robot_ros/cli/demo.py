"""`vlm-robot demo`: the simulated arm obeys a programme of commands, or yours, over ROS 2."""

import argparse
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

from vlm_robot_ros.cli.node_processes import add_access_options
from vlm_robot_ros.file_permissions import restrict_umask


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("demo", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("--seed", type=int, default=1, help="of scenes and commands")
    parser.add_argument("--out", type=Path, help="folder of the results; runs/<time> if not given")
    parser.add_argument("--commands", type=int, default=0, help="give only so many; 0: all")
    parser.add_argument(
        "--families", default="", help="only tasks of these, with commas between: pick,push"
    )
    parser.add_argument("--interactive", action="store_true", help="you type the commands")
    parser.add_argument(
        "--voice", metavar="SOURCE", default="",
        help="with --interactive, listen, too: microphone, topic, or a path of a .wav",
    )  # fmt: skip
    parser.add_argument("--robot", default="panda_sim", help="contract of a simulated arm")
    parser.add_argument(
        "--through", default="action", help="how the arm is told: action, or as by a sink of a "
        "contract: joint_trajectory, joint_positions, twist, pose",
    )  # fmt: skip
    parser.add_argument("--checkpoint", type=Path, help="folder; the shipped one if not given")
    add_access_options(parser, network=True)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Start the nodes, run the demo beside them, end them, and print what came of it."""
    try:
        from vlm_robot_ros.demo.demo_node import demo_node_context, run_demo
        from vlm_robot_ros.demo.sim_client import SimulationClientError
        from vlm_robot_ros.demo.terminal import run_terminal_session
    except ModuleNotFoundError as error:
        raise ValueError(
            f"the demo needs ROS 2 ({error}): `make setup`, then `. ./env.sh`"
        ) from error
    from vlm_robot_ros.cli.node_processes import (
        exited_nodes,
        parameter_override,
        prepare_domain,
        start_node,
        stop_nodes,
        write_bag_report,
    )
    from vlm_robot_ros.demo.script import task_script
    from vlm_robot_ros.demo.summary import table
    from vlm_robot_ros.robot.loader import load_robot
    from vlm_robot_ros.sim.controller_topics import CONTROLLERS, contract_with_sink

    if args.voice and not args.interactive:
        raise ValueError("--voice is for --interactive: else the programme gives the commands")
    if args.families and args.interactive:
        raise ValueError("--families is for the programme; with --interactive you choose")
    if args.families:
        task_script(0, args.families.split(","), 0)  # what is wrong is said before nodes start
    if args.through not in ("action", *CONTROLLERS):
        valid = ", ".join(("action", *CONTROLLERS))
        raise ValueError(f"--through {args.through!r}; valid: {valid}")
    if not 0 <= args.seed < 2**31:
        raise ValueError(f"--seed is {args.seed}; it must be 0 to 2147483647")
    if not load_robot(args.robot).simulated:
        raise ValueError(f"--robot: '{args.robot}' is a real arm; valid: one with a 'simulation'")
    out = (args.out or Path("runs") / time.strftime("%Y%m%d-%H%M%S")).resolve()
    if (out / "bag").exists():
        raise ValueError(f"--out: '{out}' has a bag already; name another folder")
    restrict_umask(args.group_readable)
    out.mkdir(parents=True, exist_ok=True)
    prepare_domain(args.network)
    robot, follow = args.robot, args.through == "action"
    if not follow:
        robot = out / f"{args.through}.yaml"
        robot.write_text(contract_with_sink(args.robot, args.through))
    settings: dict[str, dict[str, Any]] = {
        "arm_sim": {"seed": args.seed, "robot": robot, "follow_action": follow},
        "policy": {"use_sim_time": True, "robot": robot},
        "recorder": {
            "use_sim_time": True,
            "bag": out / "bag",
            "robot": robot,
            "about": f"demo, seed {args.seed}",
        },
    }
    if args.voice:
        settings = {"voice": {"source": args.voice}, **settings}  # the recorder stays the last
    if args.checkpoint:
        settings["policy"]["checkpoint"] = args.checkpoint.resolve()
    own = {name: getattr(args, name) for name in ("seed", "commands", "families")}
    own = {**own, "robot": robot, "out": out}
    processes: dict[str, subprocess.Popen] = {}
    alive = partial(exited_nodes, processes)

    summary = None
    with (
        (out / "nodes.log").open("w") as log,
        demo_node_context(["--ros-args", *parameter_override(own)]) as node,
    ):
        try:
            for name, given in settings.items():
                processes[name] = start_node(name, given, log)
            if args.interactive:
                run_terminal_session(node, alive, args.seed)
            else:
                summary = run_demo(node, alive)
        except SimulationClientError as error:
            tail = (out / "nodes.log").read_text().splitlines()[-8:]
            raise ValueError("\n".join([str(error), *tail])) from error
        except KeyboardInterrupt:
            print("ended by hand")
        finally:
            stop_nodes(processes)
    if summary:
        print(f"\n{table(summary)}\n")
    write_bag_report(out)
    made = {"demo.mp4": "video", "bag": "bag", "summary.json": "summary", "report.html": "report"}
    for name, what in made.items():
        if (out / name).exists():
            print(f"{what:<8} {out / name}")
    return 0
