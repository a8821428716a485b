"""A policy that takes long, played by this package and by LeRobot's asynchronous client.

    python benchmarks/slow_policy_peers.py --lerobot-python PYTHON [--seconds 60]

Both ask the same server, LeRobot's own, in turn; its policy is a circle of two joints with noise
of its own in each chunk of 50 steps of 0.1 s, and answers after a fixed time. Both arms go where
they are told. LeRobot's client sends an action each 0.1 s; this package's control loop runs at
50 Hz, and its actions are looked at each 0.1 s, too. All in real time. Columns: part of the time
in motion after the first answer; change of a joint's velocity from one 0.1 s to the next, p99; how
old the observation is from which an action was computed, median and p99.
"""

import argparse
import csv
import math
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vlm_robot_ros.inference.worker import InferenceRequest, InferenceSchedule, InferenceWorker
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.policies.remote.remote_policy import connect_policy
from vlm_robot_ros.robot.config import WITHOUT_GRIPPER
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.runtime.control_loop import ControlLoop
from vlm_robot_ros.runtime.execution_settings import ExecutionSettings

LATENCIES_S = (0.03, 0.1, 0.3, 0.8, 3.0)
PERIOD_S, FRAME_TICKS, GRID_S, REPLAN_STEPS, JOINED_STEPS = 0.02, 5, 0.1, 10, 8
PEER = Path(__file__).with_name("lerobot_circle.py")
MAP = """\
cameras:
  - {key: observation.images.front, camera: front}
state:
  - {key: observation.state, parts: [{values: joints, unit: deg}]}
prompt: {key: task}
actions: {key: action, mode: joint_position, unit: deg, rate: 10.0}
timeout: 10.0
"""


class Row(NamedTuple):
    """What came of a run."""

    in_motion: float
    change: float
    """Of the velocity, p99 [rad/s]."""
    age: tuple[float, float]
    """Median and p99 [s]."""


def drive(port: int, seconds: float, folder: Path) -> list[list[float]]:
    """Let this package drive; returns time [s], joints [deg] and the time of what was seen."""
    robot = replace(load_robot("panda_sim"), gripper=WITHOUT_GRIPPER)
    path = folder / "circle.yaml"
    path.write_text(MAP, encoding="utf-8")
    policy = connect_policy(f"lerobot-grpc://127.0.0.1:{port}/act:circle", path, robot)
    loop = ControlLoop(robot, PERIOD_S, settings=ExecutionSettings(joined_steps=JOINED_STEPS))
    schedule, kinematics = InferenceSchedule(REPLAN_STEPS), Kinematics(robot)
    answers: list[tuple] = []
    worker = InferenceWorker(policy, lambda *answer: answers.append(answer))
    number = loop.set_instruction("circle", time.time()).number
    image, joints = np.zeros((8, 8, 3), np.uint8), np.array([0.0, *robot.home[1:-1], 0.0])
    told, begun = [], time.monotonic()
    for tick in range(round(seconds / PERIOD_S)):
        time.sleep(max(0.0, begun + tick * PERIOD_S - time.monotonic()))
        now = time.time()
        while answers:
            request, chunk, _ = answers.pop(0)
            schedule.on_chunk(chunk, number, request.stamp)
            loop.set_chunk(chunk, number, request.stamp, now)
        if tick % FRAME_TICKS == 0 and schedule.is_due(now, number, loop.has_chunk(now)):
            schedule.on_request(number)
            pose = transform_to_pose7(kinematics.forward(joints))
            seen = Observation({"front": image}, pose, 1.0, "circle", joints, now)
            worker.submit(InferenceRequest(seen, now, number))
        action = loop.step(now, RobotState(now, joints, 1.0)).action
        if not action.hold_reason and len(action.values) == len(joints):
            joints = action.values.copy()
            if tick % FRAME_TICKS == 0:
                told.append([now, *np.degrees(joints), action.stamp])
    worker.stop()
    policy.close()
    return told


def measure(told: np.ndarray) -> Row:
    """Return what came of actions.

    Args:
        told: Time [s], joints [deg], time of what was seen [s]. Shape (N, 2 + J).
    """
    times, joints = told[:, 0], np.radians(told[:, 1:-1])
    grid = np.arange(times[0] + 1.0, times[-1], GRID_S)
    last = np.searchsorted(times, grid, side="right") - 1
    speeds = np.diff(joints[last], axis=0) / GRID_S
    moves = np.abs(speeds).max(1) > 1e-6
    # One action more or less in a tenth of a second is the clocks'; a pause is two of them.
    moves[:-1] |= moves[1:]
    steady = np.diff(joints, axis=0) / np.maximum(np.diff(times), GRID_S)[:, None]
    pauses = np.diff(times)
    steady[pauses > 2 * GRID_S] = 0.0
    changes = np.abs(np.diff(steady, axis=0)).max(1)
    ages = times - told[:, -1]
    return Row(
        float(moves.mean()), float(np.percentile(changes, 99)),
        (float(np.median(ages)), float(np.percentile(ages, 99))),
    )  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lerobot-python", required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--port", type=int, default=18080)
    args = parser.parse_args()
    print("| answer after | player | in motion | change of velocity | age of what was seen | p99 |"
          "\n|---|---|---|---|---|---|")  # fmt: skip
    for latency in LATENCIES_S:
        for player in ("vlm_robot_ros", "LeRobot"):
            with tempfile.TemporaryDirectory() as name:
                row = _run(player, latency, args, Path(name))
            print(f"| {latency:g} s | {player} | {row.in_motion:.1%} | {row.change:.3f} rad/s | "
                  f"{row.age[0]:.2f} s | {row.age[1]:.2f} s |", flush=True)  # fmt: skip


def _run(player: str, latency: float, args: argparse.Namespace, folder: Path) -> Row:
    begun = math.floor(time.time())
    peer = [args.lerobot_python, str(PEER)]
    server = subprocess.Popen(
        [*peer, "server", str(args.port), str(latency), str(begun)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        while (line := server.stdout.readline()) and line.strip() != "ready":
            pass
        if player == "LeRobot":
            out = folder / "told.csv"
            subprocess.run(
                [*peer, "client", str(args.port), str(args.seconds), str(out)],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
            )  # fmt: skip
            with out.open(encoding="utf-8") as file:
                told = np.array([[float(value) for value in row] for row in csv.reader(file)])
            told[:, -1] += begun
        else:
            told = np.array(drive(args.port, args.seconds, folder))
    finally:
        server.terminate()
        server.wait()
    return measure(told)


if __name__ == "__main__":
    main()
