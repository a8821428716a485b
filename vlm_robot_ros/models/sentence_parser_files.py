"""Files of a sentence parser: its weights in 8 bits, its tokens, its word pieces."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from vlm_robot_ros.file_limits import read_bytes, read_json, regular_file
from vlm_robot_ros.models.checkpoint import CheckpointError, write_files
from vlm_robot_ros.models.sentence_parser import (
    MAX_PIECES,
    SentenceParserConfig,
    SentenceParserModel,
)

KIND = "sentence_parser"
PIECES = "tokenizer.json"
_SCALE = ".scale"
"""What is added to the name of a matrix for the name of its scales."""


def save_parser(model: SentenceParserModel, folder: Path, about: dict[str, Any]) -> None:
    """Write a model into a folder that holds its word pieces; JSON types only in `about`.

    Matrices are written in 8 bits with a scale for each row, the rest in 16.
    """
    tensors = {}
    for name, tensor in model.state_dict().items():
        if tensor.dim() < 2:
            tensors[name] = tensor.half().contiguous()
            continue
        scales = (tensor.abs().amax(1, keepdim=True) / 127).clamp_min(1e-6).half()
        tensors[name] = (tensor / scales.float()).round().clamp(-127, 127).to(torch.int8)
        tensors[name + _SCALE] = scales
    content = {"kind": KIND, "model": asdict(model.config), "training": about}
    write_files(folder, content, tensors)


def is_parser(folder: Path) -> bool:
    """Tell whether a folder holds a sentence parser, rather than a network of another kind."""
    return (folder / "config.json").is_file() and read_json(folder / "config.json").get(
        "kind"
    ) == KIND


def load_parser(folder: Path) -> tuple[SentenceParserModel, Tokenizer]:
    """Read a model, in evaluation mode, and its word pieces.

    Raises:
        CheckpointError: a file is missing, corrupt, or they do not belong together.
    """
    try:
        content = read_json(folder / "config.json")
        if content.get("kind") != KIND:
            raise ValueError(f"it is of kind {content.get('kind')!r}; valid: {KIND}")
        fields = dict(content["model"])
        config = SentenceParserConfig(**{**fields, "tokens": tuple(fields["tokens"])})
        for name, least, most in (("layers", 1, 12), ("max_tokens", 1, 1024), ("ahead", 0, 8)):
            if not least <= getattr(config, name) <= most:
                raise ValueError(f"{name} {getattr(config, name)}; valid: {least} to {most}")
        state = load_file(regular_file(folder / "model.safetensors"))
        for name in [name for name in state if name.endswith(_SCALE)]:
            matrix = name.removesuffix(_SCALE)
            state[matrix] = state[matrix].float() * state.pop(name).float()
        model = SentenceParserModel(config)
        model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
        return model.eval(), load_pieces(folder / PIECES)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"no usable sentence parser in '{folder}' (config.json, model.safetensors and "
            f"{PIECES}): {error}"
        ) from error


def load_pieces(path: Path) -> Tokenizer:
    """Read the word pieces; sentences are cut to `MAX_PIECES` and padded to the longest.

    Raises:
        ValueError: The file holds none.
    """
    content = read_bytes(path).decode("utf-8", "replace")
    try:
        pieces = Tokenizer.from_str(content)
    except Exception as error:  # it has no kind of its own
        raise ValueError(f"'{path}' holds no word pieces: {error}") from error
    pieces.enable_truncation(MAX_PIECES)
    pieces.enable_padding()
    return pieces


def to_pieces(
    pieces: Tokenizer, texts: list[str | tuple[str, str]]
) -> tuple[Tensor, Tensor, Tensor, list[Any]]:
    """Return pieces, segments and mask as `SentenceEncoder.forward` takes them, and encodings.

    Args:
        pieces: Word pieces.
        texts: Sentences, or pairs of the sentence before and the sentence.
    """
    encodings = pieces.encode_batch(texts)
    ids, segments, mask = (
        torch.tensor([getattr(each, name) for each in encodings])
        for name in ("ids", "type_ids", "attention_mask")
    )
    return ids, segments, mask.bool(), encodings
