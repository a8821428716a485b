"""How often the shipped policy can answer on one CPU core, and what its parts take.

    python benchmarks/policy_rate.py [--frames 200] [--device cpu]

Both cameras of the contract are drawn for each frame, as the arm would send them; only the policy
is timed. It looks through the front camera only.
"""

import argparse
import time

import numpy as np
import torch

from vlm_robot_ros.demo.script import demo_script
from vlm_robot_ros.evaluation.closed_loop import ClosedLoopRunner
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.paths import share_dir
from vlm_robot_ros.policies.grounded.policy import GroundedPolicy
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.simulator import Simulator


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(1)
    robot = load_robot("panda_sim")
    sim, policy = (
        Simulator(robot),
        GroundedPolicy(share_dir() / "checkpoints" / "panda_sim", args.device),
    )
    item = demo_script(1)[0]
    sim.reset(item.scene)
    player = ClosedLoopRunner(sim, policy)
    times, parts = [], []
    for _ in range(args.frames):
        images = {camera.name: sim.render(camera.name) for camera in robot.cameras}
        seen = player.observe(item.instruction)
        begun = time.perf_counter()
        policy.infer(Observation(images, seen.pose, seen.opening, seen.instruction))
        times.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        with torch.inference_mode():
            crop = policy.model.config.crop
            image = torch.rand(1, 3, *crop[2:], device=args.device)
            policy.model.image(image)
        parts.append(time.perf_counter() - begun)
    middle, high = 1e3 * np.percentile(times[5:], [50, 95])
    print(f"one answer      p50 {middle:.1f} ms, p95 {high:.1f} ms: {1e3 / middle:.0f} a second")
    print(f"image tower     p50 {1e3 * np.median(parts[5:]):.1f} ms of it")
    print(f"parameters      {sum(p.numel() for p in policy.model.parameters()):,}")


if __name__ == "__main__":
    main()
