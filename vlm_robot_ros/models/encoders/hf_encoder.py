"""CLIP, SigLIP, BLIP-2 and PaliGemma of transformers, as encoders."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from vlm_robot_ros.models.encoders.base import (
    Encoder,
    EncoderError,
    ImageFeatures,
    TextFeatures,
    l2_normalize,
)
from vlm_robot_ros.models.encoders.hf_blip2 import Blip2Encoder
from vlm_robot_ros.models.encoders.hf_paligemma import PaliGemmaEncoder
from vlm_robot_ros.models.encoders.preprocess import Interpolation, Preprocess, ResizeMode

_BILINEAR = 2  # as PIL numbers it


class TwoTowerEncoder(Encoder):
    """CLIP, SigLIP or SigLIP 2 (of fixed resolution) of transformers."""

    def __init__(self, model: Any, tokenizer: Any, preprocess: Preprocess) -> None:
        """Wrap a CLIPModel or a SiglipModel."""
        super().__init__()
        self.model = model.eval()
        self._tokenizer = tokenizer
        self.preprocess = preprocess
        self.independent = hasattr(model, "logit_bias")
        vision, text = model.config.vision_config, model.config.text_config
        self._context = text.max_position_embeddings
        self._patch = vision.patch_size

    def encode_image(self, pixels: Tensor) -> ImageFeatures:
        """Encode images that `preprocess` has prepared, shape (B, 3, H, W)."""
        out = self.model.get_image_features(pixel_values=pixels)
        tokens = out.last_hidden_state
        if not self.independent:
            # CLIP's first token is no patch, and its norm comes after the last layer.
            tokens = self.model.vision_model.post_layernorm(tokens[:, 1:])
        grid = pixels.shape[2] // self._patch, pixels.shape[3] // self._patch
        return ImageFeatures(tokens, grid, l2_normalize(out.pooler_output)[:, None])

    def patch_embeddings(self, seen: ImageFeatures) -> Tensor:
        """Return each patch in the space shared with text."""
        if not self.independent:
            return l2_normalize(self.model.visual_projection(seen.tokens))
        # SigLIP's pooling is attention of a learned question.
        alone = seen.tokens.flatten(0, 1)[:, None]
        return l2_normalize(self.model.vision_model.head(alone)).unflatten(
            0, seen.tokens.shape[:2]
        )

    def encode_text(self, sentences: Sequence[str]) -> TextFeatures:
        """Encode sentences; what is longer than the model's context is cut."""
        batch = self._tokenizer(
            list(sentences),
            # SigLIP was trained on full contexts, without a mask.
            padding="max_length" if self.independent else True,
            truncation=True,
            max_length=self._context,
            return_tensors="pt",
        )
        ids = batch["input_ids"].to(self.device)
        mask = batch.get("attention_mask")
        mask = ids != self._tokenizer.pad_token_id if mask is None else mask.to(self.device)
        given = {} if self.independent else {"attention_mask": mask}
        out = self.model.get_text_features(input_ids=ids, **given)
        return TextFeatures(out.last_hidden_state, mask.bool(), l2_normalize(out.pooler_output))

    def scale_and_bias(self) -> tuple[Tensor | float, Tensor | float]:
        """Return by what cosines are multiplied, and what is added, to be logits."""
        bias = self.model.logit_bias if self.independent else 0.0
        return self.model.logit_scale.exp(), bias


class NaflexEncoder(TwoTowerEncoder):
    """SigLIP 2 of transformers whose images keep their form (NaFlex)."""

    def encode_image(self, pixels: Tensor) -> ImageFeatures:
        """Encode images that `preprocess` has prepared, shape (B, 3, H, W)."""
        count, side = len(pixels), self._patch
        rows, columns = pixels.shape[2] // side, pixels.shape[3] // side
        patches = pixels.reshape(count, 3, rows, side, columns, side)
        patches = patches.permute(0, 2, 4, 3, 5, 1).reshape(count, rows * columns, -1)
        out = self.model.get_image_features(
            pixel_values=patches,
            pixel_attention_mask=torch.ones(patches.shape[:2], device=pixels.device).long(),
            spatial_shapes=torch.tensor([[rows, columns]] * count, device=pixels.device),
        )
        embedding = l2_normalize(out.pooler_output)[:, None]
        return ImageFeatures(out.last_hidden_state, (rows, columns), embedding)


_FAMILIES: dict[str, tuple[str, Callable[[Any, Any, Preprocess], Encoder]]] = {
    "clip": ("CLIPModel", TwoTowerEncoder),
    "siglip": ("SiglipModel", TwoTowerEncoder),
    "siglip2": ("Siglip2Model", NaflexEncoder),
    "blip-2": ("Blip2ForImageTextRetrieval", Blip2Encoder),
    "paligemma": ("PaliGemmaForConditionalGeneration", PaliGemmaEncoder),
}
"""By the model type in config.json."""


def load_hf(name: str, dtype: torch.dtype) -> Encoder:
    """Load a model by its id on the hub or by its folder; weights as safetensors only.

    Raises:
        EncoderError: it is of another kind, or its files cannot be had.
    """
    try:
        config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
    except Exception as error:  # whatever a broken file makes of transformers
        raise EncoderError(_missing(name, error)) from error
    kind = config.model_type
    if kind not in _FAMILIES:
        raise EncoderError(f"hf:{name} is of type {kind!r}; valid: {', '.join(_FAMILIES)}")
    model_class, encoder_class = _FAMILIES[kind]
    try:
        model = getattr(transformers, model_class).from_pretrained(
            name, use_safetensors=True, dtype=dtype, trust_remote_code=False
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        processor = transformers.AutoImageProcessor.from_pretrained(name, trust_remote_code=False)
    except Exception as error:
        raise EncoderError(_missing(name, error)) from error
    return encoder_class(model, tokenizer, _preprocess(name, processor.to_dict()))


def _preprocess(name: str, given: dict[str, Any]) -> Preprocess:
    size, crop = given.get("size") or {}, given.get("crop_size")
    patch = 1
    resize: ResizeMode
    if "max_num_patches" in given:
        patch, resize = given["patch_size"], "patches"
        rows = math.isqrt(given["max_num_patches"])
        wanted = (patch * rows, patch * (given["max_num_patches"] // rows))
    elif "height" in size:
        wanted, resize = (size["height"], size["width"]), "squash"
    elif crop and given.get("do_center_crop") and size["shortest_edge"] == crop["height"]:
        wanted, resize = (crop["height"], crop["width"]), "shortest"
    else:
        raise EncoderError(
            f"hf:{name}: its images are resized to {size} and cut to {crop}; valid: a height "
            "and a width, or a shortest edge and a middle of that size"
        )
    interpolation: Interpolation = "bilinear" if given.get("resample") == _BILINEAR else "bicubic"
    mean, std = tuple(given["image_mean"]), tuple(given["image_std"])
    return Preprocess(wanted, mean, std, resize, interpolation, half="down", patch=patch)


def _missing(name: str, error: Exception) -> str:
    needed = "config.json, model.safetensors, preprocessor_config.json and the tokenizer's files"
    if Path(name).is_dir():
        return f"hf:{name} cannot be loaded: {error}. The folder must hold {needed}"
    return (
        f"hf:{name} cannot be loaded: {error}. Needed from huggingface.co/{name}: {needed}; "
        "without a network download them elsewhere and give the folder: hf:/path/to/it"
    )
