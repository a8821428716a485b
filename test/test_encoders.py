"""Encoders: equal to the libraries' own, on small models saved in the hubs' formats."""

import json

import numpy as np
import open_clip
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from small_models import PATCH, save_hf, save_open_clip

from vlm_robot_ros.models.encoders.base import EncoderError
from vlm_robot_ros.models.encoders.preprocess import Preprocess
from vlm_robot_ros.models.encoders.registry import load_encoder

PHRASES = ["robot moving box", "a photo of the red cube", "nothing"]
KINDS = ["open_clip-clip", "open_clip-siglip", "open_clip-coca", "hf-clip", "hf-siglip",
         "hf-siglip2", "hf-blip2"]  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The folder of a saved model of each kind."""
    root, made = tmp_path_factory.mktemp("models"), {}
    for kind in KINDS:
        library, _, name = kind.partition("-")
        (save_open_clip if library == "open_clip" else save_hf)(root / kind, name)
        made[kind] = root / kind
    return made


@pytest.fixture(scope="module")
def images():
    """Two images that are not square. Shape (2, 60, 81, 3)."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (2, 6, 9, 3), dtype=np.uint8)
    return np.stack([np.array(Image.fromarray(c).resize((81, 60), 2)) for c in coarse])


def name_of(folder):
    return f"{folder.name.split('-')[0]}:{folder}"


def theirs(folder, images):
    """What the library itself makes of images and phrases: pixels, embeddings, logits."""
    pil_images = [Image.fromarray(image) for image in images]
    if folder.name.startswith("open_clip"):
        model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
        model.eval()
        pixels = torch.stack([transform(each) for each in pil_images])
        ids = open_clip.get_tokenizer(f"local-dir:{folder}")(PHRASES)
        image = model.encode_image(pixels, normalize=True)
        text = model.encode_text(ids, normalize=True)
        logits = model.logit_scale.exp() * image @ text.T
        return pixels, image, text, logits + (0 if model.logit_bias is None else model.logit_bias)
    retrieval = "blip2" in folder.name
    of = transformers.Blip2ForImageTextRetrieval if retrieval else transformers.AutoModel
    model = of.from_pretrained(folder).eval()
    pixels = transformers.AutoImageProcessor.from_pretrained(folder)(
        pil_images, return_tensors="pt"
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    padding = "max_length" if "siglip" in folder.name else True
    batch = tokenizer(
        PHRASES, padding=padding, truncation=True, max_length=16, return_tensors="pt"
    )
    batch.pop("token_type_ids", None)
    if "siglip" in folder.name:
        batch.pop("attention_mask")
    out = model(**batch, **pixels)
    shown = pixels["pixel_values"]
    if "spatial_shapes" in pixels:
        rows, columns = pixels["spatial_shapes"][0].tolist()
        shown = shown[:, : rows * columns].reshape(2, rows, columns, PATCH, PATCH, 3)
        shown = shown.permute(0, 5, 1, 3, 2, 4).reshape(2, 3, rows * PATCH, columns * PATCH)
    return shown, out.image_embeds, out.text_embeds, out.logits_per_image


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_and_scores_are_the_librarys_own(folders, images, kind):
    encoder = load_encoder(name_of(folders[kind]))
    with torch.inference_mode():
        pixels, image, text, logits = theirs(folders[kind], images)
        seen, read = encoder.encode_image(pixels), encoder.encode_text(PHRASES)
        theirs_by_query = image.reshape(seen.embedding.shape)
        torch.testing.assert_close(seen.embedding, theirs_by_query, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(read.embedding, text, atol=1e-4, rtol=1e-4)
        ours = encoder.logits(seen.embedding, read.embedding)
        torch.testing.assert_close(ours, logits, atol=1e-4, rtol=1e-4)
    rows, columns = seen.grid
    assert seen.tokens.shape[:2] == (2, rows * columns)
    assert seen.tokens.shape[2] > 1
    assert read.mask.shape == read.tokens.shape[:2]
    assert read.mask.any(1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_images_are_prepared_as_the_library_does(folders, images, kind):
    encoder = load_encoder(name_of(folders[kind]))
    pixels, *_ = theirs(folders[kind], images)
    ours = encoder.preprocess(torch.from_numpy(images))
    level = 1 / 255 / min(encoder.preprocess.std)
    assert ours.shape == pixels.shape
    assert float((ours - pixels).abs().max()) < 1.5 * level
    assert float((ours - pixels).abs().mean()) < 0.2 * level


@pytest.mark.parametrize("size", [(256, 256), (480, 640), (720, 1280), (3, 400)])
def test_images_in_patches_have_the_size_that_the_library_gives_them(size):
    theirs = transformers.Siglip2ImageProcessor(patch_size=16, max_num_patches=256)
    shapes = theirs(Image.new("RGB", size[::-1]), return_tensors="pt")["spatial_shapes"]
    ours = Preprocess((256, 256), (0.5,) * 3, (0.5,) * 3, "patches", "bilinear", patch=16)
    prepared = ours(torch.zeros(1, *size, 3, dtype=torch.uint8))
    assert [side // 16 for side in prepared.shape[2:]] == shapes[0].tolist()


@pytest.mark.parametrize("kind", ["hf-clip", "hf-blip2"])  # the others have one length only
def test_padding_changes_nothing(folders, kind):
    encoder = load_encoder(name_of(folders[kind]))
    with torch.inference_mode():
        alone, among = encoder.encode_text(PHRASES[2:]), encoder.encode_text(PHRASES)
    torch.testing.assert_close(alone.embedding[0], among.embedding[2], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("clip", "names no encoder"),
        ("open_clip:ViT-B32/openai", "nearest: ViT-B-32"),
        ("open_clip:ViT-B-32", "no weights were given; valid: openai"),
        ("open_clip:ViT-B-32/laion3b", "no weights 'laion3b'; valid: openai"),
        ("hf:/no/such/folder", "cannot be loaded"),
    ],
)
def test_a_wrong_name_is_refused_with_valid_ones(name, said):
    with pytest.raises(EncoderError, match=said):
        load_encoder(name)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_is_near(folders, images, kind):
    exact = load_encoder(name_of(folders[kind]))
    half = load_encoder(name_of(folders[kind]), dtype=torch.bfloat16)
    with torch.inference_mode():
        pixels = exact.preprocess(torch.from_numpy(images))
        for one, other in (
            (exact.encode_image(pixels).embedding, half.encode_image(pixels.bfloat16()).embedding),
            (exact.encode_text(PHRASES).embedding, half.encode_text(PHRASES).embedding),
        ):
            assert other.dtype == torch.float32
            assert float((one * other).sum(-1).min()) > 0.99


def test_a_folder_without_weights_is_refused(tmp_path, folders):
    config = (folders["open_clip-clip"] / "open_clip_config.json").read_text()
    (tmp_path / "open_clip_config.json").write_text(config)
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(f"open_clip:{tmp_path}")


@pytest.fixture
def tiny(tmp_path, folders, monkeypatch):
    """A tagged architecture, as open_clip has them, and the folder of its weights."""
    folder = folders["open_clip-clip"]
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    (tmp_path / "Tiny.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "Tiny.json")
    tags = {"own": {"file": str(folder / "open_clip_model.safetensors"), "quick_gelu": True}}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "Tiny", tags)
    yield folder, tags
    open_clip.factory._MODEL_CONFIGS.pop("Tiny")


def test_tagged_weights_get_the_activation_that_they_were_trained_with(tiny):
    quick, plain = load_encoder("open_clip:Tiny/own"), load_encoder(name_of(tiny[0]))
    with torch.inference_mode():
        one, other = (encoder.encode_text(PHRASES).embedding for encoder in (quick, plain))
    assert not torch.allclose(one, other, atol=1e-3)


def test_a_file_is_refused_where_it_does_not_say_how_images_are_prepared(tiny):
    folder, tags = tiny
    name = f"open_clip:Tiny/{folder / 'open_clip_model.safetensors'}"
    assert load_encoder(name).preprocess.resize == "shortest"
    tags["own"]["resize_mode"] = "squash"
    assert load_encoder(name).preprocess.resize == "squash"
    tags["other"] = {"file": "", "resize_mode": "longest"}
    with pytest.raises(EncoderError, match="prepared in 2 ways"):
        load_encoder(name)


def test_what_is_missing_is_named(tmp_path, folders):
    (tmp_path / "config.json").write_text((folders["hf-clip"] / "config.json").read_text())
    with pytest.raises(EncoderError, match=r"must hold config\.json, model\.safetensors"):
        load_encoder(f"hf:{tmp_path}")
    with pytest.raises(EncoderError, match=r"open_clip_config\.json"):
        load_encoder(f"open_clip:{tmp_path}")


def test_a_model_of_another_kind_is_refused(tmp_path):
    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(EncoderError, match=r"of type 'bert'; valid: clip, .*, paligemma"):
        load_encoder(f"hf:{tmp_path}")


def test_pickled_code_is_not_run(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(Trap(tmp_path / "sprung"), path)
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(f"open_clip:ViT-B-32/{path}")
    assert not (tmp_path / "sprung").exists()


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_weights_of_another_model_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(f"open_clip:ViT-B-32/{path}")
