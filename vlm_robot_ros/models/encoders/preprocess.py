"""Images as models want them: resized, cropped and normalised on the device, without PIL."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

ResizeMode = Literal["shortest", "longest", "squash", "patches"]
Interpolation = Literal["bicubic", "bilinear"]


@dataclass(frozen=True)
class Preprocess:
    """The steps of a model's own pipeline."""

    size: tuple[int, int]
    """Height and width that the model takes [px]."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of the channels in 0..1."""
    resize: ResizeMode = "shortest"
    """The shorter side fits and the middle is cut out; the longer side fits and the rest is
    filled; both sides fit and the image is distorted; or the image keeps its form, nearly, and
    has as many patches as may be: then `size` is that of a square one."""
    interpolation: Interpolation = "bicubic"
    half: Literal["even", "down"] = "even"
    """Where half a pixel before the middle goes: as in torchvision, or as in transformers."""
    fill: int = 0
    """Of what "longest" leaves empty, 0..255."""

    patch: int = 1
    """Side of a patch [px]."""

    def __call__(self, images: Tensor) -> Tensor:
        """Prepare images.

        Args:
            images: Shape (B, H, W, 3), uint8 RGB, on any device.

        Returns:
            Shape (B, 3, *size), float, normalised; with "patches" of its own height and width.

        Raises:
            ValueError: of another shape or type.
        """
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != torch.uint8:
            raise ValueError(
                f"images must be uint8 of shape (B, H, W, 3), got {images.dtype} "
                f"{tuple(images.shape)}"
            )
        pixels = images.permute(0, 3, 1, 2).float()
        height, width = self._resized(images.shape[1], images.shape[2])
        if (height, width) != tuple(pixels.shape[2:]):
            pixels = F.interpolate(
                pixels, (height, width), mode=self.interpolation, antialias=True,
                align_corners=False,
            )  # fmt: skip
            # Pipelines that resize bytes round here, too.
            pixels = pixels.round().clamp(0, 255)
        pixels = self._center_crop(pixels)
        mean, std = (pixels.new_tensor(part)[:, None, None] for part in (self.mean, self.std))
        return (pixels / 255 - mean) / std

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        if self.resize == "squash":
            return self.size
        if self.resize == "patches":
            return self._in_patches(height, width)
        choose = max if self.resize == "shortest" else min
        ratio = choose(self.size[0] / height, self.size[1] / width)
        if self.resize == "shortest" and self.size[0] == self.size[1]:
            # As torchvision rounds it.
            return int(height * ratio + 1e-6), int(width * ratio + 1e-6)
        return round(height * ratio), round(width * ratio)

    def _in_patches(self, height: int, width: int) -> tuple[int, int]:
        """Return the largest size of whole patches, each side rounded up, that is not too many."""
        most = self.size[0] * self.size[1] // self.patch**2

        def sides(scale: float) -> tuple[int, int]:
            rows, columns = (math.ceil(side * scale / self.patch) for side in (height, width))
            return max(rows, 1), max(columns, 1)

        low, high = 1e-6, 100.0
        while high - low >= 1e-5:  # as exactly as the library does
            middle = (low + high) / 2
            rows, columns = sides(middle)
            low, high = (middle, high) if rows * columns <= most else (low, middle)
        rows, columns = sides(low)
        return rows * self.patch, columns * self.patch

    def _center_crop(self, pixels: Tensor) -> Tensor:
        """Cut out the middle, or fill around it."""
        if self.resize == "patches":
            return pixels
        for axis, wanted in ((2, self.size[0]), (3, self.size[1])):
            extra = pixels.shape[axis] - wanted
            if extra > 0:
                start = round(extra / 2) if self.half == "even" else extra // 2
                pixels = pixels.narrow(axis, start, wanted)
            elif extra < 0:
                before = -extra // 2
                sides = (before, -extra - before)
                pad = (*sides, 0, 0) if axis == 3 else (0, 0, *sides)
                pixels = F.pad(pixels, pad, value=float(self.fill))
        return pixels


def resize_stretched(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Return whole images at another size, whatever that does to their form.

    The edges of a robot's image are of its table, too; a model's own pipeline cuts them off.

    Args:
        images: Shape (B, H, W, 3), uint8.
        size: Height and width [px].
    """
    if tuple(images.shape[1:3]) == tuple(size):
        return images
    pixels = F.interpolate(
        images.permute(0, 3, 1, 2).float(), size, mode="bilinear", antialias=True,
        align_corners=False,
    )  # fmt: skip
    return pixels.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
