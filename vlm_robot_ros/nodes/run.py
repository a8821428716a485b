"""Spin a node until it is told to go, and let it say its last word."""

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Protocol

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions


class ClosingNode(Protocol):
    """A node that has something to do before it goes."""

    def close(self) -> None:
        """Say the last word and free what is held; ROS still works."""


def run(make: Callable[[], ClosingNode], arguments: list[str] | None = None) -> int:
    """Run one node until SIGINT or SIGTERM; returns the exit status.

    rclpy's own signal handlers would end ROS before the node could publish its last hold.
    """
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        try:
            node = make()
        except (ValueError, OSError, ModuleNotFoundError) as error:
            print(f"cannot start: {error}", file=sys.stderr)
            return 1
        assert isinstance(node, Node)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while not stopping and rclpy.ok():
            executor.spin_once(timeout_sec=0.2)
        node.close()
        executor.shutdown()
        node.destroy_node()
    finally:
        rclpy.try_shutdown()
    return 0
