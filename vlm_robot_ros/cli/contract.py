"""`vlm-robot contract`: check an arm's contract, begin one from its URDF, secure its node."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vlm_robot_ros.cli.argument_types import int_at_least

if TYPE_CHECKING:
    from vlm_robot_ros.robot.config import RobotConfig


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("contract", help=(__doc__ or "").split(": ", 1)[1])
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    check = actions.add_parser("check", help="say what is wrong with a contract, or what it says")
    check.add_argument("contract", help="a shipped name, or the path of a .yaml")
    check.add_argument(
        "--live", action="store_true",
        help="listen to cameras and joint states, and see whether camera and arm agree",
    )  # fmt: skip
    check.add_argument(
        "--seconds", type=int_at_least(1), default=10, help="to wait for them, at most [s]"
    )
    check.add_argument(
        "--out", type=Path, default=Path("live_check"), help="start of the names of its images"
    )
    check.set_defaults(run=run_check)
    urdf = actions.add_parser("from-urdf", help="joints, limits and frames of a description")
    urdf.add_argument("urdf", type=Path, help="the robot description, xacro already expanded")
    urdf.add_argument("--tool", required=True, help="link between the fingertips")
    urdf.add_argument(
        "--gripper", default="", help="joint that the gripper is known by; leave out if none moves"
    )
    urdf.add_argument("--base", default="", help="link in which poses are; the root if not given")
    urdf.add_argument("--out", type=Path, default=Path("my_arm.yaml"), help="file to write")
    urdf.set_defaults(run=run_from_urdf)
    schema = actions.add_parser("schema", help="print the JSON schema of contracts, for editors")
    schema.set_defaults(run=run_schema)
    allow = actions.add_parser("permissions", help="what its node may do in a secured graph")
    allow.add_argument("contract", help="a shipped name, or the path of a .yaml")
    allow.add_argument("--enclave", default="/policy_node", help="of the node")
    allow.add_argument("--namespace", default="/", help="of the node")
    allow.set_defaults(run=run_permissions)


def run_check(args: argparse.Namespace) -> int:
    """Check a contract and print what it says, of each arm."""
    from vlm_robot_ros.robot.loader import load_robot

    arms = load_robot(args.contract, several_arms=True).arms
    if args.live and len(arms) > 1:
        raise ValueError(f"--live looks at one arm, and '{args.contract}' has {len(arms)}; valid: "
                         "the contract of each")  # fmt: skip
    for number, arm in enumerate(arms):
        if arm.arm:
            print(f"{'' if number == 0 else chr(10)}arm {arm.arm}")
        _print_contract(arm)
    if not args.live:
        return 0
    from vlm_robot_ros.cli.live_check import run_live_check

    return run_live_check(args.contract, args.seconds, args.out)


def _print_contract(robot: "RobotConfig") -> None:
    import numpy as np

    from vlm_robot_ros.kinematics.kinematics import Kinematics

    place = Kinematics(robot).forward(np.array(robot.home))[:3, 3]
    print(f"{robot.name}: {len(robot.joints)} joints, poses of {robot.tool_frame} in "
          f"{robot.base_frame}, {'simulated' if robot.simulated else 'real'}\n")  # fmt: skip
    print("| joint | from [rad] | to [rad] | rad/s | rad/s^2 | rad/s^3 | home |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for joint, home in zip(robot.joints, robot.home, strict=True):
        cells = (*joint.position, joint.velocity, joint.acceleration, joint.jerk, home)
        print(f"| {joint.name} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |")
    print(f"\ntool at home: {place.round(3).tolist()} m")
    if not robot.has_gripper:
        print("no gripper")
    box = robot.workspace
    if np.any(place < box.min) or np.any(place > box.max):
        print(f"  which is outside the workspace {list(box.min)} to {list(box.max)}: "
              "the arm cannot go home")  # fmt: skip
    for camera in robot.cameras:
        print(f"camera {camera.name}: {camera.topic}, {camera.width}x{camera.height}, "
              f"{camera.rate:g} Hz")  # fmt: skip
        if camera.crop:
            print("  of which policies get top {}, left {}, {} x {}".format(*camera.crop))
        if camera.depth:
            where = f"at {list(camera.pose[:3])} m, turned by {list(camera.pose[3:])} rad"
            if camera.pose_from_tf:
                where = f"where TF has it in {robot.base_frame}"
            print(f"  depth, calibrated on {camera.info_topic}; its optical frame is {where}")
    for sink in robot.sinks:
        print(f"sink {sink.kind}: {sink.topic}")
    if not robot.sinks:
        print("no sinks: it is told on the topic `action` only")


def run_schema(args: argparse.Namespace) -> int:
    """Print the JSON schema."""
    from vlm_robot_ros.robot.contract_errors import contract_schema_text

    print(contract_schema_text(), end="")
    return 0


def run_from_urdf(args: argparse.Namespace) -> int:
    """Write a contract to complete."""
    from vlm_robot_ros.robot.urdf_import import contract_from_urdf, free_joints

    if args.out.exists():
        raise FileExistsError(f"'{args.out}' is there already; give another --out")
    text = contract_from_urdf(args.urdf, args.tool, args.gripper, args.base)
    args.out.write_text(text, encoding="utf-8")
    if "\ngripper: null\n" in text:
        free = ", ".join(free_joints(args.urdf, args.tool, args.base))
        hint = f"; moving joints besides the arm's: {free}" if free else ""
        print(f"{args.out}: without gripper{hint}")
    print(f"{args.out}: complete what is marked with \"check\"; then vlm-robot contract check "
          f"{args.out}")  # fmt: skip
    return 0


def run_permissions(args: argparse.Namespace) -> int:
    """Print an access control policy for SROS 2."""
    from vlm_robot_ros.robot.loader import load_robot
    from vlm_robot_ros.robot.sros2_policy import permissions

    print(permissions(load_robot(args.contract), args.enclave, args.namespace), end="")
    return 0
