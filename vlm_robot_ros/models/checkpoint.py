"""Checkpoints: a folder with `model.safetensors` and `config.json`; no pickle.

Of a pretrained encoder only what was changed is written: its adapters, into the folder `adapters`,
or all its weights where all were trained. Else it is loaded by its name again.
"""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from vlm_robot_ros.models.robot_model import ModelConfig, VisionLanguageRobotModel


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: says which and why."""


ADAPTERS = "adapters"
_ENCODER = "image.encoder."


def save_checkpoint(model: VisionLanguageRobotModel, folder: Path, about: dict[str, Any]) -> None:
    """Write a model and how it came about; JSON types only in `about`."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder = model.encoder
    tensors = {
        name: tensor.contiguous()
        for name, tensor in model.state_dict().items()
        if encoder is None or encoder.changed or not name.startswith(_ENCODER)
    }
    save_file(tensors, folder / "model.safetensors.part")
    (folder / "model.safetensors.part").replace(folder / "model.safetensors")
    if encoder is not None and encoder.adapted:
        from vlm_robot_ros.models.encoders.tune import save_adapters  # it loads slowly

        save_adapters(encoder, folder / ADAPTERS)
    content = {"model": model.config.to_dict(), "training": about}
    (folder / "config.json").write_text(json.dumps(content, indent=2) + "\n")


def load_checkpoint(folder: Path) -> VisionLanguageRobotModel:
    """Read a model, in evaluation mode.

    Raises:
        CheckpointError: a file is missing, corrupt, or they do not belong together.
    """
    try:
        fields = json.loads((folder / "config.json").read_text())["model"]
        fields = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        model = VisionLanguageRobotModel(ModelConfig(**fields))
        _fill(model, folder)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"no usable checkpoint in '{folder}' (config.json and model.safetensors): {error}"
        ) from error
    return model.eval()


def _fill(model: VisionLanguageRobotModel, folder: Path) -> None:
    state, encoder = load_file(folder / "model.safetensors"), model.encoder
    if encoder is None:
        model.load_state_dict(state)
        return
    encoder.changed = any(name.startswith(_ENCODER) for name in state)
    if not encoder.changed:
        own = model.state_dict()
        state |= {name: own[name] for name in own if name.startswith(_ENCODER)}
    model.load_state_dict(state)
    if (folder / ADAPTERS).is_dir():
        from vlm_robot_ros.models.encoders.tune import load_adapters  # it loads slowly

        load_adapters(encoder, folder / ADAPTERS)
