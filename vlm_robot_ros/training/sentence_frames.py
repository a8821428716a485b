"""What joins, changes and decorates sentences, from `sentence_frames.yaml`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

_CONTENT: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
)
SHORT_FORMS: dict[str, list[str]] = _CONTENT.pop("short_forms")
"""How people abbreviate a word."""
SOUNDS: dict[str, list[str]] = _CONTENT.pop("sounds")
"""Letters, and others that sound alike."""
FRAMES: dict[str, list[str]] = _CONTENT
"""Texts by purpose."""


def choose(rng: np.random.Generator, texts: Sequence[str]) -> str:
    """Return one of some texts."""
    return texts[int(rng.integers(len(texts)))]
