"""The demo's conductor as a node: the same under `vlm-robot demo` and under `ros2 launch`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import rclpy
from rclpy.node import Node
from tqdm import tqdm

from vlm_robot_ros.contract.load import load_robot
from vlm_robot_ros.evaluation.film import Caption, Film
from vlm_robot_ros.evaluation.report import Result, save, summarise, table
from vlm_robot_ros.nodes.arguments import corrected_arguments
from vlm_robot_ros.nodes.conductor import Conductor
from vlm_robot_ros.nodes.parameters import Spec, declare
from vlm_robot_ros.nodes.run import on_ending
from vlm_robot_ros.nodes.stage import INTERRUPTED, Frame, Stage, StageError
from vlm_robot_ros.nodes.start import start_ros
from vlm_robot_ros.paths import user_path
from vlm_robot_ros.printable import printable
from vlm_robot_ros.safe_import import leave_out_working_directory
from vlm_robot_ros.shared_memory import restrict_segments
from vlm_robot_ros.sim.programme import demo_programme, task_programme

PARAMETERS = (
    Spec("robot", "panda_sim", "Contract: a name under config/arms, or a path of a .yaml"),
    Spec("seed", 1, "Of scenes and commands", 0, 2**31),
    Spec("out", "runs/demo", "Folder of video and summary"),
    Spec("commands", 0, "Give only so many commands; 0: all, or ten of `families`", 0, 1000),
    Spec("families", "", "Only tasks of these, with commas between, as pick,push; empty: a mix"),
)

_TASKS = 10


@contextmanager
def conducting(arguments: list[str] | None = None) -> Iterator[Node]:
    """Provide a node with `PARAMETERS`, from the start of ROS to its end.

    SIGINT, SIGTERM and SIGHUP end the next wait of a `Stage` with KeyboardInterrupt; a second one
    ends whatever is going on.

    Raises:
        ValueError: a parameter is not valid.
    """
    leave_out_working_directory()
    on_ending(_interrupt)
    start_ros(corrected_arguments(arguments))
    node = rclpy.create_node("demo_node")
    restrict_segments()
    try:
        declare(node, PARAMETERS)
        yield node
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def _interrupt(number: int, frame: FrameType | None) -> None:
    if INTERRUPTED.is_set():
        raise KeyboardInterrupt
    INTERRUPTED.set()


def perform(node: Node, alive: Callable[[], str]) -> dict[str, Any]:
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
        programme = task_programme(seed, families.split(","), count or _TASKS)
    else:
        programme = demo_programme(seed)[: count or None]
    out = user_path(node.get_parameter("out").value)
    out.mkdir(parents=True, exist_ok=True)
    stage = Stage(node, robot, alive)
    stage.bring_up()
    film = Film(out / "demo.mp4", robot.cameras[0].rate)

    def record(instruction: str, frames: list[Frame]) -> None:
        for frame in frames:
            film.add(frame.picture, _caption(instruction, frame))

    conductor = Conductor(stage, record)
    results: list[Result] = []
    bar = tqdm(programme, "commands", file=sys.stdout, ascii=" #")
    try:
        for item in bar:
            bar.set_postfix_str(f"'{item.instruction}'")
            result = conductor.perform(item)
            results.append(result)
            tqdm.write(f"  {'ok  ' if result.success else 'FAIL'}  '{result.instruction}'")
            save(summarise(seed, results, stage.latencies), out / "summary.json")
    finally:
        bar.close()  # errors begin a line of their own
        film.close()
    return summarise(seed, results, stage.latencies)


def _caption(instruction: str, frame: Frame) -> Caption:
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
        with conducting() as node:
            print(table(perform(node, lambda: "")), flush=True)
    except (StageError, ValueError) as error:
        print(f"demo: {printable(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
