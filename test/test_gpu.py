"""On a GPU everything is as on the CPU, and sooner; skipped where there is none."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import save_hf, save_open_clip

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.inference.optimizations import OPTIMIZATIONS
from vlm_robot_ros.inference.subprocess_policy import SubprocessPolicy
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.policies.factory import load_named
from vlm_robot_ros.policies.finetuned.policy import FinetunedPolicy
from vlm_robot_ros.robot.loader import load_robot

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a GPU that torch can use (CUDA)"
)
DATA = Path(__file__).parent / "data" / "rlds" / "tiny_bridge" / "1.0.0"
ROBOT = load_robot("panda_sim")
AT_HOME = transform_to_pose7(Kinematics(ROBOT).forward(np.array(ROBOT.home)))
SAID = "push thing 0 to the left"


def test_the_shipped_policy_plans_the_same(scene):
    image, thing = scene
    seen = Observation({"front": image}, AT_HOME, 1.0, f"pick up the {thing}")
    chunks = [load_named("shipped", ROBOT, device).infer(seen) for device in ("cpu", "cuda")]
    assert chunks[0].label == chunks[1].label
    # Products of matrices are of fewer bits there, by torch's own choice.
    np.testing.assert_allclose(chunks[1].values, chunks[0].values, atol=5e-3)


def fitted(folder, library, *options):
    """Fit a tiny encoder for three steps, where accelerate finds it best."""
    (save_open_clip if library == "open_clip" else save_hf)(folder / "clip", "clip")
    command = ["finetune", str(DATA), "--out", str(folder / "made"), "--fps", "5"]
    command += ["--steps", "3", "--encoder", f"{library}:{folder / 'clip'}"]
    assert main([*command, *options]) == 0
    return folder / "made"


@pytest.mark.parametrize("library", ["open_clip", "hf"])
@pytest.mark.parametrize("tune", ["frozen", "lora", "full"])
def test_what_was_tuned_there_plans_the_same_here(tmp_path, capsys, library, tune):
    made = fitted(tmp_path, library, "--tune", tune)
    assert "memory: " in capsys.readouterr().out
    assert torch.cuda.max_memory_allocated() > 0, "it was tuned on the CPU"
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    seen = Observation({"front": image}, AT_HOME, 1.0, SAID)
    plain = FinetunedPolicy(made, ROBOT).infer(seen)
    assert not plain.hold
    for ways in ([], *([way] for way in OPTIMIZATIONS), [*OPTIMIZATIONS]):
        there = SubprocessPolicy(partial(FinetunedPolicy, made, ROBOT, "cuda", ways), 100.0)
        chunks = [there.infer(seen) for _ in range(3)]  # CUDA graphs are recorded, then played
        there.close()
        tolerance = 0.02 if "bfloat16" in ways else 5e-3
        for chunk in chunks:
            assert chunk.label == plain.label
            np.testing.assert_allclose(
                chunk.values, plain.values, atol=tolerance, err_msg=str(ways)
            )


def test_the_shipped_model_is_trained_there(demos, tmp_path):
    torch.cuda.reset_peak_memory_stats()
    command = ["train", "--data", str(demos), "--out", str(tmp_path / "made"), "--batch", "2"]
    assert main([*command, *(f"--{part}-steps=2" for part in ("text", "action", "image"))]) == 0
    assert torch.cuda.max_memory_allocated() > 0, "it was trained on the CPU"


@pytest.mark.parametrize("faster", ["auto", "bfloat16,compile,channels_last,pinned"])
def test_the_node_plans_there(graph, tmp_path, faster):
    from rig import Rig

    made = fitted(tmp_path, "open_clip")
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    rig = Rig(graph, image)
    graph.start(
        "policy_node", checkpoint=str(made), min_confidence=0.0, device="cuda", faster=faster
    )
    graph.until_up(lambda: rig.actions)
    rig.until_held("no instruction yet")
    rig.say(SAID)
    assert graph.until(lambda: rig.chunks, 100.0), rig.actions[-1].hold_reason
    rig.until_acting()
    planned = FinetunedPolicy(made, ROBOT).infer(Observation({"front": image}, AT_HOME, 1.0, SAID))
    np.testing.assert_allclose(rig.chunks[0].values[:7], planned.values[0], atol=0.02)
