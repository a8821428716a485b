"""`vlm-robot serve`: offer a policy to clients of openpi's protocol."""

import argparse
from pathlib import Path

from vlm_robot_ros.cli.argument_types import int_at_least
from vlm_robot_ros.cli.node_processes import add_map_option


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("serve", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("--policy", default="fusion", help="name or module:Class")
    parser.add_argument("--checkpoint", type=Path, help="folder; the shipped one if not given")
    parser.add_argument("--robot", default="panda_sim", help="name or file of the contract")
    add_map_option(parser)
    parser.add_argument(
        "--policy-map", default="", help="of the policy itself, if it is of LeRobot or a server"
    )
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0: other machines may ask")
    parser.add_argument("--port", type=int_at_least(0), default=8000, help="0: any free one")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    import asyncio

    from vlm_robot_ros.paths import shipped_checkpoint
    from vlm_robot_ros.policies.factory import load_policy
    from vlm_robot_ros.policies.remote.openpi_server import start_openpi_server
    from vlm_robot_ros.policies.remote.policy_map_loader import load_policy_map
    from vlm_robot_ros.policies.remote.served_policy import ServedPolicy
    from vlm_robot_ros.robot.loader import load_robot

    robot = load_robot(args.robot)
    found = load_policy_map(args.map or "lerobot", robot)
    checkpoint = args.checkpoint or shipped_checkpoint()
    policy = load_policy(args.policy, robot, checkpoint, policy_map=args.policy_map)
    served = ServedPolicy(policy, found, robot)

    async def serve() -> None:
        metadata = {"policy": args.policy, "robot": robot.name, "about": found.about}
        _, port = start_openpi_server(served, metadata, args.host, args.port)
        print(f"'{args.policy}' for {robot.name} at openpi://{args.host}:{port}", flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())
    return 0
