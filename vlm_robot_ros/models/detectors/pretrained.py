"""Loads what a hub of models has, from a folder or by its name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vlm_robot_ros.interfaces.detector import DetectorError


def load_pretrained(name: str, load: Callable[..., Any], **options: Any) -> Any:
    """Return what a `from_pretrained` of transformers makes of a name.

    Raises:
        DetectorError: a file is missing or corrupt; says which.
    """
    try:
        return load(name, trust_remote_code=False, **options)
    except Exception as error:  # whatever a broken file makes of transformers
        needed = "config.json, model.safetensors, preprocessor_config.json and the tokenizer's"
        where = f"'{name}' must hold {needed}"
        if not Path(name).is_dir():
            where = (
                f"needed from huggingface.co/{name}: {needed} files; without a network download "
                "them elsewhere and give the folder: hf:/path/to/it"
            )
        raise DetectorError(f"hf:{name} cannot be loaded: {error}. {where}") from error
