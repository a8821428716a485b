"""Fine-tuning on recorded demonstrations: from a dataset of the field to a policy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from small_models import save_hf, save_open_clip

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.data.action_space import infer_action_space
from vlm_robot_ros.data.dataset import open_data_folder
from vlm_robot_ros.inference.optimizations import parse_optimizations
from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.models.autocast import has_bfloat16
from vlm_robot_ros.models.checkpoint import CheckpointError, load_checkpoint, load_model
from vlm_robot_ros.paths import share_dir
from vlm_robot_ros.policies.factory import load_checkpoint_policy
from vlm_robot_ros.policies.finetuned.policy import FinetunedPolicy
from vlm_robot_ros.policies.grounded.policy import GroundedPolicy
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.training.chunk_dataset import ChunkDataset
from vlm_robot_ros.training.train_finetuned import preprocess_batch

DATA = Path(__file__).parent / "data"
SAID = ("Pick up the red cube!", "push the lemon left")
BRIDGE = DATA / "rlds" / "tiny_bridge" / "1.0.0"
ROBOT = load_robot("panda_sim")


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    save_hf(folder / "clip", "clip")
    save_open_clip(folder / "open", "clip")
    return {"hf": f"hf:{folder / 'clip'}", "open_clip": f"open_clip:{folder / 'open'}"}


def run(out, encoder, *options, data=DATA / "lerobot_v3"):
    command = ["finetune", str(data), "--out", str(out), "--encoder", encoder]
    return main([*command, *(str(option) for option in options)])


def seen(words, joints=None, seed=0):
    image = np.random.default_rng(seed).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    pose = np.array([0.5, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0])
    return Observation({"front": image}, pose, 1.0, words, joints)


OVERFIT = ("--steps", 600, "--batch", 16, "--rate", 2e-3, "--held-out", 0, "--fps", 5)


@pytest.fixture(scope="module")
def overfitted(encoders, tmp_path_factory):
    out = tmp_path_factory.mktemp("overfitted")
    assert run(out, encoders["hf"], *OVERFIT) == 0
    return out


@pytest.mark.long
@pytest.mark.parametrize("data", [DATA / "lerobot_v3", BRIDGE])
def test_ten_episodes_of_each_format_are_overfitted(overfitted, encoders, tmp_path, capsys, data):
    # What the fixture has fitted already is not fitted again, but told again.
    out = tmp_path if data is BRIDGE else overfitted
    assert run(out, encoders["hf"], *OVERFIT, data=data) == 0
    line = next(r for r in capsys.readouterr().out.splitlines() if r.startswith("trained on"))
    planned, mean = (float(word) for word in line.split() if word.replace(".", "").isdigit())
    assert planned < 0.35 * mean, line


@pytest.mark.long
@pytest.mark.parametrize("fusion", ["early", "late", "cross"])
@pytest.mark.parametrize(("library", "how"), [("hf", "frozen"), ("open_clip", "lora")])
def test_every_fusion_is_fitted_saved_and_read_back(
    encoders, tmp_path, capsys, fusion, library, how
):
    options = ("--steps", 2, "--fusion", fusion, "--tune", how, "--rank", 2)
    assert run(tmp_path, encoders[library], *options) == 0
    said = capsys.readouterr().out
    assert "parameters: " in said
    assert "memory: " in said
    assert "held out: actions are" in said
    assert (tmp_path / "adapters").exists() == (how == "lora")
    model = load_model(tmp_path)
    assert (model.config.fusion, model.encoder.adapted) == (fusion, how == "lora")
    policy, chunks = FinetunedPolicy(tmp_path, ROBOT), []
    for words in (*SAID, SAID[0]):
        chunks.append(policy.infer(seen(words)))
    assert np.array_equal(chunks[0].values, chunks[2].values)
    assert not np.array_equal(chunks[0].values, chunks[1].values)
    assert chunks[0].mode is ActionMode.END_EFFECTOR_POSE
    assert chunks[0].values.shape == (8, 7)


def test_an_interrupted_run_goes_on(encoders, tmp_path, capsys):
    assert run(tmp_path, encoders["hf"], "--steps", 2) == 0
    assert run(tmp_path, encoders["hf"], "--steps", 3) == 0
    assert run(tmp_path, encoders["hf"], "--steps", 4, "--seed", 1) == 2
    assert "is of another run (seed was 0, is 1)" in capsys.readouterr().err
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 1
    assert '"step": 3' in (tmp_path / "config.json").read_text()


def test_images_are_prepared_for_acting_as_they_were_for_learning(overfitted):
    data, policy = open_data_folder(DATA / "lerobot_v3"), FinetunedPolicy(overfitted, ROBOT)
    space, cameras = infer_action_space(data.info, "left"), data.info.cameras
    size = policy.model.encoder.preprocess.size
    learned = next(ChunkDataset(data, [3], space, None, cameras, size, 8).sample_moments(1, 1))
    image = data.episode(3).images[cameras[0]][0]
    assert image.shape[0] != image.shape[1]
    acting = policy._pixels(replace(seen(""), images={"front": image}))
    assert torch.equal(acting, preprocess_batch(policy.model, learned.pixels))


def test_moves_are_added_up_from_where_the_tool_is(overfitted):
    policy = FinetunedPolicy(overfitted, ROBOT)
    half = np.sqrt(0.5)
    pose = np.array([0.5, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0])
    moves = np.array([[0.01, 0, 0, 0, 0, half, half], [0, 0.02, 0, 0, 0, 0, 1.0]])
    poses = policy._poses(pose, moves)
    np.testing.assert_allclose(poses[:, :3], [[0.51, 0, 0.3], [0.51, 0.02, 0.3]])
    # Turned about the base's vertical, not the tool's, which points down.
    expected = Rotation.from_euler("z", 90, degrees=True) * Rotation.from_quat(pose[3:])
    for made in poses:
        assert (Rotation.from_quat(made[3:]) * expected.inv()).magnitude() < 1e-6


def test_words_that_no_demonstration_was_of_are_refused(overfitted):
    policy = FinetunedPolicy(overfitted, ROBOT)
    for words in ("what a nice day", " ", "push the lemon right"):
        assert "was not in the demonstrations" in policy.infer(seen(words)).hold
    assert not policy.infer(seen("  PUSH the lemon, left. ")).hold


def test_the_task_head_knows_what_was_asked_in_the_demonstrations(overfitted):
    policy = FinetunedPolicy(overfitted, ROBOT)
    for words in policy.model.config.tasks:
        assert policy.infer(seen(words)).label == words


def test_each_kind_of_checkpoint_gets_its_policy(overfitted, shipped):
    assert isinstance(load_checkpoint_policy(overfitted, ROBOT).within, FinetunedPolicy)
    assert isinstance(load_checkpoint_policy(shipped, ROBOT), GroundedPolicy)
    with pytest.raises(CheckpointError, match="of kind 'direct'; valid here: grounded"):
        load_checkpoint(overfitted)
    with pytest.raises(CheckpointError, match="was not made by `vlm-robot finetune`"):
        FinetunedPolicy(shipped, ROBOT)


def test_a_robot_without_the_cameras_is_refused(overfitted):
    blind = replace(ROBOT, cameras=())
    with pytest.raises(CheckpointError, match="looks through observation"):
        FinetunedPolicy(overfitted, blind)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--fusion", "slots"), "fusion 'slots'; valid here: early, late, cross"),
        (("--fusion", "soup"), "no fusion 'soup'"),
        (("--tune", "much"), "no tuning 'much'; valid: frozen, lora, full"),
        (("--cameras", "top"), "no camera 'top' in the data; valid: observation.images.front"),
        (("--held-out", "1.5"), "held out is 1.5"),
        (("--encoder", "clip"), "'clip' names no encoder"),
    ],
)
def test_what_cannot_be_is_told_with_what_can(encoders, tmp_path, capsys, options, said):
    assert run(tmp_path, encoders["hf"], *options) == 2
    assert said in capsys.readouterr().err


def test_data_without_a_rate_needs_one(encoders, tmp_path, capsys):
    assert run(tmp_path, encoders["hf"], data=BRIDGE) == 2
    assert "does not say how many frames a second; give --fps" in capsys.readouterr().err


def test_merged_adapters_do_the_same_without_a_folder_of_their_own(encoders, tmp_path, capsys):
    made, merged = tmp_path / "made", tmp_path / "merged"
    options = ("--steps", 3, "--tune", "lora", "--rate", 0.01)
    assert run(made, encoders["open_clip"], *options) == 0
    assert main(["merge", str(made), "--out", str(merged)]) == 0
    assert not (merged / "adapters").exists()
    chunks = [FinetunedPolicy(folder, ROBOT).infer(seen(SAID[0])) for folder in (made, merged)]
    np.testing.assert_allclose(chunks[0].values, chunks[1].values, atol=1e-4)
    acting, learned = FinetunedPolicy(made, ROBOT).model.encoder, load_model(made).encoder
    assert learned.adapted
    assert not acting.adapted  # what acts is merged in any case
    looks = [
        encoder.encode_image(torch.ones(1, 3, 32, 32)).tokens for encoder in (acting, learned)
    ]
    torch.testing.assert_close(*looks)
    assert main(["merge", str(merged), "--out", str(tmp_path / "again")]) == 2
    assert "has no adapters" in capsys.readouterr().err
    assert main(["merge", str(made), "--out", str(made)]) == 2
    assert "give another" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.parametrize("ways", [["bfloat16"], ["channels_last"], ["compile"]])
def test_a_faster_way_plans_nearly_the_same(overfitted, ways):
    plain, faster = (
        FinetunedPolicy(overfitted, ROBOT),
        FinetunedPolicy(overfitted, ROBOT, faster=ways),
    )
    slow, quick = (policy.infer(seen(SAID[0])) for policy in (plain, faster))
    np.testing.assert_allclose(
        quick.values, slow.values, atol=0.02 if "bfloat16" in ways else 1e-4
    )
    assert quick.label == slow.label


def test_ways_to_be_faster_are_checked():
    assert parse_optimizations("bfloat16, compile", "cpu") == {"bfloat16", "compile"}
    assert parse_optimizations("", "cuda") == frozenset()
    assert parse_optimizations("auto", "cpu") == ({"bfloat16"} if has_bfloat16("cpu") else set())
    with pytest.raises(ValueError, match="no way 'int4' to be faster; valid: auto alone, or some"):
        parse_optimizations("int4", "cpu")
    with pytest.raises(ValueError, match="'pinned' is for device cuda"):
        parse_optimizations("pinned", "cpu")


def test_the_shipped_policy_goes_no_other_way():
    shipped = share_dir() / "checkpoints" / "panda_sim"
    with pytest.raises(ValueError, match="is not of `vlm-robot finetune`; valid: auto"):
        load_checkpoint_policy(shipped, ROBOT, faster="compile")
