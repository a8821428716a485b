"""Spin a node until it is told to go, and let it say its last word."""

import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Protocol

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

RCLError = rclpy_implementation.RCLError


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
        status = 0
        try:
            while not stopping and rclpy.ok():
                try:
                    executor.spin_once(timeout_sec=0.2)
                except RCLError as error:
                    # Jazzy raises it for a transition that the state does not have.
                    node.get_logger().error(f"refused: {error}")
        except Exception:
            node.get_logger().fatal(f"an error that nobody foresaw:\n{traceback.format_exc()}")
            status = 1
        finally:
            node.close()
            executor.shutdown()
            node.destroy_node()
    finally:
        rclpy.try_shutdown()
    return status
