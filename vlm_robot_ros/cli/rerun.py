"""`vlm-robot rerun`: show a bag, or what is on the topics now, in Rerun."""

import argparse
from pathlib import Path
from typing import Any

from vlm_robot_ros.cli.node_processes import add_access_options
from vlm_robot_ros.file_permissions import restrict_umask


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("rerun", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("bag", type=Path, nargs="?", help="a bag; what is on the topics if none")
    parser.add_argument("--out", type=Path, help="write a .rrd file instead of opening the viewer")
    parser.add_argument(
        "--robot", default="panda_sim", help="contract, for its cameras; live only"
    )
    add_access_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show it."""
    try:
        import rerun
    except ModuleNotFoundError as error:
        raise ValueError(
            f"viewing needs Rerun ({error}): `.venv/bin/pip install rerun-sdk`"
        ) from error
    restrict_umask(args.group_readable)
    stream = rerun.RecordingStream("vlm_robot_ros")
    if args.out:
        stream.save(args.out)
    else:
        stream.spawn()
    if args.bag:
        from vlm_robot_ros.bags.bag import Bag
        from vlm_robot_ros.bags.rerun_logger import view_bag
        from vlm_robot_ros.cli.dataset_options import print_bag_warnings

        bag = Bag(args.bag)
        print(f"{view_bag(bag, stream)} messages shown")
        print_bag_warnings(bag)
        stream.flush()
    else:
        status = _live(stream, args.robot)
        if status:
            return status
    if args.out:
        print(f"view     {args.out}\nopen     rerun {args.out}")
    return 0


def _live(stream: Any, robot: str) -> int:
    try:
        from vlm_robot_ros.nodes.rerun_node import RerunNode
        from vlm_robot_ros.ros.spin import spin_node as run_node
    except ModuleNotFoundError as error:
        raise ValueError(
            f"to view what is on the topics needs ROS 2 ({error}): `make setup`, then `. ./env.sh`"
        ) from error
    from vlm_robot_ros.bags.rerun_logger import RerunLogger

    return run_node(lambda: RerunNode(RerunLogger(stream).log_message, robot))
