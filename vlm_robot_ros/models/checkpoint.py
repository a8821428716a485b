"""Checkpoints: a folder with `model.safetensors` and `config.json`; no pickle."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from vlm_robot_ros.models.fusion_model import FusionModel, ModelConfig


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: says which and why."""


def save_checkpoint(model: FusionModel, folder: Path, about: dict[str, Any]) -> None:
    """Write a model and how it came about; JSON types only in `about`."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors.part")
    (folder / "model.safetensors.part").replace(folder / "model.safetensors")
    content = {"model": model.config.to_dict(), "training": about}
    (folder / "config.json").write_text(json.dumps(content, indent=2) + "\n")


def load_checkpoint(folder: Path) -> FusionModel:
    """Read a model, in evaluation mode.

    Raises:
        CheckpointError: a file is missing, corrupt, or the two do not belong together.
    """
    try:
        fields = json.loads((folder / "config.json").read_text())["model"]
        fields = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        model = FusionModel(ModelConfig(**fields))
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"no usable checkpoint in '{folder}' (config.json and model.safetensors): {error}"
        ) from error
    return model.eval()
