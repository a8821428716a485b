"""Refuses models whose files ask for Python code of their own to be run."""

from typing import Any

import open_clip
import transformers


def tokenizer_options(name: str) -> dict[str, Any]:
    """Return what open_clip must be told so that a tokenizer runs no code of the model's files.

    A folder's `open_clip_config.json` may set any option of transformers' tokenizers, and
    `trust_remote_code` among them; what is given with the call overrides it. open_clip's own
    tokenizers take no such option.

    Args:
        name: As open_clip takes it: an architecture, `local-dir:FOLDER` or `hf-hub:ORG/NAME`.
    """
    text = (open_clip.get_model_config(name) or {}).get("text_cfg") or {}
    return {"trust_remote_code": False} if text.get("hf_tokenizer_name") else {}


def refuse_remote_code(name: str) -> None:
    """Refuse a model of open_clip whose text tower's files bring code; `name` as above.

    open_clip itself loads that tower without saying whether code may be run.

    Raises:
        ValueError, OSError: it does, or its files cannot be had.
    """
    text = (open_clip.get_model_config(name) or {}).get("text_cfg") or {}
    if tower := text.get("hf_model_name"):
        transformers.AutoConfig.from_pretrained(tower, trust_remote_code=False)
