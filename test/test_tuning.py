"""A pretrained encoder in the policy: frozen, with adapters, or trained as a whole."""

import pytest
import torch
from small_models import save_hf, save_open_clip

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.models.checkpoint import load_checkpoint, save_checkpoint
from vlm_robot_ros.models.encoders.base import EncoderError
from vlm_robot_ros.models.encoders.finetuning import TUNINGS, merge_adapters, set_trainable
from vlm_robot_ros.models.encoders.registry import load_encoder
from vlm_robot_ros.policies.grounded.policy import GroundedPolicy


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    save_open_clip(folder / "open_clip", "clip")
    save_hf(folder / "hf", "clip")
    return {kind: f"{kind}:{folder / kind}" for kind in ("open_clip", "hf")}


def train(demos, out, *options):
    command = ["train", "--data", str(demos), "--out", str(out), "--batch", "2"]
    command += ["--text-steps", "1", "--action-steps", "1", "--image-steps", "3"]
    assert main([*command, *options]) == 0
    return load_checkpoint(out)


def features(model):
    torch.manual_seed(1)
    with torch.no_grad():
        return model.features(torch.rand(1, 3, 176, 240), torch.zeros(1, 6, 96))


@pytest.mark.long
@pytest.mark.parametrize("how", TUNINGS)
@pytest.mark.parametrize("library", ["open_clip", "hf"])
def test_what_is_to_be_trained_is_and_nothing_else(demos, tmp_path, names, library, how):
    name = names[library]
    model = train(demos, tmp_path, "--encoder", name, "--tune", how)
    plain = load_encoder(name)
    seen = [
        encoder.encode_image(torch.ones(1, 3, 32, 32)).tokens for encoder in (model.encoder, plain)
    ]
    said = [encoder.encode_text(["the red cube"]).embedding for encoder in (model.encoder, plain)]
    assert torch.equal(*seen) == (how == "frozen")
    assert torch.equal(*said)  # the grounding reads words by itself
    size = (tmp_path / "model.safetensors").stat().st_size
    weights = sum(weight.nbytes for weight in plain.parameters())
    whole = sum(weight.nbytes for weight in model.parameters())
    assert (size > whole) if how == "full" else (size < whole - weights / 2)
    assert (tmp_path / "adapters" / "adapter_model.safetensors").exists() == (how == "lora")


def test_a_checkpoint_of_an_encoder_is_what_was_saved(demos, tmp_path, names):
    model = train(demos, tmp_path / "a", "--encoder", names["open_clip"], "--tune", "lora")
    save_checkpoint(model, tmp_path / "b", {})
    assert torch.equal(features(load_checkpoint(tmp_path / "b")), features(model))
    acting = GroundedPolicy(tmp_path / "b").model
    assert not acting.encoder.adapted
    torch.testing.assert_close(features(acting), features(model))
    merge_adapters(model.encoder)
    torch.testing.assert_close(features(model), features(load_checkpoint(tmp_path / "b")))
    save_checkpoint(model, tmp_path / "c", {})
    assert torch.equal(features(load_checkpoint(tmp_path / "c")), features(model))
    assert not (tmp_path / "c" / "adapters").exists()


def test_adapters_are_few(names):
    encoder = load_encoder(names["hf"])
    whole = sum(weight.numel() for weight in encoder.parameters())
    set_trainable(encoder, "lora", 2)
    trained = sum(weight.numel() for weight in encoder.parameters() if weight.requires_grad)
    assert 0 < trained < 0.2 * whole
    assert encoder.model.peft_config["default"].r == 2


def test_unknown_ways_are_refused_with_the_valid_ones(names):
    encoder = load_encoder(names["hf"])
    with pytest.raises(EncoderError, match="no tuning 'much'; valid: frozen, lora, full"):
        set_trainable(encoder, "much")
    with pytest.raises(EncoderError, match="rank is 0"):
        set_trainable(encoder, "lora", 0)
