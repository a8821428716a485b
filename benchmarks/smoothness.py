"""Does the arm feel where one plan ends and the next begins? Steps of joint speed, tick by tick.

python benchmarks/smoothness.py [EPISODES] [IMAGE]
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from vlm_robot_ros.evaluation.closed_loop import FRAME_PERIOD_S, LATENCY_S, ClosedLoopRunner
from vlm_robot_ros.evaluation.conditions import make_episode_spec
from vlm_robot_ros.interfaces.policy import Policy
from vlm_robot_ros.paths import shipped_checkpoint
from vlm_robot_ros.policies.factory import load_checkpoint_policy
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.runtime.execution_settings import BLEND_S, JOINED_STEPS, ExecutionSettings
from vlm_robot_ros.sim.joint_trajectory_controller import Trajectory
from vlm_robot_ros.sim.simulator import CONTROL_PERIOD, Simulator

SEED, SECONDS = 620_000, 6.0
SHIPPED = (BLEND_S, 0.0, JOINED_STEPS)
WAYS = ((0.0, 0.0, 0), SHIPPED, (BLEND_S, 0.0, 0), (BLEND_S, 0.0, 3), (BLEND_S, 0.0, 6),
        (BLEND_S, 0.5, 0), (BLEND_S, 0.8, 0))  # fmt: skip
"""Blend [s], ensemble, and steps in which plans are joined."""
_BOUNDARY = round(LATENCY_S / CONTROL_PERIOD)
_TICKS = round(FRAME_PERIOD_S / CONTROL_PERIOD)


def main() -> None:
    """Measure, print a table, and draw the speeds of one episode each way."""
    episodes = int(sys.argv[1]) if len(sys.argv) > 1 else 14
    torch.set_num_threads(1)
    robot = load_robot("panda_sim")
    sim = Simulator(robot)
    policy = load_checkpoint_policy(shipped_checkpoint(), robot)
    print(f"step of joint speed from tick to tick ({CONTROL_PERIOD} s), largest joint [rad/s]\n")
    print(
        "| blend | ensemble | joined steps | ticks | p50 | p95 "
        "| at a new plan / within one: mean | rms | p50 | p95 |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    drawn = []
    for way in WAYS:
        runs = [_speeds(sim, policy, index, way) for index in range(episodes)]
        drawn.append(runs[0])
        steps: dict[bool, list[float]] = {True: [], False: []}
        for speeds in runs:
            change = np.diff(speeds, axis=0)
            for tick, step in enumerate(np.abs(change).max(1), 1):
                if np.any(speeds[tick]):  # an arm that stands has no boundaries
                    # The plan is there, and is what is commanded from the next tick on.
                    new = (tick - _BOUNDARY) % _TICKS < 2
                    steps[new].append(float(step))
        p50, p95 = np.percentile([*steps[True], *steps[False]], (50, 95))
        at, within = (_sizes(steps[new]) for new in (True, False))
        ratios = " | ".join(f"{one / other:.2f}" for one, other in zip(at, within, strict=True))
        count = len(steps[True]) + len(steps[False])
        how = f"{way[0]:.2f} s | {way[1]} | {way[2]} | {count}"
        print(f"| {how} | {p50:.3f} | {p95:.3f} | {ratios} |", flush=True)
    if len(sys.argv) > 2:
        both = [_draw(speeds) for speeds in drawn[:2]]
        image = Image.new("RGB", (both[0].width, 2 * both[0].height), "white")
        for number, part in enumerate(both):
            image.paste(part, (0, number * part.height))
        image.save(Path(sys.argv[2]))
    sim.close()


def _sizes(steps: list[float]) -> tuple[float, float, float, float]:
    """Return mean, root of the mean square, median and 95th percentile."""
    p50, p95 = np.percentile(steps, (50, 95))
    return float(np.mean(steps)), float(np.sqrt(np.mean(np.square(steps)))), float(p50), float(p95)


def _speeds(
    sim: Simulator, policy: Policy, index: int, way: tuple[float, float, int]
) -> np.ndarray:
    """Return what the joints are told at each tick of an episode. Shape (T, J), [rad/s]."""
    case = make_episode_spec("seen", SEED, index)
    sim.reset(case.scene, np.array(sim.robot.home) + case.jitter[: len(sim.robot.joints)])
    settings = ExecutionSettings(blend=way[0], ensemble=way[1], joined_steps=way[2])
    player = ClosedLoopRunner(sim, policy, "joint_trajectory", settings)
    told: list[np.ndarray] = []
    send, step, now = sim.command_trajectory, sim.step, np.zeros(len(sim.robot.joints))

    def hear(trajectory: Trajectory) -> None:
        nonlocal now
        # First come two points of the past, and one that was sent before. A start has but three.
        now = trajectory.velocities[3] if len(trajectory.times) > 3 else np.zeros(now.shape)
        send(trajectory)

    def advance() -> None:
        told.append(now)
        step()

    sim.command_trajectory, sim.step = hear, advance  # type: ignore[method-assign]
    try:
        player.set_instruction(case.instructions[0].text)
        player.run(SECONDS)
    finally:
        sim.command_trajectory, sim.step = send, step  # type: ignore[method-assign]
    return np.array(told)


def _draw(speeds: np.ndarray) -> Image.Image:
    """Draw speeds over time, and where plans change."""
    left, top, width, height = 60, 20, 1100, 320
    image = Image.new("RGB", (left + width + 20, top + height + 40), "white")
    pen = ImageDraw.Draw(image)
    most, count = float(np.abs(speeds).max()) * 1.05, len(speeds)

    def at(tick: int, value: float) -> tuple[float, float]:
        return left + tick / count * width, top + height / 2 * (1 - value / most)

    for tick in range(_BOUNDARY, count, _TICKS):
        pen.line([at(tick, -most), at(tick, most)], fill=(225, 225, 225))
    colours = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2")
    for joint, colour in zip(range(speeds.shape[1]), colours, strict=False):
        pen.line([at(t, v) for t, v in enumerate(speeds[:, joint])], fill=colour, width=2)
    pen.line([at(0, 0), at(count, 0)], fill="black")
    for value in (-most, 0.0, most):
        pen.text((4, at(0, value)[1] - 6), f"{value:.2f}", fill="black")
    pen.text((left, top + height + 12), "joint speeds [rad/s]; grey: a new plan", fill="black")
    pen.text(
        (left + width - 30, top + height + 12), f"{count * CONTROL_PERIOD:.0f} s", fill="black"
    )
    return image


if __name__ == "__main__":
    main()
