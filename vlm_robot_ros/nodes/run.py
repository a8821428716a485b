"""Spin nodes until they are told to go, and let each say its last word."""

import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
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


Make = Callable[[], ClosingNode]


def run(make: Make, arguments: list[str] | None = None) -> int:
    """Run one node until SIGINT or SIGTERM; returns the exit status."""
    return run_together([make], arguments)


def run_together(makes: Sequence[Make], arguments: list[str] | None = None) -> int:
    """Run nodes in one process until SIGINT or SIGTERM; returns the exit status.

    Each has a thread and an executor of its own: none waits for another's callbacks. Where one
    fails, all end, each with its last word.

    rclpy's own signal handlers would end ROS before the nodes could publish their last hold.
    """
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        if len(makes) == 1:
            return _live(makes[0], stopping)
        with ThreadPoolExecutor(len(makes)) as threads:
            lives = [threads.submit(_live, make, stopping) for make in makes]
            while not all(life.done() for life in lives):
                stopping.wait(0.2)
                wait(lives, timeout=0.2 if stopping.is_set() else 0.0)
        return max(life.result() for life in lives)
    finally:
        rclpy.try_shutdown()


def _live(make: Make, stopping: threading.Event) -> int:
    """Make a node and spin it until the end; its end is that of all."""
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
            while not stopping.is_set() and rclpy.ok():
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
        return status
    finally:
        stopping.set()
