"""What every encoder takes and gives."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm_robot_ros.models.encoders.preprocess import Preprocess


class EncoderError(ValueError):
    """An encoder cannot be had; says what was asked for and what is valid."""


class ImageFeatures(NamedTuple):
    """What an encoder sees in images."""

    tokens: Tensor
    """One a patch, row by row. Shape (B, rows * columns, D)."""
    grid: tuple[int, int]
    """Rows and columns of the patches."""
    embedding: Tensor
    """In the space shared with text, of unit length; Q is 1, for BLIP-2 its number of queries.
    Shape (B, Q, E)."""


class TextFeatures(NamedTuple):
    """What an encoder reads in sentences."""

    tokens: Tensor
    """Shape (B, L, D)."""
    mask: Tensor
    """True where there is a token, False where there is padding. Shape (B, L), bool."""
    embedding: Tensor
    """In the space shared with images, of unit length. Shape (B, E)."""


class Encoder(nn.Module):
    """A pretrained model that sees images and reads sentences."""

    model: Any
    """The other library's."""
    preprocess: Preprocess
    """What the model's own pipeline does to an image."""
    changed: bool = False
    """Whether its weights are no longer those that its name stands for."""
    adapted: bool = False
    """Whether adapters are on it."""
    independent: bool = False
    """Whether each pair of image and phrase has a probability of its own (SigLIP's sigmoid);
    else those of one image's phrases sum to one."""

    def encode_image(self, pixels: Tensor) -> ImageFeatures:
        """Encode images that `preprocess` has prepared, shape (B, 3, H, W)."""
        raise NotImplementedError

    def encode_text(self, sentences: Sequence[str]) -> TextFeatures:
        """Encode sentences; what is longer than the model's context is cut."""
        raise NotImplementedError

    def patch_embeddings(self, seen: ImageFeatures) -> Tensor:
        """Return each patch in the space shared with text, of unit length. Shape (B, n, E).

        It is what the model's own pooling makes of that patch alone.

        Raises:
            EncoderError: the model has no such pooling.
        """
        raise EncoderError(
            f"{type(self.model).__name__} does not bring patches into the space of its phrases; "
            "valid: CLIP, SigLIP and SigLIP 2"
        )

    def scale_and_bias(self) -> tuple[Tensor | float, Tensor | float]:
        """Return by what cosines are multiplied, and what is added, to be logits."""
        raise NotImplementedError

    def logits(self, image: Tensor, text: Tensor) -> Tensor:
        """Return how well images and phrases go together, as the model was trained to say it.

        Args:
            image: `ImageFeatures.embedding`. Shape (B, Q, E).
            text: `TextFeatures.embedding`. Shape (P, E).

        Returns:
            Shape (B, P).
        """
        scale, bias = self.scale_and_bias()
        return (image @ text.T).amax(1) * scale + bias

    def zero_shot_head(
        self, phrases: Sequence[str], templates: Sequence[str] = ("{}",)
    ) -> Callable[[ImageFeatures], Tensor]:
        """Return what tells how well images and phrases go together.

        Args:
            phrases: P of them.
            templates: Prompts with {} for the phrase, whose embeddings are averaged.

        Returns:
            Of B images the `logits`, shape (B, P).
        """
        texts = [text.replace("{}", phrase) for phrase in phrases for text in templates]
        embedding = self.encode_text(texts).embedding
        text = l2_normalize(embedding.view(len(phrases), len(templates), -1).mean(1))
        return lambda seen: self.logits(seen.embedding, text)

    @property
    def dtype(self) -> torch.dtype:
        """In what it computes."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.parameters()).device


def l2_normalize(embedding: Tensor) -> Tensor:
    """Return an embedding at length one along its last axis."""
    return F.normalize(embedding.float(), dim=-1)
