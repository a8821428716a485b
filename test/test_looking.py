"""Where phrases are in an image: a small CLIP that has learned two words, and its patches."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers
from PIL import Image
from small_models import SIZE, save_hf, save_open_clip

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.models.encoders.base import EncoderError
from vlm_robot_ros.models.encoders.registry import load_encoder
from vlm_robot_ros.models.zero_shot.localization import SIDES, PhraseLocalizer, spatial_relation

COLOURS = {"red": (220, 40, 30), "blue": (30, 60, 220)}


def learn(encoder):
    """Teach an encoder what is red and what is blue, from patches of images of both."""
    generator = torch.Generator().manual_seed(0)
    colours = torch.tensor([*COLOURS.values(), (128, 128, 128)], dtype=torch.uint8)
    encoder.requires_grad_(True)
    optimizer = torch.optim.Adam(encoder.parameters(), 2e-3)
    words = [*COLOURS, "a photo"]
    for _ in range(60):
        blocks = torch.randint(0, 3, (8, 4, 4), generator=generator)
        pixels = colours[blocks].repeat_interleave(8, 1).repeat_interleave(8, 2)
        seen = encoder.encode_image(encoder.preprocess(pixels))
        logits = 10 * encoder.patch_embeddings(seen) @ encoder.encode_text(words).embedding.T
        loss = F.cross_entropy(logits.flatten(0, 1), blocks.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return encoder.eval().requires_grad_(False)


@pytest.fixture(scope="module", params=["hf-clip", "hf-siglip", "open_clip-clip"])
def taught(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("look") / "model"
    library, _, kind = request.param.partition("-")
    (save_hf if library == "hf" else save_open_clip)(folder, kind)
    return learn(load_encoder(f"{library}:{folder}"))


@pytest.fixture
def image():
    """Grey, 64 x 96, with a red block on the left below and a blue one on the right above."""
    made = np.full((64, 96, 3), 128, np.uint8)
    made[48:64, 0:24] = COLOURS["red"]
    made[0:16, 72:96] = COLOURS["blue"]
    return torch.from_numpy(made)


def test_phrases_lead_to_what_they_name(taught, image):
    red, blue = PhraseLocalizer(taught, ["red", "blue"])(image)
    assert red.point[0] < 24
    assert red.point[1] >= 48
    assert blue.point[0] >= 72
    assert blue.point[1] < 16
    assert red.heat.shape == (64, 96)
    assert (red.heat.min(), red.heat.max()) == (0, 1)
    assert red.score > 0.1


def test_relations_are_those_of_the_points(taught, image):
    red, blue = PhraseLocalizer(taught, ["red", "blue"])(image)
    assert spatial_relation(red, blue) == "left of"
    assert spatial_relation(blue, red) == "right of"
    made = image.numpy().copy()
    made[0:16, 72:96] = 128
    made[16:32, 24:48] = COLOURS["blue"]
    for side, towards in SIDES.items():
        blue, beside = PhraseLocalizer(taught, ["blue", f"to the {side} the blue"])(
            torch.from_numpy(made)
        )
        assert np.subtract(beside.point, blue.point) @ towards > 0, side


def test_a_patch_alone_is_pooled_as_siglip_pools_an_image_of_such_patches(tmp_path):
    save_hf(tmp_path / "siglip", "siglip")
    encoder = load_encoder(f"hf:{tmp_path / 'siglip'}")
    seen = encoder.encode_image(torch.rand(1, 3, SIZE, SIZE))
    head = transformers.AutoModel.from_pretrained(tmp_path / "siglip").eval().vision_model.head
    same = seen.tokens[:, 5:6].expand(-1, 16, -1)
    theirs = F.normalize(head(same), dim=-1)
    torch.testing.assert_close(encoder.patch_embeddings(seen)[:, 5], theirs, atol=1e-5, rtol=1e-4)


def test_patches_of_every_family_are_in_the_space_of_phrases(tmp_path):
    for library, kind, save in (
        ("open_clip", "siglip", save_open_clip),
        ("hf", "siglip2", save_hf),
    ):
        save(tmp_path / kind, kind)
        encoder = load_encoder(f"{library}:{tmp_path / kind}")
        seen = encoder.encode_image(torch.rand(2, 3, *encoder.preprocess.size))
        located = encoder.patch_embeddings(seen)
        assert located.shape[:2] == seen.tokens.shape[:2]
        assert located.shape[2] == encoder.encode_text(["a"]).embedding.shape[1]
        torch.testing.assert_close(located.norm(dim=-1), torch.ones(located.shape[:2]))
    save_hf(tmp_path / "blip2", "blip2")
    encoder = load_encoder(f"hf:{tmp_path / 'blip2'}")
    with pytest.raises(EncoderError, match="valid: CLIP, SigLIP and SigLIP 2"):
        encoder.patch_embeddings(encoder.encode_image(torch.rand(1, 3, SIZE, SIZE)))


def test_the_command_prints_and_draws(tmp_path, capsys, image):
    save_hf(tmp_path / "clip", "clip")
    Image.fromarray(image.numpy()).save(tmp_path / "table.png")
    command = ["localize", str(tmp_path / "table.png"), "red", "left of the blue"]
    command += ["--encoder", f"hf:{tmp_path / 'clip'}", "--out", str(tmp_path / "look.png")]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "red: column " in said
    assert "red is " in said
    assert Image.open(tmp_path / "look.png").size[0] == 2 * 2 * 96
    assert main([*command[:2], " ", *command[4:]]) == 2
    assert "none may be empty" in capsys.readouterr().err
    (tmp_path / "no.png").write_text("no image")
    assert main(["localize", str(tmp_path / "no.png"), *command[2:]]) == 2
    assert "is no image" in capsys.readouterr().err
