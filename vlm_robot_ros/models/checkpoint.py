"""Checkpoints: a folder with `model.safetensors` and `config.json`; no pickle.

Of a pretrained encoder only what was changed is written: its adapters, into the folder `adapters`,
or all its weights where all were trained. Else it is loaded by its name again.
"""

import json
import shutil
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from vlm_robot_ros.file_limits import check_image, read_json, regular_file
from vlm_robot_ros.models.finetuned.model import ChunkPredictor, ChunkPredictorConfig
from vlm_robot_ros.models.grounded.config import GroundedModelConfig
from vlm_robot_ros.models.grounded.model import VisionLanguageRobotModel
from vlm_robot_ros.models.transfer.config import TransferModelConfig
from vlm_robot_ros.models.transfer.model import TransferModel

ADAPTERS = "adapters"
Saved = VisionLanguageRobotModel | ChunkPredictor | TransferModel
_Model = TypeVar("_Model", VisionLanguageRobotModel, ChunkPredictor)
_OLD_FIELDS = {"picture": "image"}
"""Names of fields in the config.json of checkpoints from before version 0.2."""
_DIMENSIONS = ("width", "text_width", "hidden", "horizon", "readers", "history")
_WEIGHT_SIZE = 2
"""Bytes of a weight at least."""
_KINDS = {
    "grounded": VisionLanguageRobotModel, "direct": ChunkPredictor, "transfer": TransferModel,
}  # fmt: skip


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: says which and why."""


def save_checkpoint(model: Saved, folder: Path, about: dict[str, Any]) -> None:
    """Write a model and how it came about; JSON types only in `about`."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder = model.encoder
    tensors = {
        name: tensor.contiguous()
        for name, tensor in model.state_dict().items()
        if encoder is None or encoder.changed or not _is_of_encoder(name)
    }
    kind = next(name for name, of in _KINDS.items() if isinstance(model, of))
    content = {"kind": kind, "model": model.config.to_dict(), "training": about}
    write_files(folder, content, tensors)
    if encoder is not None and encoder.adapted:
        from vlm_robot_ros.models.encoders.finetuning import save_adapters  # it loads slowly

        save_adapters(encoder, folder / ADAPTERS)
    else:
        shutil.rmtree(folder / ADAPTERS, ignore_errors=True)


def write_files(folder: Path, content: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write `config.json` and `model.safetensors`, each as it was before or whole."""
    config, weights = folder / "config.json.part", folder / "model.safetensors.part"
    config.write_text(json.dumps(content, indent=2) + "\n")
    save_file(tensors, weights)
    shutil.copymode(config, weights)  # or nobody else could read them
    weights.replace(folder / "model.safetensors")
    config.replace(folder / "config.json")


def ensure_no_checkpoint(folder: Path) -> None:
    """Raise CheckpointError where a folder has a checkpoint that would be lost."""
    if (folder / "config.json").exists():
        raise CheckpointError(f"'{folder}' has a checkpoint already; give another --out")


def load_checkpoint(folder: Path) -> VisionLanguageRobotModel:
    """Read a model that knows where things are, in evaluation mode.

    Raises:
        CheckpointError: a file is missing, corrupt, or they do not belong together.
    """
    model = load_model(folder)
    if not isinstance(model, VisionLanguageRobotModel):
        raise CheckpointError(
            f"'{folder}' is a checkpoint of kind '{kind_of(folder)}'; valid here: grounded"
        )
    return model


def prepare_for_inference(model: _Model, device: str) -> _Model:
    """Return a model that was read, on a device, its encoder's adapters merged into the weights.

    peft merges those of torch's attention, as open_clip has it, again for each answer.
    """
    if model.encoder is not None and model.encoder.adapted:
        from vlm_robot_ros.models.encoders.finetuning import merge_adapters  # it loads slowly

        merge_adapters(model.encoder)
    return model.to(device)


def kind_of(folder: Path) -> str:
    """Return the kind of a checkpoint: "grounded" or "direct".

    Raises:
        CheckpointError: its config.json is missing or corrupt.
    """
    try:
        return str(read_json(folder / "config.json").get("kind", "grounded"))
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"no usable checkpoint in '{folder}': {error}") from error


def load_model(folder: Path) -> Saved:
    """Read a model of either kind, in evaluation mode.

    Raises:
        CheckpointError: a file is missing, corrupt, or they do not belong together.
    """
    try:
        content = read_json(folder / "config.json")
        kind = content.get("kind", "grounded")
        fields = {
            _OLD_FIELDS.get(name, name): tuple(value) if isinstance(value, list) else value
            for name, value in content["model"].items()
        }
        _check_dimensions(fields, regular_file(folder / "model.safetensors").stat().st_size)
        model = _make(kind, fields)
        _fill(model, folder)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"no usable checkpoint in '{folder}' (config.json and model.safetensors): {error}"
        ) from error
    return model.eval()


def _check_dimensions(fields: dict[str, Any], size: int) -> None:
    """Refuse a configuration of a model that the weights' file is too small for.

    A model is built before its weights are read, so that config.json alone could exhaust memory.

    Args:
        fields: Of the configuration.
        size: Of the file of weights [bytes].

    Raises:
        ValueError: a dimension is no whole number, or too large.
    """
    given = {name: fields.get(name, 0) for name in _DIMENSIONS}
    if not all(isinstance(value, int) and value >= 0 for value in given.values()):
        raise ValueError(f"dimensions are {given}; valid: whole numbers from 0")
    width, text, hidden = (given[name] for name in ("width", "text_width", "hidden"))
    words = len(fields.get("vocabulary", ()))
    largest = max(
        width * width * (1 + given["history"]),
        given["readers"] * text * max(text, words),
        hidden * max(hidden, given["horizon"]),
        given["readers"],
        given["horizon"],
    )
    if largest * _WEIGHT_SIZE > size:
        raise ValueError(
            f"config.json describes a model of at least {largest} weights ({given}), but "
            f"model.safetensors has only {size} bytes; copy both files of one checkpoint"
        )
    for name in ("image", "crop"):
        side = fields.get(name, ())
        if isinstance(side, tuple) and len(side) >= 2:
            check_image(int(side[-1]), int(side[-2]), f"'{name}' of config.json")


def _make(kind: str, fields: dict[str, Any]) -> Saved:
    if kind not in _KINDS:
        raise ValueError(f"it is of kind {kind!r}; valid: {', '.join(_KINDS)}")
    if kind == "grounded":
        return VisionLanguageRobotModel(GroundedModelConfig(**fields))
    if kind == "transfer":
        return TransferModel(TransferModelConfig(**fields))
    from vlm_robot_ros.models.encoders.registry import load_encoder  # it loads slowly

    config = ChunkPredictorConfig(**fields)
    return ChunkPredictor(config, load_encoder(config.encoder))


def _fill(model: Saved, folder: Path) -> None:
    state, encoder = load_file(folder / "model.safetensors"), model.encoder
    if encoder is not None:
        encoder.changed = any(_is_of_encoder(name) for name in state)
        if not encoder.changed:
            own = model.state_dict()
            state |= {name: own[name] for name in own if _is_of_encoder(name)}
    model.load_state_dict(state)
    if encoder is not None and (folder / ADAPTERS).is_dir():
        from vlm_robot_ros.models.encoders.finetuning import load_adapters  # it loads slowly

        load_adapters(encoder, folder / ADAPTERS)


def _is_of_encoder(name: str) -> bool:
    return name.startswith(("encoder.", "image.encoder."))
