"""What finds phrases in images, and what it gives."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np


class DetectorError(Exception):
    """A detector that cannot be loaded or has failed: says why."""


class Detection(NamedTuple):
    """One place where a phrase may be."""

    phrase: str
    box: np.ndarray
    """Left, top, right, bottom. Shape (4,), [px]."""
    score: float
    """0 to 1, as the model has it: comparable for one model, not between models."""
    mask: np.ndarray | None = None
    """Whether a pixel shows it, where the detector tells. Shape (H, W), bool."""


class Detector(Protocol):
    """Finds phrases in images."""

    def detect(self, image: np.ndarray, phrases: Sequence[str]) -> list[Detection]:
        """Return where phrases may be, the likeliest first; nothing where none is.

        Args:
            image: Shape (H, W, 3), uint8 RGB.
            phrases: In any words, such as "the small screwdriver".
        """
        ...


class Segmenter(Protocol):
    """Tells which pixels in a box belong to the thing in it."""

    def masks(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Return a mask for each box. Shape (N, H, W), bool.

        Args:
            image: Shape (H, W, 3), uint8 RGB.
            boxes: Shape (N, 4), [px].
        """
        ...
