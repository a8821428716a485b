"""From demonstrations to a policy: small, but every part is the real one."""

import json
import os
import shutil
import signal
import subprocess
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.data.sim_episode import EpisodeError, load_episode
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.models.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from vlm_robot_ros.models.grounded.fusion import FUSIONS
from vlm_robot_ros.models.grounded.model import VisionLanguageRobotModel
from vlm_robot_ros.models.tokenizer import MAX_WORDS, UNKNOWN, Tokenizer
from vlm_robot_ros.policies.grounded.policy import GroundedPolicy
from vlm_robot_ros.process_pool import map_in_processes
from vlm_robot_ros.sim.demonstrations import collect
from vlm_robot_ros.success_rate import wilson_interval
from vlm_robot_ros.training.train_grounded import model_config


@pytest.mark.long
def test_collecting_again_records_only_what_is_missing(demos, capsys):
    (demos / "000008.npz").unlink()
    command = ["collect", "--out", str(demos), "--episodes", "3", "--seed", "7"]
    assert main([*command, "--workers", "1"]) == 0
    assert "1 new episodes" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.skipif(shutil.which("vlm-robot") is None, reason="needs `. ./env.sh`")
def test_the_installed_command_starts_its_workers(tmp_path):
    command = ["vlm-robot", "collect", "--out", str(tmp_path), "--episodes", "2", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_training_writes_a_checkpoint_and_goes_on_when_called_again(demos, tmp_path):
    out = tmp_path / "run"
    command = ["train", "--data", str(demos), "--out", str(out), "--batch", "2"]
    command += ["--text-steps", "2", "--action-steps", "2", "--image-steps"]
    assert main([*command, "2"]) == 0
    assert main([*command, "3"]) == 0
    assert json.loads((out / "config.json").read_text())["training"]["step"] == 3
    assert len((out / "log.jsonl").read_text().splitlines()) == 3  # no fit begun again
    assert list((out / "tensorboard").iterdir())
    load_checkpoint(out)


@pytest.mark.long
@pytest.mark.parametrize("fusion", [kind for kind in FUSIONS if kind != "slots"])
def test_every_fusion_can_be_trained_and_hears_one_word(demos, tmp_path, fusion):
    command = ["train", "--data", str(demos), "--out", str(tmp_path), "--batch", "2"]
    command += ["--text-steps", "1", "--action-steps", "1", "--image-steps", "2"]
    assert main([*command, "--fusion", fusion]) == 0
    model = load_checkpoint(tmp_path)
    assert model.config.fusion == fusion
    image = torch.rand(1, 3, *model.config.crop[2:])
    read, points = Tokenizer(model.config.vocabulary), []
    for text in ("pick up the red cube", "pick up the blue cube"):
        slots = model.text(torch.tensor([read(text)]))
        points.append(model.ground(image, torch.zeros(1, 3), torch.ones(1), slots).point)
    assert not torch.equal(*points)


@pytest.mark.long
def test_the_recipe_goes_from_nothing_to_a_policy_and_does_nothing_twice(tmp_path, capsys):
    command = ["reproduce", "--out", str(tmp_path), "--scale", "0.001", "--workers", "1"]
    assert main(command) == 0
    first, last = (load_checkpoint(tmp_path / name) for name in ("first", "policy"))
    for name, value in first.text.state_dict().items():
        torch.testing.assert_close(last.text.state_dict()[name], value)
    assert any(
        not torch.equal(last.image.state_dict()[name], value)
        for name, value in first.image.state_dict().items()
    )
    assert len(list((tmp_path / "rollouts").glob("*.npz"))) == 1
    capsys.readouterr()
    assert main(command) == 0
    assert capsys.readouterr().out.count("0 new episodes") == 2


def test_images_of_another_fusion_are_refused(demos, tmp_path, shipped, capsys):
    command = ["train", "--data", str(demos), "--out", str(tmp_path), "--fusion", "late"]
    assert main([*command, "--words", str(shipped), "--images", str(shipped)]) == 2
    assert "of fusion 'late'" in capsys.readouterr().err


@pytest.mark.long
def test_reports_stand_side_by_side(tmp_path, capsys):
    measure = ["evaluate", "--cells", "meaningless", "--policy", "hold", "--episodes", "2"]
    assert main([*measure, "--workers", "1", "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["compare", f"still={tmp_path / 'report.json'}"]) == 0
    table = capsys.readouterr().out
    assert "| cell | still |" in table
    assert "| meaningless | 100.0% (34% to 100%, n 2) |" in table
    (tmp_path / "no.json").write_text("[]")
    assert main(["compare", f"no={tmp_path / 'no.json'}"]) == 2
    assert "no report of" in capsys.readouterr().err


def test_an_unknown_fusion_is_refused_with_the_valid_ones(demos, tmp_path, capsys):
    assert main(["train", "--data", str(demos), "--out", str(tmp_path), "--fusion", "soup"]) == 2
    assert "valid: slots, early, late, cross, pooled" in capsys.readouterr().err


@pytest.mark.long
def test_a_policy_can_be_let_act_for_the_data(demos, tmp_path, shipped):
    command = ["collect", "--out", str(tmp_path), "--episodes", "1", "--seed", "9"]
    assert main([*command, "--workers", "1", "--checkpoint", str(shipped)]) == 0
    acted, shown = (load_episode(folder / "000009.npz") for folder in (tmp_path, demos))
    assert np.ptp(acted.tool, axis=0).max() > 0.05
    assert not np.allclose(acted.tool[: len(shown.tool)], shown.tool[: len(acted.tool)])


def test_heatmaps_are_drawn(tmp_path, capsys):
    out = tmp_path / "heat.png"
    assert main(["visualize", "--out", str(out), "go home", "pick up the violin"]) == 0
    assert Image.open(out).size[0] > 400
    assert "'pick up the violin' -> hold: " in capsys.readouterr().out


def test_a_corrupt_episode_is_named(tmp_path):
    path = tmp_path / "broken.npz"
    path.write_bytes(b"PK\x03\x04 not an archive")
    with pytest.raises(EpisodeError, match=r"broken\.npz"):
        load_episode(path)


@pytest.mark.parametrize("damage", ["truncate", "remove", "foreign"])
def test_a_corrupt_checkpoint_is_a_clear_error(tmp_path, damage):
    model = VisionLanguageRobotModel(model_config())
    save_checkpoint(model, tmp_path, {})
    weights = tmp_path / "model.safetensors"
    if damage == "truncate":
        weights.write_bytes(weights.read_bytes()[:100])
    elif damage == "remove":
        weights.unlink()
    else:
        (tmp_path / "config.json").write_text('{"model": {"width": 3}}')
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_checkpoint_read_back_computes_the_same(tmp_path, fusion):
    torch.manual_seed(0)
    model = VisionLanguageRobotModel(replace(model_config(), fusion=fusion)).eval()
    save_checkpoint(model, tmp_path, {})
    again = load_checkpoint(tmp_path)
    words = torch.tensor([Tokenizer(model.config.vocabulary)("pick it up")])
    arm = torch.rand(1, 3), torch.rand(1)
    image = torch.rand(1, 3, *model.config.crop[2:])
    with torch.inference_mode():
        ours, theirs = (one.ground(image, *arm, one.text(words)) for one in (model, again))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("text", ["", "  ", "!?", "\x00\x07", "抓住", "a" * 100_000, "up " * 9999])
def test_any_text_becomes_tokens(text):
    ids = Tokenizer(["pick", "up"])(text)
    assert len(ids) == MAX_WORDS
    assert ids[0] in (UNKNOWN, 3)


@pytest.mark.parametrize(
    "text", ["", "sing me a song", "what a lovely morning", "xyzzy", "抓住", "\x00", "the cube"]
)
def test_the_shipped_policy_holds_on_what_means_nothing(shipped, text):
    chunk = GroundedPolicy(shipped).infer(_observation(text))
    assert "asks for nothing" in chunk.hold
    np.testing.assert_array_equal(chunk.values, _observation(text).pose[None])


def test_wilson_intervals_match_published_values():
    # Agresti and Coull (1998): 0 of 10 gives 0 to 0.278.
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.278), abs=1e-3)
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    with pytest.raises(ValueError, match="0 trials"):
        wilson_interval(0, 0)


def _observation(instruction):
    image = np.full((256, 256, 3), 128, np.uint8)
    return Observation({"front": image}, np.array([0.45, 0, 0.3, 1, 0, 0, 0]), 1.0, instruction)


@pytest.mark.parametrize(
    ("line", "least"),
    [
        ("collect --episodes=-5", 1),
        ("collect --workers 0", 1),
        ("train --batch 0", 1),
        ("train --text-steps=-5", 0),
        ("evaluate --seed=-1", 0),
        ("bag replay some --threads none", 1),
    ],
)
def test_numbers_that_are_too_small_are_refused_with_the_least(line, least, capsys):
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == 2
    assert f"valid: whole numbers, {least} or more" in capsys.readouterr().err


def test_what_nobody_foresaw_is_one_line_unless_it_is_asked_for(monkeypatch, capsys):
    def fail(args):
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("vlm_robot_ros.cli.merge.run", fail)
    assert main(["merge", "here", "--out", "there"]) == 3
    said = capsys.readouterr().err
    assert "unexpected ZeroDivisionError('of all things')" in said
    assert len(said.splitlines()) == 1
    monkeypatch.setenv("VLM_ROBOT_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        main(["merge", "here", "--out", "there"])


def test_a_robot_that_is_not_simulated_is_said_before_workers_start(tmp_path, capsys):
    for command in ("collect", "evaluate"):
        assert main([command, "--robot", "ur5e", "--out", str(tmp_path / command)]) == 2
        said = capsys.readouterr().err
        assert "ur5e" in said
        assert "Traceback" not in said


class _Dies:
    """A demonstrator whose process is killed."""

    sim = SimpleNamespace(close=lambda: None)

    def demonstrate(self, rng):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_ends_the_collection(tmp_path):
    with pytest.raises(OSError, match="a worker died"):
        collect(tmp_path, 2, 0, 1, _Dies)


def test_who_stops_listening_stops_the_workers(tmp_path):
    log = tmp_path / "log"
    with closing(map_in_processes(os.system, [(f"echo >> {log}",)] * 300, 1)) as results:
        assert next(results) == 0
    assert 1 <= len(log.read_text().splitlines()) < 300


def test_a_folder_without_episodes_among_others_is_named(demos, tmp_path, capsys):
    command = ["train", "--data", str(demos), str(tmp_path / "typo"), "--out", str(tmp_path / "o")]
    assert main([*command, "--text-steps", "0", "--action-steps", "0"]) == 2
    assert "typo'; record some" in capsys.readouterr().err


def test_a_checkpoint_of_another_run_is_not_replaced(demos, tmp_path, shipped, capsys):
    mine = tmp_path / "mine"
    shutil.copytree(shipped, mine)
    before = (mine / "model.safetensors").read_bytes()
    steps = ["--text-steps", "1", "--action-steps", "1", "--image-steps", "1", "--batch", "2"]
    assert main(["train", "--data", str(demos), "--out", str(mine), *steps]) == 2
    assert "has a checkpoint already" in capsys.readouterr().err
    assert (mine / "model.safetensors").read_bytes() == before


def test_a_run_that_cannot_be_resumed_says_which(demos, tmp_path, capsys):
    (tmp_path / "text.resume.pt").write_bytes(b"half of it")
    assert main(["train", "--data", str(demos), "--out", str(tmp_path), "--batch", "2"]) == 2
    assert "text.resume.pt' is no run to resume" in capsys.readouterr().err


def test_others_may_read_a_checkpoint(tmp_path, shipped):
    save_checkpoint(load_checkpoint(shipped), tmp_path, {})
    modes = {path.name: path.stat().st_mode for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("config.json", "model.safetensors"), modes["config.json"])
