"""Ways in which a large model answers sooner; each can be switched by itself."""

from collections.abc import Callable, Collection

import numpy as np
import torch
from torch import Tensor

from vlm_robot_ros.models.autocast import has_bfloat16
from vlm_robot_ros.models.finetuned.model import ChunkPredictor, ModelOutput

OPTIMIZATIONS = {
    "bfloat16": "the encoder computes in bfloat16",
    "channels_last": "convolutions have the colours of a pixel side by side",
    "compile": "torch.compile; on a GPU one launch for all (CUDA graphs)",
    "pinned": "images wait for the GPU in memory that it reads by itself",
}
"""All of them; words are kept, and all cameras are one batch, in any case."""


def parse_optimizations(asked: str, device: str) -> frozenset[str]:
    """Return the ways in a list, as in "bfloat16,compile".

    Args:
        asked: The list; "auto" for those that a device has something from without a wait at the
            start, "" for none.
        device: "cpu" or "cuda".

    Raises:
        ValueError: there is no such way, or the device has not.
    """
    if asked == "auto":
        return frozenset({"bfloat16"} if has_bfloat16(device) else ())
    ways = frozenset(way.strip() for way in asked.split(",") if way.strip())
    unknown = sorted(ways - set(OPTIMIZATIONS))
    if unknown:
        raise ValueError(
            f"no way {unknown[0]!r} to be faster; valid: auto alone, or some of "
            f"{', '.join(OPTIMIZATIONS)}"
        )
    if "pinned" in ways and not device.startswith("cuda"):
        raise ValueError(f"'pinned' is for device cuda, this is {device!r}")
    return ways


def optimize_model(
    model: ChunkPredictor, ways: Collection[str]
) -> Callable[[Tensor, Tensor, Tensor], ModelOutput]:
    """Change a model in place; returns what plans from then on.

    With "compile" the first plan takes a minute, and shapes must stay as they are. On a GPU it is
    for one model of a process: the CUDA graphs of several got into each other's way (torch 2.11).
    """
    if "bfloat16" in ways:
        model.encoder.to(torch.bfloat16)
    if "channels_last" in ways:
        model.to(memory_format=torch.channels_last)
    if "compile" not in ways:
        return model
    kind = "reduce-overhead" if model.encoder.device.type == "cuda" else "default"
    return torch.compile(model, mode=kind, dynamic=False)


def upload(image: np.ndarray, device: str, ways: Collection[str]) -> Tensor:
    """Bring an image, shape (H, W, 3), uint8, to the device."""
    tensor = torch.from_numpy(np.ascontiguousarray(image))
    if "pinned" in ways:
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
