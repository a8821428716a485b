"""`vlm-robot console`: a page in the browser to watch the arm, and to tell it what to do."""

import argparse
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from vlm_robot_ros.cli.argument_types import int_at_least
from vlm_robot_ros.cli.node_processes import add_access_options, add_policy_options
from vlm_robot_ros.file_permissions import restrict_umask

_MIN_TOKEN_CHARACTERS = 16
"""Of a token that the user chooses [characters]."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("console", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0: for other machines, too")
    parser.add_argument("--port", type=int, default=8080, help="0: any that is free")
    parser.add_argument("--token", default="", help="a new one at each start if not given")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME",
        help="answer requests to this host name, too, as that of a proxy; may be given again",
    )  # fmt: skip
    parser.add_argument("--robot", default="panda_sim", help="contract of the arm")
    parser.add_argument("--namespace", default="", help="of the policy node, if it has one")
    parser.add_argument("--demo", action="store_true", help="with the simulated arm, recorded")
    add_policy_options(parser)
    parser.add_argument(
        "--voice", metavar="SOURCE", default="",
        help="with --demo, listen, too: microphone, topic, or a path of a .wav",
    )  # fmt: skip
    parser.add_argument("--seed", type=int_at_least(0), default=1, help="of the demo's scene")
    parser.add_argument(
        "--reports", type=Path, default=Path("runs"), help="folder to list them of"
    )
    parser.add_argument("--out", type=Path, help="folder of the demo's bag; runs/<time>")
    add_access_options(parser, network=True)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    try:
        from vlm_robot_ros.console.access import ServerAddress
        from vlm_robot_ros.console.main import run_console
    except ModuleNotFoundError as error:
        raise ValueError(
            f"the console needs ROS 2 and tornado ({error}): `make setup`, then `. ./env.sh`"
        ) from error
    if not 0 <= args.port < 65536:
        raise ValueError(f"--port is {args.port}; valid: 0 to 65535")
    if args.token and len(args.token) < _MIN_TOKEN_CHARACTERS:
        raise ValueError(
            f"--token has {len(args.token)} characters; valid: {_MIN_TOKEN_CHARACTERS} at least"
        )
    if args.network and not args.demo:
        raise ValueError("--network is for --demo; other nodes are reached as their environment "
                         "says (ROS_AUTOMATIC_DISCOVERY_RANGE)")  # fmt: skip
    token = args.token or secrets.token_urlsafe(24)
    if args.voice and not args.demo:
        raise ValueError("--voice is for --demo; next to an arm: policy.launch.py voice:=…")
    if (args.policy or args.map or args.checkpoint) and not args.demo:
        raise ValueError(
            "--policy, --map and --checkpoint are for --demo; the policy node has its own"
        )
    restrict_umask(args.group_readable)
    address = ServerAddress(args.host, args.port, token, tuple(args.allow_host))
    with ExitStack() as stack:
        dead = _demo(stack, args) if args.demo else lambda: ""
        run_console(address, args.robot, args.reports, args.namespace, dead)
    return 0


def _demo(stack: ExitStack, args: argparse.Namespace) -> Callable[[], str]:
    """Start simulated arm, policy and recorder, which end with a stack; returns who has died."""
    from vlm_robot_ros.cli.node_processes import (
        exited_nodes,
        prepare_domain,
        start_node,
        stop_nodes,
        write_bag_report,
    )
    from vlm_robot_ros.demo.node_list import demo_nodes

    folder = (args.out or Path("runs") / time.strftime("%Y%m%d-%H%M%S")).resolve()
    settings = demo_nodes(
        folder,
        args.seed,
        args.robot,
        policy=args.policy,
        checkpoint=args.checkpoint,
        voice=args.voice,
        about=f"console, seed {args.seed}",
        policy_map=args.map,
    )
    prepare_domain(args.network)
    log = stack.enter_context((folder / "nodes.log").open("w"))
    processes = {name: start_node(name, given, log) for name, given in settings.items()}
    stack.callback(lambda: print(f"bag      {folder / 'bag'}\nreport   {folder / 'report.html'}"))
    stack.callback(write_bag_report, folder)
    stack.callback(stop_nodes, processes)

    def dead() -> str:
        names = exited_nodes(processes)
        return f"{names} (see {folder / 'nodes.log'})" if names else ""

    return dead
