"""`vlm-robot contract check --live`: what comes from cameras and arm, and whether they agree."""

import time
from pathlib import Path

import cv2

from vlm_robot_ros.robot.loader import load_robot


def run_live_check(contract: str, seconds: float, out: Path) -> int:
    """Print what comes of each stream, and write what the depth cameras see; 1 if it is wrong.

    Args:
        contract: Name or file.
        seconds: To wait for the streams, at most.
        out: Start of the names of the images.
    """
    try:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.lifecycle import LifecycleNode

        from vlm_robot_ros.ros.live_check import LiveCheck
        from vlm_robot_ros.ros.startup import start_ros
    except ModuleNotFoundError as error:
        raise ValueError(
            f"--live needs ROS 2 ({error}): `make setup`, then `. ./env.sh`"
        ) from error
    robot = load_robot(contract)
    start_ros(["--ros-args", "-p", f"use_sim_time:={str(robot.simulated).lower()}"])
    executor = SingleThreadedExecutor()
    try:
        node = LifecycleNode("contract_check")
        executor.add_node(node)
        check = LiveCheck(node, robot)
        end = time.monotonic() + seconds
        while not check.is_complete and time.monotonic() < end:
            executor.spin_once(0.1)
        print("\n| stream | topic | messages | Hz | problem |\n| --- | --- | --- | --- | --- |")
        is_wrong = False
        for stream in check.streams():
            is_wrong |= bool(stream.problem)
            print(f"| {stream.name} | {stream.topic} | {stream.received} | {stream.rate:.1f} | "
                  f"{stream.problem or '-'} |")  # fmt: skip
        geometry = check.geometry()
        for name, found in geometry.items():
            file = out.with_name(f"{out.name}_{name}.png")
            cv2.imwrite(str(file), found.image[..., ::-1])
            print(f"\n{name}: the table is measured {100 * found.table:.1f} cm above the "
                  f"workspace's lowest height, the nearest point is {100 * found.tool:.1f} cm "
                  f"from the tool; see {file}")  # fmt: skip
            for problem in found.problems:
                is_wrong = True
                print(f"  {problem}")
        if not geometry:
            print("\nno depth camera with a colour camera in its frame, a pose and images: "
                  "camera and arm are not compared")  # fmt: skip
        return int(is_wrong)
    finally:
        executor.shutdown()
        rclpy.try_shutdown()
