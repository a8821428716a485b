"""How a policy that thinks long moves the arm: chunks of 50 steps, answers after up to 3 s.

    python benchmarks/slow_policy.py [--seconds 120] [--joined-steps 8]

The policy plans a circle of the tool, with noise of its own in each chunk, as policies that are
sampled have it. Its answers come late by a fixed time; it is asked again after ten steps of a
chunk. Columns: part of the time in motion after the first answer; change of the velocity from tick
to tick, p99, while a new chunk is blended in and otherwise, and their ratio; camera to action: how
old the observation is from which an action was computed, median and p99; chunks that were refused.
"""

import argparse
from typing import NamedTuple

import numpy as np

from vlm_robot_ros.inference.worker import InferenceSchedule
from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.kinematics.kinematics import Kinematics, downward_pose
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.runtime.chunk_executor import ChunkExecutor
from vlm_robot_ros.runtime.execution_settings import BLEND_S, ExecutionSettings
from vlm_robot_ros.runtime.stream_monitor import StreamMonitor

LATENCIES_S = (0.03, 0.1, 0.3, 0.8, 3.0)
PERIOD_S, FRAME_TICKS, STEP_S, STEPS, REPLAN_STEPS = 0.02, 5, 0.1, 50, 10
RADIUS_M, TURN_S, NOISE_M = 0.08, 8.0, 0.004
MIDDLE = np.array([0.5, 0.0, 0.3])


def circle(times: np.ndarray) -> np.ndarray:
    """Return places of the tool. Shape (T, 3), [m]."""
    angles = 2 * np.pi * times / TURN_S
    return MIDDLE + RADIUS_M * np.stack([np.cos(angles) - 1, np.sin(angles), 0 * angles], -1)


def plan(place: np.ndarray, rng: np.random.Generator) -> ActionChunk:
    """Return what the policy answers when it sees the tool at a place: go on from there."""
    drift = np.cumsum(rng.normal(0, NOISE_M / np.sqrt(STEPS), (STEPS, 3)), 0)
    x, y, _ = (place - MIDDLE) / RADIUS_M
    begun = TURN_S * np.arctan2(y, x + 1) / (2 * np.pi)
    places = circle(begun + STEP_S * np.arange(1, STEPS + 1)) + drift
    values = np.stack([downward_pose(place, 0.0) for place in places])
    return ActionChunk(
        ActionMode.END_EFFECTOR_POSE, values, np.ones(STEPS), STEP_S, "", {}, 1.0, ""
    )


class Row(NamedTuple):
    """What came of a run."""

    in_motion: float
    change_at_new: float
    """Change of the velocity while a new chunk is blended in, p99 [m/s]."""
    change_else: float
    age: tuple[float, float]
    """Camera to action: median and p99 [s]."""
    refused: int


def run(latency: float, seconds: float, joined_steps: int) -> Row:
    """Return what came of answers that take so long [s]."""
    robot, rng = load_robot("panda_sim"), np.random.default_rng(0)
    watch = StreamMonitor("camera", 0.5, 10.0)
    settings = ExecutionSettings(joined_steps=joined_steps)
    executor = ChunkExecutor(robot, [watch], PERIOD_S, settings, Kinematics(robot))
    schedule, joints = InferenceSchedule(REPLAN_STEPS), np.array(robot.home)
    pose = downward_pose(circle(np.zeros(1))[0], 0.0)
    number = executor.set_instruction("circle", 0.0).number
    asked: float | None = None
    seen = pose
    places, is_new, acting, ages = list[np.ndarray](), list[bool](), list[bool](), list[float]()
    since, refused = -np.inf, 0
    for tick in range(round(seconds / PERIOD_S)):
        now = tick * PERIOD_S
        if tick % FRAME_TICKS == 0:
            watch.on_message(now)
            if schedule.is_due(now, number, executor.has_chunk(now)):
                schedule.on_request(number)
                asked, seen = now, pose
        if asked is not None and now >= asked + latency - 1e-9:
            chunk = plan(seen[:3], rng)
            schedule.on_chunk(chunk, number, asked)
            executor.set_chunk(chunk, number, asked, now)
            refused += not executor.has_chunk(now)
            since, asked = now, None
        command = executor.step(now, joints, pose, 1.0)
        pose = command.values.copy()  # the arm follows
        if now > latency + 2.0:
            places.append(pose[:3])
            acting.append(not command.hold_reason)
            if not command.hold_reason:
                ages.append(now - command.stamp)
            is_new.append(now - since <= BLEND_S + PERIOD_S)
    changes = np.linalg.norm(np.diff(np.array(places), 2, axis=0), axis=1) / PERIOD_S
    new = np.array(is_new)[2:]
    at_new, else_ = (float(np.percentile(changes[each], 99)) for each in (new, ~new))
    age = (float(np.median(ages)), float(np.percentile(ages, 99)))
    return Row(float(np.mean(acting)), at_new, else_, age, refused)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--joined-steps", type=int, default=8)
    args = parser.parse_args()
    print("| answer after | in motion | change of velocity at a new chunk | else | ratio "
          "| camera to action | p99 | refused |\n|---|---|---|---|---|---|---|---|")  # fmt: skip
    for latency in LATENCIES_S:
        row = run(latency, args.seconds, args.joined_steps)
        print(f"| {latency:g} s | {row.in_motion:.1%} | {1e3 * row.change_at_new:.1f} mm/s "
              f"| {1e3 * row.change_else:.1f} mm/s | {row.change_at_new / row.change_else:.2f} "
              f"| {row.age[0]:.2f} s | {row.age[1]:.2f} s | {row.refused} |")  # fmt: skip


if __name__ == "__main__":
    main()
