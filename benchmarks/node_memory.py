"""How long does the policy node take to come up, and does its memory stay the same?

    python benchmarks/node_memory.py [--minutes 60]

The simulated arm is told four things in a scene, eight seconds for each, and then in another.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import rclpy

from vlm_robot_ros.demo.sim_client import SimulationClient
from vlm_robot_ros.robot.loader import load_robot

EVERY, LOOK = 8.0, 5.0
"""Between two commands, between two looks at the memory [s]."""
ORDERS = ("pick up the {}", "go home", "push the {} left", "open the gripper")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    args = parser.parse_args()
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    rclpy.init()
    stage = SimulationClient(rclpy.create_node("watch"), load_robot("panda_sim"), lambda: "")
    arm = subprocess.Popen(_command("arm_sim_node"))
    stage.wait(lambda: stage.state is not None, 120.0)
    begun = time.monotonic()
    policy = subprocess.Popen([*_command("policy_node"), "-p", "use_sim_time:=true"])
    try:
        stage.wait(lambda: stage.action is not None, 120.0)
        up = time.monotonic() - begun
        stage.bring_up()
        held, scenes, acted = _watch(stage, policy.pid, 60.0 * args.minutes)
    finally:
        for process in (policy, arm):
            process.terminate()
            process.wait()
    first = held[len(held) // 10 :]  # what the first commands brought stays
    slope = np.polyfit(np.arange(len(first)) * LOOK / 3600, first, 1)[0]
    print("| minutes | scenes | acting | start-up s | own MiB at first, each tenth on | an hour |")
    print("| --- | --- | --- | --- | --- | --- |")
    tenths = ", ".join(f"{each[-1]:.0f}" for each in np.array_split(held, 10))
    begin = f"{args.minutes:.0f} | {scenes} | {acted:.0%} | {up:.1f} | {held[0]:.0f}"
    print(f"| {begin}, {tenths} | {slope:+.1f} |")
    rclpy.shutdown()


def _watch(stage: SimulationClient, pid: int, seconds: float) -> tuple[list[float], int, float]:
    """Give commands; returns memory from look to look [MiB], scenes, and which part it acted."""
    held: list[float] = []
    acted: list[bool] = []
    begun, scenes = time.monotonic(), 0

    def look(until: float) -> bool:
        """Look at the memory where it is time to; is the time over?"""
        now = time.monotonic()
        if now - begun > LOOK * (len(held) + 1):
            held.append(sum(_own(each) for each in (pid, *_children(pid))))
            acted.append(stage.action is not None and not stage.action.hold)
        return now > min(until, begun + seconds)

    while time.monotonic() < begun + seconds:
        stage.new_scene(scenes := scenes + 1)
        thing = stage.state.objects[0] if stage.state else ""
        for order in ORDERS:
            stage.publish_instruction(order.format(thing))
            until = time.monotonic() + EVERY
            stage.wait(partial(look, until), 2 * EVERY)
    return held, scenes, float(np.mean(acted))


def _children(pid: int) -> list[int]:
    """Return the processes that a process has begun: the policy's is one."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _own(pid: int) -> float:
    """Return what a process holds of its own; pages of files come and go as there is room."""
    status = Path(f"/proc/{pid}/status").read_text()
    return (
        sum(int(kib) for kib in re.findall(r"(?:RssAnon|RssShmem|VmSwap):\s+(\d+)", status))
        / 2**10
    )


def _command(name: str) -> list[str]:
    code = f"import sys; from vlm_robot_ros.nodes.{name} import main; sys.exit(main())"
    return [sys.executable, "-c", code, "--ros-args"]


if __name__ == "__main__":
    main()
