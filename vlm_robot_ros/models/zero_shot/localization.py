"""Where in an image phrases are: heatmaps of any words, and how things lie to each other.

Each patch is compared with the phrase, as whole images are in CLIP (Radford et al., 2021), and
with what an image of nothing is called.
"""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vlm_robot_ros.models.encoders.base import Encoder
from vlm_robot_ros.models.encoders.preprocess import resize_stretched
from vlm_robot_ros.models.zero_shot.classification import BACKGROUND

SIDES = {
    "left of": (-1, 0),
    "right of": (1, 0),
    "above": (0, -1),
    "below": (0, 1),
}
"""Relations in the image: towards which column, row."""
_PHRASE = re.compile(rf"^(?:to the )?({'|'.join(SIDES)}) (?:the )?(.+)$")


class PhraseLocation(NamedTuple):
    """Where a phrase leads in an image."""

    phrase: str
    heat: Tensor
    """How well each pixel agrees, 0 to 1. Shape (H, W)."""
    point: tuple[float, float]
    """Column and row where it agrees most [px]."""
    score: float
    """How much better the best patch agrees with the phrase than with nothing: a cosine less
    another."""


class PhraseLocalizer:
    """Finds phrases in images; they are encoded once."""

    def __init__(self, encoder: Encoder, phrases: Sequence[str]) -> None:
        """Encode the phrases.

        Args:
            encoder: See `encoders.load`.
            phrases: What to look for; "left of the red cup" is found beside what "red cup" is.

        Raises:
            ValueError: a phrase is empty.
        """
        if not all(phrase.strip() for phrase in phrases):
            raise ValueError(f"phrases are {list(phrases)}; none may be empty")
        self._encoder, self._phrases = encoder, tuple(phrases)
        self._relations = [_PHRASE.match(phrase.strip().lower()) for phrase in phrases]
        named = [r[2] if r else p for r, p in zip(self._relations, phrases, strict=True)]
        with torch.inference_mode():
            self._text = encoder.encode_text(named).embedding.float()
            self._nothing = encoder.encode_text(BACKGROUND).embedding.float()

    @torch.inference_mode()
    def __call__(self, image: Tensor) -> list[PhraseLocation]:
        """Find the phrases in an image.

        Args:
            image: Shape (H, W, 3), uint8 RGB.

        Raises:
            EncoderError: the encoder has no patches in the space of its phrases.
        """
        encoder, (height, width) = self._encoder, image.shape[:2]
        whole = resize_stretched(image[None].to(encoder.device), encoder.preprocess.size)
        seen = encoder.encode_image(encoder.preprocess(whole).to(encoder.dtype))
        patches = encoder.patch_embeddings(seen)[0].float()
        agrees = self._text @ patches.T - (self._nothing @ patches.T).mean(0)
        found = []
        for phrase, relation, row in zip(self._phrases, self._relations, agrees, strict=True):
            grid = row.view(1, 1, *seen.grid)
            smooth = F.interpolate(grid, (height, width), mode="bilinear", align_corners=False)
            heat = (smooth[0, 0] - smooth.min()) / (smooth.max() - smooth.min()).clamp(min=1e-6)
            point = _peak(grid[0, 0], height, width)
            if relation:
                heat = _side_map(point, SIDES[relation[1]], height, width)
                down, across = divmod(int(heat.argmax()), width)
                point = float(across), float(down)
            found.append(PhraseLocation(phrase, heat.cpu(), point, float(row.max())))
        return found


def _peak(grid: Tensor, height: int, width: int) -> tuple[float, float]:
    """Return column and row [px] of the middle of the best patch."""
    row, column = divmod(int(grid.argmax()), grid.shape[1])
    rows, columns = grid.shape
    return (column + 0.5) * width / columns - 0.5, (row + 0.5) * height / rows - 0.5


def _side_map(
    point: tuple[float, float], towards: tuple[int, int], height: int, width: int
) -> Tensor:
    """Return how much each pixel lies to one side of a point: most straight beside it, near by."""
    rows, columns = torch.meshgrid(
        torch.arange(height) - point[1], torch.arange(width) - point[0], indexing="ij"
    )
    along = columns * towards[0] + rows * towards[1]
    across = (columns * towards[1] + rows * towards[0]).abs()
    size = math.hypot(height, width) / 8
    heat = torch.exp(-((along - size) / size).square() - (across / size).square())
    return heat * (along > 0)


def spatial_relation(first: PhraseLocation, second: PhraseLocation) -> str:
    """Return how the first thing lies to the second in the image, by their points."""
    across, down = (a - b for a, b in zip(first.point, second.point, strict=True))
    if abs(across) >= abs(down):
        return "left of" if across < 0 else "right of"
    return "above" if down < 0 else "below"
