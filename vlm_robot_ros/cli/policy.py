"""`vlm-robot policy`: look at policies, also at those of servers."""

import argparse
from pathlib import Path

from vlm_robot_ros.cli.argument_types import int_at_least
from vlm_robot_ros.cli.node_processes import add_map_option


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("policy", help=(__doc__ or "").split(": ", 1)[1])
    actions = parser.add_subparsers(metavar="action", required=True)
    check = actions.add_parser(
        "check",
        help="ask a policy what was recorded, and judge its answers before it moves an arm",
    )
    check.add_argument("policy", help="openpi://HOST:PORT, module:Class, a checkpoint or a name")
    check.add_argument("--bag", type=Path, required=True, help="recorded observations")
    check.add_argument("--robot", default="", help="contract; the one in the bag if not given")
    check.add_argument("--namespace", default="", help="of the policy node, if it had one")
    check.add_argument("--questions", type=int_at_least(1), default=100, help="at most")
    add_map_option(check)
    check.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> int:
    """Print what was found; the status is 1 where something fails."""
    from tqdm import tqdm

    from vlm_robot_ros.bags.policy_check import check_policy
    from vlm_robot_ros.bags.recording import read_recording
    from vlm_robot_ros.policies.factory import load_named

    recording = read_recording(args.bag, args.robot, args.namespace)
    policy = load_named(args.policy, recording.robot, policy_map=args.map)
    results = check_policy(
        recording, policy, args.namespace, args.questions, lambda each: tqdm(each, "questions")
    )
    width = max(len(each.name) for each in results)
    for each in results:
        print(f"{each.verdict.upper():4}  {each.name:{width}}  {each.text}")
    return 1 if any(each.verdict == "fail" for each in results) else 0
