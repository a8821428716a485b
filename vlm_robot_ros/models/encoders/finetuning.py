"""Which weights of a pretrained encoder are trained: none, low-rank adapters, or all."""

from pathlib import Path

import peft
from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from vlm_robot_ros.file_limits import read_json, regular_file
from vlm_robot_ros.models.encoders.base import Encoder, EncoderError

TUNINGS = ("frozen", "lora", "full")
_WEIGHT_SIZE = 2
"""Bytes of a weight at least."""
_IMAGE = ("visual.", "vision_model.", "vision_tower.")
"""How the names of what sees begin, in open_clip and in transformers."""


def set_trainable(encoder: Encoder, how: str, rank: int = 8, image_only: bool = False) -> None:
    """Set what of an encoder is trained.

    Args:
        encoder: As it was loaded.
        how: "frozen"; "lora", adapters in all attention and linear layers (Hu et al., 2022);
            or "full".
        rank: Of the adapters.
        image_only: Leave the text tower as it is.

    Raises:
        EncoderError: there is no such way, or the rank is below 1.
    """
    if how not in TUNINGS:
        raise EncoderError(f"no tuning {how!r}; valid: {', '.join(TUNINGS)}")
    encoder.requires_grad_(False)
    chosen = {
        name: module
        for name, module in encoder.model.named_modules()
        if not image_only or f"{name}.".startswith(_IMAGE)
    }
    if how == "full":
        encoder.changed = True
        for module in chosen.values():
            for weight in module.parameters(recurse=False):
                weight.requires_grad_(True)
    if how == "lora":
        if rank < 1:
            raise EncoderError(f"rank is {rank}; valid: 1 or more")
        names = [name for name, module in chosen.items() if _takes_adapters(module)]
        config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=names)
        encoder.model, encoder.adapted = peft.get_peft_model(encoder.model, config), True


def _takes_adapters(module: nn.Module) -> bool:
    """Tell whether a layer gets an adapter; the last layer within torch's attention is its own."""
    if isinstance(module, NonDynamicallyQuantizableLinear):
        return False
    if isinstance(module, nn.MultiheadAttention):  # peft takes those of one width only
        return module.kdim == module.vdim == module.embed_dim
    return isinstance(module, nn.Linear)


def save_adapters(encoder: Encoder, folder: Path) -> None:
    """Write an encoder's adapters as peft does: adapter_config.json, adapter_model.safetensors."""
    encoder.model.save_pretrained(folder)


def load_adapters(encoder: Encoder, folder: Path) -> None:
    """Put adapters onto an encoder as it was loaded.

    Raises:
        EncoderError: they cannot be read, or are of another model.
    """
    try:
        _check_adapters(folder)
        encoder.model = peft.PeftModel.from_pretrained(encoder.model, str(folder))
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EncoderError(f"'{folder}' holds no adapters of this encoder: {error}") from error
    encoder.adapted = True


def _check_adapters(folder: Path) -> None:
    """Raise ValueError or OSError where peft would read a pickle, or allocate without end."""
    weights = regular_file(folder / "adapter_model.safetensors")
    config = read_json(folder / "adapter_config.json")
    ranks = [config.get("r", 0), *(config.get("rank_pattern") or {}).values()]
    if config.get("peft_type") != "LORA":
        raise ValueError(f"peft_type is {config.get('peft_type')!r}; valid: LORA")
    largest = weights.stat().st_size // _WEIGHT_SIZE
    if not all(isinstance(rank, int) and 0 <= rank <= largest for rank in ranks):
        raise ValueError(f"r is {ranks[0]}, but '{weights.name}' has {largest} weights at most")


def merge_adapters(encoder: Encoder) -> None:
    """Add the adapters to the weights that they adapt: as fast as without, and as one model."""
    encoder.model = encoder.model.merge_and_unload()
    encoder.adapted, encoder.changed = False, True
