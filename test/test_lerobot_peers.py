"""LeRobot itself: a checkpoint that it saves gives the actions of its own loop."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from observations import ROBOT, SEEN
from policy_servers import serving

from vlm_robot_ros.policies.factory import load_policy
from vlm_robot_ros.policies.lerobot.policy_process import PYTHON_VARIABLE
from vlm_robot_ros.policies.remote.observation_mapping import map_observation
from vlm_robot_ros.policies.remote.policy_client import RemotePolicyError
from vlm_robot_ros.policies.remote.policy_map_loader import load_policy_map
from vlm_robot_ros.policies.remote.served_policy import ServedPolicy

MAP = """
cameras:
  - {key: observation.images.front, camera: front, size: [64, 64]}
  - {key: observation.images.wrist, camera: wrist, size: [64, 64]}
state: [{key: observation.state, parts: [{values: joints}, {values: gripper}]}]
prompt: {key: task}
actions: {key: action, mode: joint_position, rate: 10.0, gripper: {column: 7}}
"""
_MAKE = """
import json
import sys

import numpy as np
import torch
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.factory import get_policy_class, make_policy_config, make_pre_post_processors
from lerobot.policies.utils import prepare_observation_for_inference

kind, folder, moments = sys.argv[1:]
torch.manual_seed(0)
given = np.load(f"{folder}/observation.npz")
images = {key: PolicyFeature(FeatureType.VISUAL, (3, 64, 64)) for key in given if "images" in key}
vector = PolicyFeature(FeatureType.STATE, (8,))
own = {
    "act": {"chunk_size": 5, "n_action_steps": 5, "dim_model": 64, "n_heads": 4,
            "dim_feedforward": 64},
    "diffusion": {"horizon": 8, "n_action_steps": 5, "n_obs_steps": int(moments),
                  "down_dims": (32, 64), "crop_shape": None, "num_inference_steps": 3,
                  "num_train_timesteps": 3},
}[kind]
config = make_policy_config(
    kind, device="cpu", push_to_hub=False, pretrained_backbone_weights=None,
    input_features={**images, "observation.state": vector},
    output_features={"action": PolicyFeature(FeatureType.ACTION, (8,))}, **own,
)
stats = {key: {"mean": torch.full((3, 1, 1), 0.4), "std": torch.full((3, 1, 1), 0.3)}
         for key in images}
line = {"mean": torch.linspace(-1, 1, 8) / 9, "std": torch.full((8,), 0.02),
        "min": torch.full((8,), -0.2), "max": torch.full((8,), 0.9)}
stats |= {"observation.state": line, "action": line}
for each in images:
    stats[each] |= {"min": torch.zeros(3, 1, 1), "max": torch.ones(3, 1, 1)}
policy = get_policy_class(kind)(config).eval()
before, after = make_pre_post_processors(config, dataset_stats=stats)
for part in (policy, before, after):
    part.save_pretrained(folder)
seen = prepare_observation_for_inference(
    {key: given[key] for key in given}, torch.device("cpu"), "pick up the lemon"
)
policy.reset()
torch.manual_seed(7)
steps = []
with torch.inference_mode():
    for _ in range(5):
        steps.append(after(policy.select_action(before(dict(seen)))).numpy())
np.save(f"{folder}/own.npy", np.concatenate(steps))
"""


@pytest.fixture(scope="module")
def python():
    path = os.environ.get(PYTHON_VARIABLE, "")
    if not path:
        pytest.skip(f"needs an interpreter with LeRobot in {PYTHON_VARIABLE}")
    return path


def make(folder: Path, python: str, kind: str, moments: int = 2):
    """Save a checkpoint of LeRobot; returns its folder, a map, and its own loop's actions."""
    (folder / "map.yaml").write_text(MAP)
    found = load_policy_map(folder / "map.yaml", ROBOT)
    message = map_observation(found, SEEN)
    arrays = {key: value for key, value in message.items() if isinstance(value, np.ndarray)}
    np.savez(folder / "observation.npz", **arrays)
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [python, "-c", _MAKE, kind, str(folder), str(moments)], check=True, env=environment
    )
    assert json.loads((folder / "config.json").read_text())["type"] == kind
    return folder, folder / "map.yaml", np.load(folder / "own.npy")


def test_act_does_what_lerobots_own_loop_does_here_and_served(tmp_path, python):
    checkpoint, found, own = make(tmp_path, python, "act")
    policy = load_policy(f"lerobot:{checkpoint}", ROBOT, policy_map=found)
    chunk = policy.infer(SEEN)
    ours = np.column_stack([chunk.values, chunk.gripper])
    assert np.ptp(own, 0).max() > 1e-4
    np.testing.assert_allclose(ours, np.clip(own, [-np.inf] * 7 + [0], [np.inf] * 7 + [1]),
                               atol=1e-5)  # fmt: skip
    # Between the two, images have the camera's size: only LeRobot's map changes it.
    (tmp_path / "wire.yaml").write_text(MAP.replace(", size: [64, 64]", ""))
    wire = tmp_path / "wire.yaml"
    with serving(ServedPolicy(policy, load_policy_map(wire, ROBOT), ROBOT)) as server:
        asked = load_policy(server.address, ROBOT, policy_map=wire)
        again = asked.infer(SEEN)
        asked.close()
    np.testing.assert_allclose(again.values, chunk.values, atol=1e-5)
    np.testing.assert_allclose(again.gripper, chunk.gripper, atol=1e-5)


@pytest.mark.parametrize("moments", [1, 2])
def test_policy_that_keeps_what_it_sees_answers(tmp_path, python, moments):
    checkpoint, found, own = make(tmp_path, python, "diffusion", moments)
    policy = load_policy(f"lerobot:{checkpoint}", ROBOT, policy_map=found)
    policy.reset()
    chunk = policy.infer(SEEN)
    assert chunk.values.shape == (5, 7) == own[:, :7].shape


def test_lerobots_own_policy_server_gives_the_actions_of_its_loop(tmp_path, python):
    checkpoint, found, own = make(tmp_path, python, "act")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-m", "lerobot.async_inference.policy_server", f"--port={port}"]
    process = subprocess.Popen([*command, "--host=127.0.0.1"], env=environment, cwd=tmp_path)
    address = f"lerobot-grpc://127.0.0.1:{port}/act:{checkpoint}"
    policy = load_policy(address, ROBOT, policy_map=found)
    try:
        end = time.monotonic() + 120
        while True:
            try:
                chunk = policy.infer(SEEN)
                break
            except RemotePolicyError:
                assert time.monotonic() < end
                time.sleep(0.2)
        np.testing.assert_allclose(chunk.values, own[:, :7], atol=1e-5)
        again = policy.infer(SEEN)  # the server drops what is like the last one unless it must go
        np.testing.assert_allclose(again.values, own[:, :7], atol=1e-5)
    finally:
        policy.close()
        process.kill()
        process.wait()
