"""`vlm-robot record`: record a bag of what is on the topics; Ctrl-C ends it."""

import argparse
import time
from pathlib import Path

from vlm_robot_ros.cli.node_processes import add_access_options
from vlm_robot_ros.file_permissions import restrict_umask


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("record", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("--out", type=Path, help="the bag; bags/<time> if not given")
    parser.add_argument("--robot", default="", help="contract of the arm, to be kept in the bag")
    parser.add_argument("--topics", nargs="+", default=[], help="all if none is named")
    parser.add_argument("--about", default="", help="anything to be kept in the bag, as a seed")
    parser.add_argument("--use-sim-time", action="store_true", help="beside a simulator")
    add_access_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it."""
    try:
        from vlm_robot_ros.nodes.recorder_node import RecorderNode
        from vlm_robot_ros.ros.spin import spin_node as run_node
    except ModuleNotFoundError as error:
        raise ValueError(
            f"recording needs ROS 2 ({error}): `make setup`, then `. ./env.sh`"
        ) from error
    from vlm_robot_ros.cli.node_processes import parameter_override

    restrict_umask(args.group_readable)
    out = (args.out or Path("bags") / time.strftime("%Y%m%d-%H%M%S")).resolve()
    given = {"bag": out, "robot": args.robot, "about": args.about,
             "topics": " ".join(args.topics), "use_sim_time": args.use_sim_time}  # fmt: skip
    status = run_node(RecorderNode, ["--ros-args", *parameter_override(given)])
    if (out / "metadata.yaml").exists():
        print(f"bag      {out}\nreport   vlm-robot bag report {out}")
    return status
