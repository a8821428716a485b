"""Fine-tuned policies of every family of encoders, from the policy node over real DDS."""

from pathlib import Path

import numpy as np
import pytest
from small_models import save_hf, save_open_clip

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from rig import ROBOT, Rig

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.policies.finetuned.policy import FinetunedPolicy

DATA = Path(__file__).parent / "data" / "lerobot_v3"
KINDS = ["open_clip-clip", "open_clip-siglip", "open_clip-coca", "hf-clip", "hf-siglip",
         "hf-siglip2", "hf-blip2", "hf-paligemma"]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_checkpoint_plans_is_published_and_done(graph, tmp_path, kind):
    library, _, name = kind.partition("-")
    (save_open_clip if library == "open_clip" else save_hf)(tmp_path / name, name)
    command = ["finetune", str(DATA), "--out", str(tmp_path / "made"), "--steps", "2"]
    assert main([*command, "--encoder", f"{library}:{tmp_path / name}", "--batch", "2"]) == 0
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    rig = Rig(graph, image)
    graph.start("policy_node", checkpoint=str(tmp_path / "made"), min_confidence=0.0)
    graph.until_up(lambda: rig.actions)
    rig.until_held("no instruction yet")
    words = "push the lemon left"
    rig.say(words)
    assert graph.until(lambda: any(chunk.instruction == words for chunk in rig.chunks))
    rig.until_acting()
    published = next(chunk for chunk in rig.chunks if chunk.instruction == words)
    pose = np.array(published.values[:7])
    assert published.mode == ActionMode.END_EFFECTOR_POSE
    policy = FinetunedPolicy(tmp_path / "made", ROBOT)
    at_home = transform_to_pose7(Kinematics(ROBOT).forward(np.array(ROBOT.home)))
    planned = policy.infer(Observation({"front": image}, at_home, 1.0, words))
    np.testing.assert_allclose(pose, planned.values[0], atol=1e-3)
    assert graph.until(lambda: rig.labels)
    label = rig.labels[-1]
    assert label.label == planned.label
    assert set(label.top_labels) == set(policy.model.config.tasks)
