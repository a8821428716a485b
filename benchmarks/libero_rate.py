"""How fast LIBERO's environment runs behind the evaluation, beside the environment alone.

    python benchmarks/libero_rate.py --libero-python PYTHON [--steps 200]

One task, the same actions. Alone: `OffScreenRenderEnv` as its users step it, which renders both
cameras at each step. Behind the evaluation: the same, with images at each step, at each fifth, and
never.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from vlm_robot_ros.sim.libero.environment import LiberoEnvironment

SUITE, TASK, CAMERAS = "libero_goal", 0, ("front", "wrist")
ALONE = """
import os, sys, time
os.environ.setdefault("MUJOCO_GL", "egl")
import numpy as np
from libero.libero import benchmark, get_libero_path
from libero.libero.envs import OffScreenRenderEnv
suite, task, actions = sys.argv[1], int(sys.argv[2]), np.load(sys.argv[3])
found = benchmark.get_benchmark_dict()[suite]().get_task(task)
path = os.path.join(get_libero_path("bddl_files"), found.problem_folder, found.bddl_file)
env = OffScreenRenderEnv(bddl_file_name=path, camera_heights=256, camera_widths=256)
env.reset()
begun = time.perf_counter()
for action in actions:
    env.step(action)
print("seconds", time.perf_counter() - begun)
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--libero-python", required=True)
    parser.add_argument("--steps", type=int, default=200)
    args = parser.parse_args()
    actions = np.random.default_rng(0).uniform(-0.3, 0.3, (args.steps, 7))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "actions.npy"
        np.save(path, actions)
        told = subprocess.run(
            [args.libero_python, "-c", ALONE, SUITE, str(TASK), path],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    alone = args.steps / float(told.split("seconds")[1])
    print(f"| | steps a second | of the environment alone |\n|---|---|---|\n"
          f"| alone, images at each step | {alone:.1f} | 1.00 |")  # fmt: skip
    env = LiberoEnvironment(args.libero_python)
    env.open(SUITE, TASK)
    for name, size in (("images at each step", 1), ("at each fifth", 5), ("none", args.steps)):
        env.reset(0, 7)
        begun = time.perf_counter()
        for part in np.array_split(actions, args.steps // size):
            env.step(part, CAMERAS if size < args.steps else ())
        rate = args.steps / (time.perf_counter() - begun)
        print(f"| behind the evaluation, {name} | {rate:.1f} | {rate / alone:.2f} |")
    env.close()


if __name__ == "__main__":
    main()
