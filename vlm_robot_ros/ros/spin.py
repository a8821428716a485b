"""Spin nodes until they are told to go, and let each say its last word."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from types import FrameType
from typing import Protocol

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.time_source import TimeSource

from vlm_robot_ros.dds_shared_memory import restrict_segments
from vlm_robot_ros.ros.arguments import corrected_arguments
from vlm_robot_ros.ros.startup import start_ros
from vlm_robot_ros.safe_import import exclude_working_directory
from vlm_robot_ros.terminal_text import escape_unprintable

RCLError = rclpy_implementation.RCLError


class ClosingNode(Protocol):
    """A node that has something to do before it goes."""

    def close(self) -> None:
        """Say the last word and free what is held; ROS still works."""


_SWITCH_INTERVAL_S = 5e-4
"""How long one thread may keep another from computing [s]; Python's own 5 ms are a whole tick."""
_CONSTRUCTION_TIMEOUT_S = 2
"""A node that is told to go while it is made may still take so long to be made [s]."""
Make = Callable[[], ClosingNode]


def install_signal_handlers(handler: Callable[[int, FrameType | None], None]) -> None:
    """Call a handler at SIGINT, SIGTERM or SIGHUP.

    Where a hang-up is ignored (nohup) it still is; the others count also where they were.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, handler)


class _SignalDuringConstruction(BaseException):
    """A node is to go that is not made in time; it has nothing to say."""


def spin_node(make: Make, arguments: list[str] | None = None) -> int:
    """Run one node until SIGINT, SIGTERM or SIGHUP; returns the exit status."""
    return spin_nodes([make], arguments)


def spin_nodes(makes: Sequence[Make], arguments: list[str] | None = None) -> int:
    """Run nodes in one process until SIGINT, SIGTERM or SIGHUP; returns the exit status.

    Each has a thread and an executor of its own: none waits for another's callbacks. Where one
    ends, all do, one after the other in the order given, each with its last word.

    rclpy's own signal handlers would end ROS before the nodes could publish their last hold.
    """
    told, alone = False, len(makes) == 1
    made, over = [False] * len(makes), [False] * len(makes)

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal told
        told = True
        if alone and not made[0]:
            signal.alarm(_CONSTRUCTION_TIMEOUT_S)

    def give_up(number: int, frame: FrameType | None) -> None:
        if not made[0]:
            raise _SignalDuringConstruction

    def make(number: int) -> ClosingNode:
        node = makes[number]()
        made[number] = True
        return node

    exclude_working_directory()
    install_signal_handlers(stop)
    signal.signal(signal.SIGALRM, give_up)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        start_ros(corrected_arguments(arguments))
    except (ValueError, RCLError) as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 1
    try:
        if alone:
            return _spin_until_shutdown(partial(make, 0), lambda: told)
        with ThreadPoolExecutor(len(makes)) as threads:
            lives = [
                threads.submit(
                    _spin_until_shutdown, partial(make, number), partial(over.__getitem__, number)
                )
                for number in range(len(makes))
            ]
            while not told and not any(life.done() for life in lives):
                wait(lives, 0.2, FIRST_COMPLETED)
            for number, life in enumerate(lives):
                over[number] = True
                wait([life], None if made[number] else _CONSTRUCTION_TIMEOUT_S)
                if made[number]:
                    wait([life])
            if not all(life.done() for life in lives):  # some are still made, by threads
                os._exit(max((_exit_status(life) for life in lives if life.done()), default=0))
        return max(_exit_status(life) for life in lives)
    except _SignalDuringConstruction:
        return 0
    finally:
        rclpy.try_shutdown()


def _raised_by_clock_callback(error: ValueError) -> bool:
    """Tell whether rclpy itself could not take a time from /clock: no time is negative."""
    return any(
        frame.f_code is TimeSource.clock_callback.__code__
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def _exit_status(life: Future[int]) -> int:
    if error := life.exception():
        traceback.print_exception(error)
    return 1 if error else life.result()


def _spin_until_shutdown(make: Make, ended: Callable[[], bool]) -> int:
    """Make a node and spin it until its end; returns the exit status."""
    try:
        node = make()
    except (ValueError, OSError, ModuleNotFoundError, RCLError) as error:
        print(f"cannot start: {escape_unprintable(error)}", file=sys.stderr)
        return 1
    assert isinstance(node, Node)
    restrict_segments()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    status = 0
    try:
        while not ended() and rclpy.ok():
            try:
                executor.spin_once(timeout_sec=0.2)
            except RCLError as error:
                # Jazzy raises it for a transition that the state does not have.
                node.get_logger().error(f"refused: {error}")
            except ValueError as error:
                if not _raised_by_clock_callback(error):
                    raise
                text = f"a message on /clock is refused: {error}"
                node.get_logger().error(text, throttle_duration_sec=2.0)
    except Exception:
        node.get_logger().fatal(f"an error that nobody foresaw:\n{traceback.format_exc()}")
        status = 1
    finally:
        node.close()
        executor.shutdown()
        node.destroy_node()
    return status
