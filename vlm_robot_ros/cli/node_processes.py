"""Nodes as processes beside a command, in a graph of its own."""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TextIO

from vlm_robot_ros.dds_discovery import discovery_environment


def add_access_options(parser: argparse.ArgumentParser, network: bool = False) -> None:
    """Add the options that say who has access: `--group-readable`, and `--network` if asked."""
    if network:
        parser.add_argument(
            "--network", action="store_true", help="other machines may reach the nodes"
        )
    parser.add_argument(
        "--group-readable", action="store_true",
        help="the group may read what is written, and share memory with the nodes",
    )  # fmt: skip


def add_policy_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which policy acts."""
    parser.add_argument(
        "--policy", default="", help="name, module:Class or openpi://HOST:PORT; fusion, the "
        "shipped one, if not given",
    )  # fmt: skip
    add_map_option(parser)
    parser.add_argument("--checkpoint", type=Path, help="folder; the shipped one if not given")


def add_map_option(parser: argparse.ArgumentParser) -> None:
    """Add `--map`, for policies of servers."""
    parser.add_argument(
        "--map", default="", help="what a server's policy calls the robot's values: droid, "
        "libero, lerobot, or a .yaml",
    )  # fmt: skip


def prepare_domain(network: bool = False) -> None:
    """Choose a domain of this run's own, unless one was chosen: nobody else's nodes are in it.

    Args:
        network: Other machines may reach the nodes.
    """
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    os.environ.update(discovery_environment(network))


def start_node(name: str, parameters: dict, log: TextIO) -> subprocess.Popen:
    """Start one of our nodes as a process.

    Args:
        name: Without `_node`.
        parameters: Of the node.
        log: Takes what it prints.
    """
    code = f"import sys; from vlm_robot_ros.nodes.{name}_node import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "--ros-args", *parameter_override(parameters)]
    # In a group of its own: Ctrl-C is for the demo, which ends its nodes in order.
    return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def parameter_override(parameters: dict) -> list[str]:
    """Return ROS arguments that set parameters; whatever text they have, it stays a text."""
    arguments = []
    for name, value in parameters.items():
        plain = value if isinstance(value, bool | int | float) else str(value)
        # JSON is YAML, which is what ROS reads.
        arguments += ["-p", f"{name}:={json.dumps(plain, ensure_ascii=False)}"]
    return arguments


def exited_nodes(processes: dict[str, subprocess.Popen]) -> str:
    """Return which nodes have ended by themselves, if any has."""
    dead = [name for name, process in processes.items() if process.poll() is not None]
    return ", ".join(f"{name}_node" for name in dead)


def stop_nodes(processes: dict[str, subprocess.Popen]) -> None:
    """End the nodes, the recorder last, so that the bag has their last words."""
    for ending in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)
    for process in processes.values():
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def write_bag_report(folder: Path) -> None:
    """Write a report about the bag in a folder beside it, if there is one to report on."""
    from vlm_robot_ros.bags.recording import read_recording
    from vlm_robot_ros.bags.report import write_report
    from vlm_robot_ros.cli.dataset_options import print_bag_warnings

    try:
        recording = read_recording(folder / "bag")
        (found,) = write_report([recording], folder / "report.html")
        print_bag_warnings(recording.bag)
        if any(joint["fastest"] is not None for joint in found["joints"]):
            quickest = max(found["joints"], key=lambda joint: joint["fastest"])
            nearest = min(found["joints"], key=lambda joint: joint["margin_rad"])
            print(
                f"joint states    {quickest['fastest']:.0%} of a speed limit at most "
                f"({quickest['joint']}), {nearest['margin_rad']:.2f} rad from a limit of position "
                f"at least ({nearest['joint']})\n"
            )
    except ValueError as error:
        print(f"no report: {error}", file=sys.stderr)
