"""Measure a policy in closed loop in the simulator, without ROS."""

import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from vlm_robot_ros.contract.action import ActionChunk
from vlm_robot_ros.contract.kinematics import to_vector
from vlm_robot_ros.contract.robot import Robot
from vlm_robot_ros.control.pilot import Pilot
from vlm_robot_ros.evaluation.wilson import wilson
from vlm_robot_ros.policy.base import Observation, Policy
from vlm_robot_ros.policy.fusion_policy import FusionPolicy
from vlm_robot_ros.sim.language import say
from vlm_robot_ros.sim.scene import sample_scene
from vlm_robot_ros.sim.simulator import CONTROL_PERIOD, Simulator
from vlm_robot_ros.sim.tasks import SKILLS, is_done, sample_task

TIME_LIMIT = 9.0
"""Simulated seconds an episode lasts; judged at its end."""
LATENCY = 0.06
"""Simulated seconds from a camera frame to the first use of its chunk [s]."""
_FRAME_PERIOD = 0.1


@dataclass(frozen=True)
class Outcome:
    """What came of one episode."""

    seed: int
    skill: str
    instruction: str
    label: str
    success: bool


def evaluate(
    robot: Robot, checkpoint: Path, episodes: int, seed: int, workers: int
) -> list[Outcome]:
    """Run episodes of all skills in turn, each in a fresh scene of its own seed."""
    work = [(robot, checkpoint, seed + i, SKILLS[i % len(SKILLS)]) for i in range(episodes)]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        return list(tqdm(pool.imap(_run, work), total=episodes, desc="episodes"))


def summarise(outcomes: list[Outcome]) -> dict[str, dict[str, float]]:
    """Return episodes, successes and the Wilson interval of each skill and of all."""
    table = {}
    for name in ("all", *SKILLS):
        chosen = [o.success for o in outcomes if name in ("all", o.skill)]
        if chosen:
            low, high = wilson(sum(chosen), len(chosen))
            table[name] = {
                "episodes": len(chosen),
                "successes": sum(chosen),
                "rate": round(sum(chosen) / len(chosen), 4),
                "low": round(low, 4),
                "high": round(high, 4),
            }
    return table


def run_episode(sim: Simulator, policy: Policy, seed: int, skill: str) -> Outcome:
    """Run one episode: a scene, a sentence, `TIME_LIMIT` seconds, and the judge."""
    rng = np.random.default_rng(seed)
    task = None
    while task is None:
        scene = sample_scene(rng)
        task = sample_task(rng, scene, skill)
    sim.reset(scene)
    instruction = say(rng, task, scene)
    start = sim.object_positions
    policy.reset()
    follow(sim, policy, instruction, TIME_LIMIT)
    last = policy.infer(observe(sim, instruction))
    return Outcome(
        seed, skill, instruction, last.label, is_done(task, start, sim.object_positions)
    )


def follow(sim: Simulator, policy: Policy, instruction: str, seconds: float) -> None:
    """Let a policy act on one instruction for a while, through the pilot of the policy node."""
    pilot = Pilot(sim.robot, [], CONTROL_PERIOD)
    said = pilot.hear(instruction)
    for _ in range(round(seconds / _FRAME_PERIOD)):
        stamp = sim.time
        chunk: ActionChunk | None = policy.infer(observe(sim, instruction))
        for _ in range(round(_FRAME_PERIOD / CONTROL_PERIOD)):
            if chunk is not None and sim.time - stamp >= LATENCY - 1e-6:
                pilot.take(chunk, said.number, stamp, sim.time)
                chunk = None
            command = pilot.tick(sim.time, sim.joint_positions, _tool_pose(sim), sim.opening)
            if command.hold_reason:
                sim.hold()
            else:
                sim.command(command.mode, command.values, command.gripper)
            sim.step()


def observe(sim: Simulator, instruction: str) -> Observation:
    """Return what a policy may know now."""
    return Observation({"front": sim.render("front")}, _tool_pose(sim), sim.opening, instruction)


def _tool_pose(sim: Simulator) -> np.ndarray:
    return to_vector(sim.kinematics.forward(sim.joint_positions))


_ready: tuple[Simulator, Policy] | None = None


def _run(work: tuple[Robot, Path, int, str]) -> Outcome:
    global _ready
    robot, checkpoint, seed, skill = work
    if _ready is None:
        torch.set_num_threads(1)
        _ready = (Simulator(robot), FusionPolicy(checkpoint))
    return run_episode(*_ready, seed, skill)
