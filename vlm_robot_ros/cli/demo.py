"""`vlm-robot demo`: the simulated arm obeys a programme of commands, or yours, over ROS 2."""

import argparse
import subprocess
import time
from functools import partial
from pathlib import Path

from vlm_robot_ros.cli.node_processes import add_access_options, add_policy_options
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
        "--through", default="action", help="how the arm is commanded: action, or as by a "
        "sink of a contract: joint_trajectory, joint_positions, twist, pose",
    )  # fmt: skip
    add_policy_options(parser)
    add_access_options(parser, network=True)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Start the nodes, run the demo beside them, end them, and print what came of it."""
    try:
        from vlm_robot_ros.demo.demo_node import demo_node_context, run_demo
        from vlm_robot_ros.demo.node_list import demo_nodes
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

    if args.voice and not args.interactive:
        raise ValueError("--voice is for --interactive: else the programme gives the commands")
    if args.families and args.interactive:
        raise ValueError("--families is for the programme; with --interactive you choose")
    if args.families:
        task_script(0, args.families.split(","), 0)  # what is wrong is said before nodes start
    out = (args.out or Path("runs") / time.strftime("%Y%m%d-%H%M%S")).resolve()
    restrict_umask(args.group_readable)
    settings = demo_nodes(
        out,
        args.seed,
        args.robot,
        args.through,
        args.policy,
        args.checkpoint,
        args.voice,
        policy_map=args.map,
    )
    prepare_domain(args.network)
    robot = settings["arm_sim"]["robot"]
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
