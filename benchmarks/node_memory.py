"""How long does the policy node take to come up, and does its memory stay the same?

    python benchmarks/node_memory.py [--minutes 60]

The simulated arm is told something else every eight seconds.
"""

import argparse
import itertools
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rclpy
from rclpy.node import Node
from std_msgs.msg import String

from vlm_robot_ros.msg import SimState, VlmAction

EVERY, LOOK = 8.0, 5.0
"""Between two commands, between two looks at the memory [s]."""


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    args = parser.parse_args()
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    rclpy.init()
    node: Node = rclpy.create_node("watch")
    states: list[SimState] = []
    actions: list[VlmAction] = []
    node.create_subscription(SimState, "/arm_sim_node/state", _keep_last(states), 10)
    node.create_subscription(VlmAction, "action", _keep_last(actions), 10)
    words = node.create_publisher(String, "instruction", 10)
    arm = subprocess.Popen(_command("arm_sim_node"))
    _spin(node, lambda: bool(states), 120.0)
    begun = time.monotonic()
    policy = subprocess.Popen([*_command("policy_node"), "-p", "use_sim_time:=true"])
    try:
        _spin(node, lambda: bool(actions), 120.0)
        up = time.monotonic() - begun
        held = _watch(node, policy.pid, words.publish, states, 60.0 * args.minutes)
    finally:
        for process in (policy, arm):
            process.terminate()
            process.wait()
    first = held[len(held) // 10 :]  # what the first commands brought stays
    slope = np.polyfit(np.arange(len(first)) * LOOK / 3600, first, 1)[0]
    print(f"| minutes | start-up s | own MiB after {LOOK:.0f} s | at the end | MiB an hour |")
    print("| --- | --- | --- | --- | --- |")
    used = f"{held[0]:.0f} | {held[-1]:.0f} | {slope:+.1f}"
    print(f"| {args.minutes:.0f} | {up:.1f} | {used} |")
    rclpy.shutdown()


def _watch(
    node: Node,
    pid: int,
    publish: Callable[[String], None],
    states: list[SimState],
    seconds: float,
) -> list[float]:
    """Give commands; returns what the node and its policy hold from look to look [MiB]."""
    held: list[float] = []
    end, said = time.monotonic() + seconds, 0.0
    orders = itertools.cycle(("pick up the {}", "go home", "push the {} left", "open the gripper"))
    while time.monotonic() < end:
        if time.monotonic() - said > EVERY:
            said = time.monotonic()
            publish(String(data=next(orders).format(states[-1].objects[0])))
        _spin(node, lambda: False, LOOK)
        held.append(sum(_own(each) for each in (pid, *_children(pid))))
    return held


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


def _keep_last(kept: list) -> Callable[[object], None]:
    return lambda message: kept.__setitem__(slice(None), [message])


def _spin(node: Node, done: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.05)


def _command(name: str) -> list[str]:
    code = f"import sys; from vlm_robot_ros.nodes.{name} import main; sys.exit(main())"
    return [sys.executable, "-c", code, "--ros-args"]


if __name__ == "__main__":
    main()
