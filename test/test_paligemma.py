"""PaliGemma as an encoder: its scores are the likelihoods that transformers itself gives."""

import numpy as np
import pytest
import torch
import transformers
from small_models import save_hf

from vlm_robot_ros.models.encoders.base import EncoderError
from vlm_robot_ros.models.encoders.registry import load_encoder
from vlm_robot_ros.models.zero_shot.classification import Scorer

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
PHRASES = ["robot moving box", "the red cube", "nothing"]
TASK = "caption en"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a small model."""
    made = tmp_path_factory.mktemp("models") / "paligemma"
    save_hf(made, "paligemma")
    return made


@pytest.fixture(scope="module")
def image():
    """An image. Shape (32, 32, 3)."""
    return np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def losses(folder, image, texts):
    """What transformers says of captions, each by itself, prepared by its own processor."""
    model = transformers.PaliGemmaForConditionalGeneration.from_pretrained(folder).eval()
    images = transformers.SiglipImageProcessor.from_pretrained(folder)
    images.image_seq_length = 16
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    processor = transformers.PaliGemmaProcessor(images, tokenizer)
    # The processor adds tokens to what the small model knows.
    model.config.image_token_id = processor.image_token_id
    model.model.config.image_token_id = processor.image_token_id
    told = []
    for text in texts:
        batch = processor(images=image, text=f"<image>{TASK}", suffix=text, return_tensors="pt")
        ids = batch["input_ids"]
        patches = model.get_image_features(batch["pixel_values"]).pooler_output[0]
        words = torch.where(ids == processor.image_token_id, 0, ids)
        embedded = model.get_input_embeddings()(words)
        embedded[ids == processor.image_token_id] = patches
        rest = {key: batch[key] for key in ("attention_mask", "token_type_ids", "labels")}
        told.append(float(model(inputs_embeds=embedded, **rest).loss))
    return told


def test_scores_are_the_likelihoods_of_captions(folder, image):
    encoder = load_encoder(f"hf:{folder}")
    with torch.inference_mode():
        theirs = losses(folder, image, PHRASES)
        pixels = encoder.preprocess(torch.from_numpy(image)[None])
        ours = encoder.zero_shot_head(PHRASES)(encoder.encode_image(pixels))
    assert np.ptp(theirs) > 0.01
    np.testing.assert_allclose(ours[0], [-loss for loss in theirs], atol=1e-4)


def test_templates_are_averaged_and_none_has_its_share(folder, image):
    encoder = load_encoder(f"hf:{folder}")
    templates = ["{}", "a photo of {}"]
    with torch.inference_mode():
        texts = [text.format(phrase) for phrase in PHRASES for text in templates]
        theirs = -np.array(losses(folder, image, texts)).reshape(-1, 2).mean(1)
    scorer = Scorer(encoder, PHRASES, templates)
    logits, _ = scorer.logits(torch.from_numpy(image)[None])
    np.testing.assert_allclose(logits[0], theirs, atol=1e-4)
    shown, none = scorer(torch.from_numpy(image)[None])
    assert float(shown.sum() + none) == pytest.approx(1.0)
    assert float(none) > 0


def test_words_and_patches_can_be_fused(folder, image):
    encoder = load_encoder(f"hf:{folder}")
    with torch.inference_mode():
        seen = encoder.encode_image(encoder.preprocess(torch.from_numpy(image)[None]))
        alone, among = encoder.encode_text(PHRASES[2:]), encoder.encode_text(PHRASES)
    assert seen.tokens.shape == (1, 16, 32)
    assert seen.grid == (4, 4)
    torch.testing.assert_close(alone.embedding[0], among.embedding[2], atol=1e-5, rtol=1e-4)


def test_what_needs_a_shared_space_says_that_there_is_none(folder, image):
    encoder = load_encoder(f"hf:{folder}")
    seen = encoder.encode_image(encoder.preprocess(torch.from_numpy(image)[None]))
    with pytest.raises(EncoderError, match="valid: CLIP, SigLIP and SigLIP 2"):
        encoder.patch_embeddings(seen)
    with pytest.raises(EncoderError, match="no space that images and phrases share"):
        encoder.scale_and_bias()
