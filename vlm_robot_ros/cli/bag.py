"""`vlm-robot bag`: report on rosbags, think them through again, and make data of them."""

import argparse
import sys
from pathlib import Path

from vlm_robot_ros.cli.argument_types import image_size, int_at_least
from vlm_robot_ros.cli.node_processes import add_access_options, add_map_option
from vlm_robot_ros.file_permissions import restrict_umask


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("bag", help=(__doc__ or "").split(": ", 1)[1])
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    report = actions.add_parser("report", help="write a page about one bag or several")
    report.add_argument(
        "bags", type=Path, nargs="+", help="folders of rosbag2, MCAP or .db3 files"
    )
    report.add_argument("--out", type=Path, default=Path("report.html"), help="the page")
    _add_common(report)
    report.set_defaults(run=_report)
    again = actions.add_parser("replay", help="ask policies what the node was asked, and compare")
    again.add_argument("bag", type=Path, help="folder of a rosbag2, MCAP or .db3 file")
    again.add_argument(
        "--policy", action="append", metavar="POLICY",
        help="checkpoint folder, module:Class, openpi://HOST:PORT or shipped; may be given "
        "several times",
    )  # fmt: skip
    add_map_option(again)
    again.add_argument("--json", type=Path, help="file to write the figures to")
    again.add_argument(
        "--threads", type=int_at_least(1), default=1, help="of the CPU, as the node had them"
    )
    _add_common(again)
    again.set_defaults(run=_replay)
    convert = actions.add_parser("convert", help="make a LeRobotDataset; resumes")
    convert.add_argument("bags", type=Path, nargs="+", help="bags, or folders of bags")
    convert.add_argument("--out", type=Path, required=True, help="the dataset's folder")
    convert.add_argument("--failed", action="store_true", help="keep failed episodes, too")
    convert.add_argument("--workers", type=int_at_least(1), default=2, help="processes")
    convert.add_argument(
        "--engine", choices=("processes", "ray"), default="processes",
        help="ray: over the cluster that RAY_ADDRESS names",
    )  # fmt: skip
    convert.add_argument(
        "--codec", choices=("h264", "av1"), default="h264",
        help="of the videos; a dataset that LeRobot records has av1",
    )  # fmt: skip
    convert.add_argument(
        "--format", choices=("v3.0", "v2.1"), default="v3.0",
        help="of LeRobotDataset; v2.1, for openpi and GR00T, comes with a modality.json",
    )  # fmt: skip
    convert.add_argument(
        "--cameras", default="", help="only of these, separated by commas; all if not given"
    )
    convert.add_argument(
        "--image-size", type=image_size, metavar="WxH",
        help="of all images, as 224x224; as recorded if not given",
    )  # fmt: skip
    convert.add_argument(
        "--fit", choices=("pad", "squash"), default="pad",
        help="how an image of another shape becomes that size: with black bars, or distorted",
    )  # fmt: skip
    convert.add_argument(
        "--action", choices=("recorded", "joints"), default="recorded",
        help="joints: of recorded tool poses, the joint positions that the arm had when they were "
        "due, so that state and action are the same values",
    )  # fmt: skip
    convert.add_argument(
        "--state", choices=("joints", "pose", "joints,pose"), default="joints",
        help="pose: of the tool, in the base frame, as recorded actions are",
    )  # fmt: skip
    convert.add_argument(
        "--success-marks", action="store_true",
        help="write next.done and next.success; of marked episodes only, failures among them",
    )  # fmt: skip
    _add_common(convert)
    convert.set_defaults(run=_convert)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--robot", default="", help="contract; the one in the bag if not given")
    parser.add_argument("--namespace", default="", help="of the policy node, if it had one")
    add_access_options(parser)


def _report(args: argparse.Namespace) -> int:
    restrict_umask(args.group_readable)
    from tqdm import tqdm

    from vlm_robot_ros.bags.recording import read_recording
    from vlm_robot_ros.bags.report import write_report
    from vlm_robot_ros.cli.dataset_options import print_bag_warnings

    if args.out.suffix == ".json":
        raise ValueError(f"--out is '{args.out}', where the figures go; give the page, as .html")
    read = [read_recording(bag, args.robot, args.namespace) for bag in tqdm(args.bags, "reading")]
    for summary in write_report(read, args.out):
        done, times = summary["success"], summary["camera_to_action_ms"]
        print(f"{summary['bag']}: {done['successes']} of {done['judged']} judged episodes", end="")
        print(f" succeeded; camera to action p50 {times['p50']} ms, p99 {times['p99']} ms")
    print_bag_warnings(*(recording.bag for recording in read))
    print(f"page     {args.out}\nfigures  {args.out.with_suffix('.json')}")
    return 0


def _replay(args: argparse.Namespace) -> int:
    restrict_umask(args.group_readable)
    import json
    from itertools import combinations

    import torch
    from tqdm import tqdm

    from vlm_robot_ros.bags.action_replay import action_table, compare_actions, replay_actions
    from vlm_robot_ros.bags.recording import read_recording
    from vlm_robot_ros.bags.replay import RECORDED, compare, replay, table
    from vlm_robot_ros.cli.dataset_options import print_bag_warnings
    from vlm_robot_ros.policies.factory import load_named
    from vlm_robot_ros.runtime.execution_settings import ExecutionSettings

    torch.set_num_threads(args.threads)
    recording = read_recording(args.bag, args.robot, args.namespace)
    named = args.policy or ["shipped"]
    policies = {name: load_named(name, recording.robot, policy_map=args.map) for name in named}
    found = replay(recording, policies, args.namespace, lambda each: tqdm(each, "answers"))
    print_bag_warnings(recording.bag)
    rows = [compare(found, *pair) for pair in combinations([RECORDED, *policies], 2)]
    print(table(rows))
    executed = [
        compare_actions(recording, name, actions)
        for name, policy in policies.items()
        if (
            actions := replay_actions(
                recording, found, name, ExecutionSettings().of_policy(policy)
            )
        )
    ]
    if executed:
        print("\n" + action_table(executed))
    if found.missed:
        print(f"{found.missed} questions are left out: their images are not in the bag")
    if args.json:
        args.json.write_text(json.dumps([*rows, *executed], indent=2) + "\n")
    for name, failures in found.failures.items():
        asked = len(found.times)
        print(f"{name} failed at {len(failures)} of {asked} questions, first: {failures[0]}",
              file=sys.stderr)  # fmt: skip
    return 1 if found.failures else 0


def _convert(args: argparse.Namespace) -> int:
    restrict_umask(args.group_readable)
    from tqdm import tqdm

    from vlm_robot_ros.bags.bag_dataset import BagOptions
    from vlm_robot_ros.bags.discovery import find_all_bags
    from vlm_robot_ros.bags.to_lerobot import convert_to_lerobot
    from vlm_robot_ros.cli.dataset_options import print_warnings

    if args.fit != "pad" and args.image_size is None:
        raise ValueError(f"--fit is '{args.fit}' without --image-size; valid: both, or neither")
    bags = find_all_bags(args.bags)
    cameras = tuple(name.strip() for name in args.cameras.split(",")) if args.cameras else ()
    options = BagOptions(
        args.robot, args.namespace, args.failed, cameras, args.image_size, args.fit,
        args.action == "joints", tuple(args.state.split(",")), args.success_marks,
    )  # fmt: skip
    episodes, frames, problems = convert_to_lerobot(
        bags, args.out, options, args.workers, args.engine, args.codec, args.format,
        lambda each, total: tqdm(each, "bags", total), print_warnings,
    )  # fmt: skip
    for why in problems.values():
        print(f"left out: {why}")
    print(f"{episodes} episodes, {frames} frames in {args.out}")
    return 0
