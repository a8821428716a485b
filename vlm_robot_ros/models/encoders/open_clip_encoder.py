"""Every model that open_clip_torch loads, as an encoder."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import open_clip
import torch
from open_clip.timm_model import TimmModel
from open_clip.transform import PreprocessCfg
from open_clip.transformer import VisionTransformer
from torch import Tensor

from vlm_robot_ros.models.encoders.base import (
    Encoder,
    EncoderError,
    ImageFeatures,
    TextFeatures,
    l2_normalize,
)
from vlm_robot_ros.models.encoders.preprocess import Preprocess, ResizeMode
from vlm_robot_ros.models.encoders.remote_code import refuse_remote_code, tokenizer_options
from vlm_robot_ros.paths import user_path

RANDOM = "random"
"""In place of a tag: weights of nothing, to measure how fast a model is."""


class OpenClipEncoder(Encoder):
    """A model of open_clip_torch: CLIP, SigLIP, CoCa, and what else it loads."""

    def __init__(self, model: torch.nn.Module, tokenizer: Any) -> None:
        """Wrap a model and its tokenizer, as open_clip returns them."""
        super().__init__()
        self.model: Any = model.eval()
        self._tokenizer = tokenizer
        # The one within is of transformers; open_clip's own pads with 0.
        self._pad = getattr(getattr(tokenizer, "tokenizer", None), "pad_token_id", 0)
        config = PreprocessCfg(**open_clip.get_model_preprocess_cfg(model))
        size = config.size
        self.preprocess = Preprocess(
            (size, size) if isinstance(size, int) else (size[0], size[1]),
            config.mean,
            config.std,
            cast(ResizeMode, config.resize_mode),
            "bilinear" if config.interpolation == "bilinear" else "bicubic",
            fill=config.fill_color,
        )
        self.independent = model.logit_bias is not None

    def encode_image(self, pixels: Tensor) -> ImageFeatures:
        """Encode images that `preprocess` has prepared, shape (B, 3, H, W)."""
        # CoCa's last norm is for what it pools, not for patches.
        pools = getattr(self.model.visual, "attn_pool", None) is not None
        out = self.model.forward_intermediates(
            image=pixels, image_indices=1, normalize=False, normalize_intermediates=not pools
        )
        tokens = out["image_intermediates"][-1]
        rows, columns = tokens.shape[2:]
        embedding = l2_normalize(out["image_features"])[:, None]
        return ImageFeatures(tokens.flatten(2).transpose(1, 2), (rows, columns), embedding)

    def patch_embeddings(self, seen: ImageFeatures) -> Tensor:
        """Return each patch in the space shared with text."""
        visual = self.model.visual
        alone = seen.tokens.flatten(0, 1)[:, None]
        trunk: Any = getattr(visual, "trunk", None)
        if isinstance(visual, TimmModel) and hasattr(trunk, "fc_norm"):
            if trunk.attn_pool is None:  # the mean, or the first token: of one it is that one
                pooled = visual.head(trunk.head(trunk.fc_norm(alone[:, 0])))
            else:
                pooled = visual.head(trunk.forward_head(alone))
        elif isinstance(visual, VisionTransformer) and visual.attn_pool is None:
            pooled = alone[:, 0] if visual.proj is None else alone[:, 0] @ visual.proj
        else:
            return super().patch_embeddings(seen)
        return l2_normalize(pooled).unflatten(0, seen.tokens.shape[:2])

    def encode_text(self, sentences: Sequence[str]) -> TextFeatures:
        """Encode sentences; what is longer than the model's context is cut."""
        ids = self._tokenizer(list(sentences)).to(self.device)
        tower = getattr(self.model, "text", self.model)
        if hasattr(tower, "output_tokens") and not hasattr(tower, "forward_intermediates"):
            # A tower of transformers within open_clip.
            tower.output_tokens = True
            pooled, tokens = tower(ids)
            tower.output_tokens = False
            mask = ids != self._pad
            return TextFeatures(tokens, mask[:, -tokens.shape[1] :], l2_normalize(pooled))
        out = self.model.forward_intermediates(
            text=ids, text_indices=1, normalize=False, normalize_intermediates=True
        )
        tokens = out["text_intermediates"][-1]
        mask = ids != self._pad
        mask[:, 0] = True
        return TextFeatures(tokens, mask[:, : tokens.shape[1]], l2_normalize(out["text_features"]))

    def scale_and_bias(self) -> tuple[Tensor | float, Tensor | float]:
        """Return by what cosines are multiplied, and what is added, to be logits."""
        bias = self.model.logit_bias
        return self.model.logit_scale.exp(), 0.0 if bias is None else bias


def load_open_clip(name: str, dtype: torch.dtype) -> OpenClipEncoder:
    """Load a model by `ARCH/TAG`, `ARCH/FILE` or the folder of one saved for the hub.

    Raises:
        EncoderError: there is no such name, or its files cannot be had.
    """
    folder = user_path(name)
    if folder.is_dir():
        return _create(f"local-dir:{folder}", None, dtype, name)
    if name.startswith("hf-hub:"):
        return _create(name, None, dtype, name)
    arch, _, weights = name.partition("/")
    weights = str(user_path(weights)) if weights.startswith("~") else weights
    _check(arch, weights)
    if weights == RANDOM:
        return _create(arch, None, dtype, name, require_pretrained=False)
    if Path(weights).is_file():
        return _create(arch, weights, dtype, name, force_preprocess_cfg=_prepared(arch))
    quick = bool(open_clip.get_pretrained_cfg(arch, weights).get("quick_gelu"))
    return _create(arch, weights, dtype, name, force_quick_gelu=quick)


def _prepared(arch: str) -> dict[str, Any]:
    """Return how images are prepared for every set of weights of an architecture.

    Raises:
        EncoderError: they are not prepared alike, so that a file does not say how.
    """
    keys = ("mean", "std", "interpolation", "resize_mode")
    ways = []
    for tag in open_clip.list_pretrained_tags_by_model(arch):
        config = open_clip.get_pretrained_cfg(arch, tag)
        way = {key: config[key] for key in keys if config.get(key) is not None}
        if way not in ways:
            ways.append(way)
    if len(ways) > 1:
        raise EncoderError(
            f"open_clip:{arch} has weights for images that are prepared in {len(ways)} ways; a "
            "file does not say in which: give the folder of one (with open_clip_config.json)"
        )
    return ways[0] if ways else {}


def _check(arch: str, weights: str) -> None:
    models = open_clip.list_models()
    if arch not in models:
        raise EncoderError(
            f"open_clip has no model {arch!r}; nearest: {_closest_names(arch, models)}; "
            "or give the folder of one (with open_clip_config.json)"
        )
    tags = open_clip.list_pretrained_tags_by_model(arch)
    if weights in (*tags, RANDOM) or Path(weights).is_file():
        return
    said = f"no weights {weights!r}" if weights else "no weights were given"
    raise EncoderError(
        f"open_clip:{arch}: {said}; valid: {', '.join([*tags, RANDOM])}, or a file: "
        f"open_clip:{arch}//path/to/model.safetensors"
    )


def _create(
    arch: str,
    weights: str | None,
    dtype: torch.dtype,
    name: str,
    require_pretrained: bool = True,
    **options: Any,
) -> OpenClipEncoder:
    try:
        refuse_remote_code(arch)
        model = open_clip.create_model(
            arch,
            weights,
            pretrained_text=False,
            require_pretrained=require_pretrained,
            weights_only=True,
            **options,
        )
        tokenizer = open_clip.get_tokenizer(arch, **tokenizer_options(arch))
    except Exception as error:  # whatever the library and its downloads raise
        raise EncoderError(
            f"open_clip:{name} cannot be loaded: {error}. {_patch_features(arch, weights)}"
        ) from error
    return OpenClipEncoder(model.to(dtype), tokenizer)


def _patch_features(arch: str, weights: str | None) -> str:
    """Tell which file is needed, and where it is looked for."""
    config = open_clip.get_pretrained_cfg(arch, weights) if weights else None
    if not config:
        return "A folder must hold open_clip_config.json and open_clip_model.safetensors"
    if config.get("hf_hub"):
        hub = config["hf_hub"].rstrip("/")
        return (
            f"Needed from huggingface.co/{hub}: open_clip_model.safetensors; without a network "
            f"download it elsewhere and give the file: open_clip:{arch}//path/to/it"
        )
    return (
        f"Needed: {config.get('url')}; without a network download it elsewhere and give the file"
    )


def _closest_names(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, 4, 0.3)
    return ", ".join(near or names[:4])
