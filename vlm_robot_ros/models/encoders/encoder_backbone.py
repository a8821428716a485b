"""A pretrained encoder in the place of the compact model's image tower."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm_robot_ros.models.encoders.base import Encoder


class EncoderTower(nn.Module):
    """Patch tokens, brought to the width and the grid of the model."""

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: Encoder, width: int) -> None:
        """Wrap an encoder; what of it is trained is for `tune` to say.

        Args:
            encoder: See `encoders.load`.
            width: Of the features.
        """
        super().__init__()
        self.encoder = encoder
        self._size = encoder.preprocess.size
        for name in ("mean", "std"):
            value = torch.tensor(getattr(encoder.preprocess, name))[:, None, None]
            self.register_buffer(name, value, persistent=False)
        with torch.no_grad():
            patches = encoder.encode_image(self.mean.new_zeros(1, 3, *self._size)).tokens.shape[-1]
        self.project = nn.Sequential(nn.LayerNorm(patches), nn.Linear(patches, width))
        self.smooth = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1), nn.GroupNorm(8, width), nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1), nn.GroupNorm(8, width), nn.ReLU(),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        """Return features of shape (B, width, H / 4, W / 4) of images in -1..1."""
        return self.finish(self.stem(image))

    def stem(self, image: Tensor) -> Tensor:
        """Return the patches' features, shape (B, width, H / 4, W / 4)."""
        # The whole image is squashed to the encoder's size: its edges are of the table, too.
        pixels = F.interpolate(
            (image.float() + 1) / 2,
            self._size,
            mode="bilinear",
            antialias=True,
            align_corners=False,
        )
        seen = self.encoder.encode_image((pixels - self.mean) / self.std)
        tokens = self.project(seen.tokens).transpose(1, 2).unflatten(2, seen.grid)
        grid = image.shape[2] // 4, image.shape[3] // 4
        return F.interpolate(tokens, grid, mode="bilinear", align_corners=False)

    def finish(self, near: Tensor) -> Tensor:
        """Return the features that follow from the stem's, of the same size."""
        return self.smooth(near)
