"""The demo's conductor as a node: the same under `vlm-robot demo` and under `ros2 launch`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import rclpy
from rclpy.node import Node
from tqdm import tqdm

from vlm_robot_ros.dds_shared_memory import restrict_segments
from vlm_robot_ros.demo.runner import DemoRunner
from vlm_robot_ros.demo.script import demo_script, task_script
from vlm_robot_ros.demo.sim_client import (
    INTERRUPTED,
    RecordedFrame,
    SimulationClient,
    SimulationClientError,
)
from vlm_robot_ros.demo.summary import DemoResult, save, summarize_results, table
from vlm_robot_ros.paths import user_path
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.ros.arguments import corrected_arguments
from vlm_robot_ros.ros.parameters import ParameterSpec, declare_parameters
from vlm_robot_ros.ros.spin import install_signal_handlers
from vlm_robot_ros.ros.startup import start_ros
from vlm_robot_ros.safe_import import exclude_working_directory
from vlm_robot_ros.terminal_text import escape_unprintable
from vlm_robot_ros.viz.video_writer import Caption, VideoWriter

PARAMETERS = (
    ParameterSpec(
        "robot", "panda_sim", "Contract: a name under config/arms, or a path of a .yaml"
    ),
    ParameterSpec("seed", 1, "Of scenes and commands", 0, 2**31),
    ParameterSpec("out", "runs/demo", "Folder of video and summary"),
    ParameterSpec(
        "commands", 0, "Give only so many commands; 0: all, or ten of `families`", 0, 1000
    ),
    ParameterSpec(
        "families", "", "Only tasks of these, with commas between, as pick,push; empty: a mix"
    ),
)

_DEFAULT_COMMANDS = 10


@contextmanager
def demo_node_context(arguments: list[str] | None = None) -> Iterator[Node]:
    """Provide a node with `PARAMETERS`, from the start of ROS to its end.

    SIGINT, SIGTERM and SIGHUP end the next wait of a `SimulationClient` with KeyboardInterrupt; a
    second one
    ends whatever is going on.

    Raises:
        ValueError: a parameter is not valid.
    """
    exclude_working_directory()
    install_signal_handlers(_interrupt)
    start_ros(corrected_arguments(arguments))
    node = rclpy.create_node("demo_node")
    restrict_segments()
    try:
        declare_parameters(node, PARAMETERS)
        yield node
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def _interrupt(number: int, frame: FrameType | None) -> None:
    if INTERRUPTED.is_set():
        raise KeyboardInterrupt
    INTERRUPTED.set()


def run_demo(node: Node, alive: Callable[[], str]) -> dict[str, Any]:
    """Run the demo and leave `summary.json` and `demo.mp4` in the folder `out`.

    Args:
        node: From `conducting`.
        alive: Returns what else has died, if anything has.

    Returns:
        The summary.

    Raises:
        StageError: something that should be running is not heard of.
        ValueError: a parameter is not valid.
    """
    robot = load_robot(node.get_parameter("robot").value)
    seed, count = node.get_parameter("seed").value, node.get_parameter("commands").value
    families = node.get_parameter("families").value
    if families:
        programme = task_script(seed, families.split(","), count or _DEFAULT_COMMANDS)
    else:
        programme = demo_script(seed)[: count or None]
    out = user_path(node.get_parameter("out").value)
    out.mkdir(parents=True, exist_ok=True)
    stage = SimulationClient(node, robot, alive)
    stage.bring_up()
    film = VideoWriter(out / "demo.mp4", robot.cameras[0].rate)

    def record(instruction: str, frames: list[RecordedFrame]) -> None:
        for frame in frames:
            film.add(frame.image, _caption(instruction, frame))

    conductor = DemoRunner(stage, record)
    results: list[DemoResult] = []
    bar = tqdm(programme, "commands", file=sys.stdout, ascii=" #")
    try:
        for item in bar:
            bar.set_postfix_str(f"'{item.instruction}'")
            result = conductor.run_command(item)
            results.append(result)
            tqdm.write(f"  {'ok  ' if result.success else 'FAIL'}  '{result.instruction}'")
            save(summarize_results(seed, results, stage.latencies), out / "summary.json")
    finally:
        bar.close()  # errors begin a line of their own
        film.close()
    return summarize_results(seed, results, stage.latencies)


def _caption(instruction: str, frame: RecordedFrame) -> Caption:
    action, label = frame.action, frame.label
    now = action is not None and not action.hold
    text = ""
    if action is not None:
        x, y, z = action.values[:3]
        text = f"action  x {x:+.3f}  y {y:+.3f}  z {z:+.3f} m   gripper {action.gripper:.1f}"
    return Caption(
        instruction,
        label.label if label and now else "",
        label.score if label and now else 0.0,
        text,
        action.hold_reason if action else "",
    )


def main() -> int:
    """Run the conductor beside nodes that somebody else has started."""
    try:
        with demo_node_context() as node:
            print(table(run_demo(node, lambda: "")), flush=True)
    except (SimulationClientError, ValueError) as error:
        print(f"demo: {escape_unprintable(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
