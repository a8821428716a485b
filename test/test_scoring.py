"""Zero-shot scores: the model's own, with a "none of these" that can be calibrated."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import save_hf, save_open_clip

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.models.encoders.registry import load_encoder
from vlm_robot_ros.models.zero_shot.classification import (
    ScoreCalibration,
    Scorer,
    fit_calibration,
    probabilities,
)

PHRASES = ["robot moving box", "a photo of the red cube", "blue"]


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Encoders: one whose phrases sum to one, one whose phrases are independent."""
    root = tmp_path_factory.mktemp("models")
    save_open_clip(root / "clip", "clip")
    save_hf(root / "siglip", "siglip")
    return {"clip": f"open_clip:{root / 'clip'}", "siglip": f"hf:{root / 'siglip'}"}


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The path of an image."""
    path = tmp_path_factory.mktemp("images") / "scene.png"
    noise = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def image_of(path):
    return torch.from_numpy(np.array(Image.open(path)))[None]


def test_without_none_the_scores_are_clips_own(names, image):
    encoder = load_encoder(names["clip"])
    shown, none = Scorer(encoder, PHRASES, none=False)(image_of(image))
    with torch.inference_mode():
        seen = encoder.encode_image(encoder.preprocess(image_of(image)))
        text = encoder.encode_text(PHRASES)
        own = encoder.logits(seen.embedding, text.embedding).softmax(-1)
    torch.testing.assert_close(shown, own, atol=1e-4, rtol=1e-4)
    assert float(none) == 0


def test_phrases_and_none_sum_to_one_or_stand_by_themselves(names, image):
    shown, none = Scorer(load_encoder(names["clip"]), PHRASES)(image_of(image))
    assert float(shown.sum() + none) == pytest.approx(1, abs=1e-5)
    assert float(none) > 0
    shown, none = Scorer(load_encoder(names["siglip"]), PHRASES)(image_of(image))
    assert float(none) == pytest.approx(float((1 - shown).prod()), abs=1e-5)


def test_templates_are_averaged(names, image):
    encoder = load_encoder(names["clip"])
    plain, _ = Scorer(encoder, PHRASES).logits(image_of(image))
    both, _ = Scorer(encoder, PHRASES, ["{}", "a photo of {}"]).logits(image_of(image))
    assert not torch.allclose(plain, both, atol=1e-3)
    with torch.inference_mode():
        rows = encoder.encode_text([PHRASES[0], f"a photo of {PHRASES[0]}"]).embedding.mean(0)
        seen = encoder.encode_image(encoder.preprocess(image_of(image))).embedding
        own = encoder.logits(seen, (rows / rows.norm())[None])
    torch.testing.assert_close(both[:, :1], own, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("independent", [False, True])
def test_calibration_finds_what_the_answers_were_drawn_with(independent):
    torch.manual_seed(0)
    phrases, none = torch.randn(6000, 3) * 4, torch.randn(6000) * 4
    true = ScoreCalibration(2.5, 1.3)
    shown, rest = probabilities(phrases, none, true, independent)
    if independent:
        # At most one phrase is shown: keep the draws where this is so.
        drawn = torch.rand_like(shown) < shown
        keep = drawn.sum(1) <= 1
        phrases, none, drawn = phrases[keep], none[keep], drawn[keep]
        label = torch.where(drawn.any(1), drawn.int().argmax(1), -1)
    else:
        label = torch.multinomial(torch.cat([shown, rest[:, None]], 1), 1)[:, 0]
        label = torch.where(label == 3, -1, label)
    made = fit_calibration(phrases, none, label, independent)
    if not independent:
        assert made.temperature == pytest.approx(2.5, rel=0.1)
        assert made.none_bias == pytest.approx(1.3, abs=0.2)
    assert likelihood(phrases, none, label, made, independent) > likelihood(
        phrases, none, label, ScoreCalibration(), independent
    )


def likelihood(phrases, none, label, calibration, independent):
    """Mean log-probability of what is shown."""
    shown, rest = probabilities(phrases, none, calibration, independent)
    row = torch.cat([shown, rest[:, None]], 1)
    return float(row.gather(1, (label % 4)[:, None]).clamp(min=1e-9).log().mean())


def test_the_command_prints_and_writes_what_is_most_likely_first(names, image, tmp_path, capsys):
    out = tmp_path / "scores.json"
    command = ["classify", str(image), *PHRASES, "--encoder", names["clip"], "--json", str(out)]
    assert main([*command, "--top", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "(none of these)" in lines[-1]
    written = json.loads(out.read_text())
    first, second = written["phrases"].values()
    assert first >= second
    assert f"{first:7.2%}" in lines[0]


def test_the_command_calibrates(names, image, tmp_path, capsys):
    table = tmp_path / "table.csv"
    table.write_text(f"image,phrase\n{image},blue\n{image},\n")
    made = tmp_path / "calibration.json"
    command = ["--encoder", names["clip"], "--calibration", str(made)]
    assert main(["classify", str(table), *PHRASES, *command, "--fit"]) == 0
    assert ScoreCalibration.load(made).temperature > 0
    assert main(["classify", str(image), *PHRASES, *command]) == 0
    table.write_text(f"image,phrase\n{image},green\n")
    assert main(["classify", str(table), *PHRASES, *command, "--fit"]) == 2
    assert "line 2: 'green' is none of the phrases" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["a", "a"], "give each once"),
        (["a", " "], "none of them empty"),
        (["a", "--template", "a photo"], "each must hold {}"),
        (["a", "--top", "0"], "--top is 0"),
        (["a", "--temperature", "nan"], "--temperature is nan"),
        (["a", "--fit"], "--fit writes to --calibration"),
        (["a", "--fit", "--no-none", "--calibration", "c.json"], "does not go with --no-none"),
    ],
)
def test_wrong_options_are_refused(names, image, capsys, options, said):
    assert main(["classify", str(image), *options, "--encoder", names["clip"]]) == 2
    assert said in capsys.readouterr().err


def test_what_is_no_image_is_refused(names, tmp_path, capsys):
    path = tmp_path / "scene.png"
    path.write_bytes(b"no image")
    assert main(["classify", str(path), "a", "--encoder", names["clip"]]) == 2
    assert "is no image that can be read" in capsys.readouterr().err
    path.write_text('{"temperature": -1}')
    command = ["--encoder", names["clip"], "--calibration", str(path)]
    Image.new("RGB", (9, 9)).save(tmp_path / "good.png")
    assert main(["classify", str(tmp_path / "good.png"), "a", *command]) == 2
    assert "temperature must be above 0" in capsys.readouterr().err
