"""A conversation with the arm in a terminal."""

import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from rclpy.node import Node

from vlm_robot_ros.demo.sim_client import SimulationClient
from vlm_robot_ros.interfaces.hold import IDLE_CODES
from vlm_robot_ros.paths import user_path
from vlm_robot_ros.robot.loader import load_robot

_HELP = """Type what the arm should do, as in "pick up the {first}" or "push the {second} left".
  stop   stops it at once        new    a new scene
  help   this text               quit   ends"""


def run_terminal_session(node: Node, alive: Callable[[], str], seed: int) -> None:
    """Give what is typed to the arm, and tell what it does, until "quit" or the end of input.

    Raises:
        StageError: something that should be running is not heard of.
    """
    stage = SimulationClient(node, load_robot(node.get_parameter("robot").value), alive)
    view = user_path(node.get_parameter("out").value) / "view.png"
    stage.bring_up()
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read_line, args=(lines,), daemon=True).start()
    stage.new_scene(seed)
    _print_introduction(stage, view)
    told = ""
    while True:
        stage.frames = []
        stage.wait(lambda: not lines.empty(), 0.5)
        if stage.frames:
            Image.fromarray(stage.frames[-1].image).save(view)
        told = _print_result(stage, told)
        if lines.empty():
            continue
        line = lines.get().strip()
        if line == "quit":
            return
        if line == "new":
            seed += 1
            stage.new_scene(seed)
            _print_introduction(stage, view)
        elif line == "help":
            _print_introduction(stage, view)
        elif line:
            stage.publish_instruction(line)
            told = ""


def _print_introduction(stage: SimulationClient, view: Path) -> None:
    assert stage.state is not None
    names = list(stage.state.objects)
    print(f"\nOn the table: {', '.join(names)}.  (The camera's image: {view})")
    print(_HELP.format(first=names[0], second=names[1]), flush=True)


def _print_result(stage: SimulationClient, told: str) -> str:
    """Print what the arm does when that has changed; returns what was told."""
    action, label = stage.action, stage.label
    if action is None or (action.hold and action.hold_code in IDLE_CODES):
        return told
    doing = f"holding: {action.hold_reason}" if action.hold else "acting"
    if not action.hold and label and label.instruction_id == action.instruction_id:
        doing = f"{label.label} ({label.score:.0%} sure)"
    if doing != told:
        print(f"  arm: {doing}", flush=True)
    return doing


def _read_line(lines: "queue.Queue[str]") -> None:
    for line in sys.stdin:
        lines.put(line)
    lines.put("quit")
