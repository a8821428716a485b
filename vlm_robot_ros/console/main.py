"""The console's node and its server, side by side, from the start of ROS to its end."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from vlm_robot_ros.console.access import ServerAddress
from vlm_robot_ros.console.console_node import ConsoleNode
from vlm_robot_ros.console.server import serve
from vlm_robot_ros.dds_shared_memory import restrict_segments
from vlm_robot_ros.ros.spin import install_signal_handlers
from vlm_robot_ros.ros.startup import start_ros


def run_console(
    address: ServerAddress,
    robot: str,
    reports: Path,
    namespace: str = "",
    dead: Callable[[], str] = lambda: "",
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP.

    Args:
        address: Where to listen, and for whom.
        robot: Contract.
        reports: Folder of runs.
        namespace: Of the policy node.
        dead: Returns which nodes beside it have ended, if any has.

    Raises:
        ValueError: there is no token, or no such contract, or a node beside it has ended.
        OSError: the address or the port cannot be had.
    """
    done = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        done.set()

    install_signal_handlers(stop)
    start_ros(["--ros-args", "-p", f"robot:={robot}", "-r", f"__ns:=/{namespace.strip('/')}"])
    try:
        node = ConsoleNode()
        restrict_segments()
        thread = threading.Thread(target=_spin, args=(node, done), name="ros", daemon=True)
        thread.start()
        serve(
            node, address,
            lambda page: print(f"console  {page}\nCtrl-C ends it", flush=True),
            lambda: thread.is_alive() and not done.is_set() and not dead(), reports,
        )  # fmt: skip
        if not done.is_set() and (names := dead()):
            raise ValueError(f"{names} has ended")
    finally:
        done.set()
        rclpy.try_shutdown()


def _spin(node: ConsoleNode, done: threading.Event) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while not done.is_set():
            executor.spin_once(timeout_sec=0.1)
    except ExternalShutdownException:
        pass
