"""A second look at where the words lead, in the camera's own resolution."""

from itertools import pairwise

import torch
from torch import Tensor, nn

CROP_SIDE = 96
"""Side of what is cut out [px]: a camera of twice the model's image loses nothing."""


class CropRefiner(nn.Module):
    """What is around a token, cut out of a larger image, to what that is and where."""

    def __init__(self, width: int, nouns: int) -> None:
        """Make it.

        Args:
            width: Of the features of tokens.
            nouns: Classes of what can be shown.
        """
        super().__init__()
        sizes = (3, 24, 48, 64, 64)
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), nn.ReLU()]
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(64 * (CROP_SIDE // 16) ** 2, 128)
        )
        self.token = nn.Linear(width + 3, 128)
        self.noun = nn.Linear(128, nouns)
        self.point = nn.Sequential(nn.GELU(), nn.Linear(128, 64), nn.GELU(), nn.Linear(64, 3))

    def forward(self, cut: Tensor, features: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Look closely.

        Args:
            cut: Shape (B, 3, SIDE, SIDE), in -1..1.
            features: Of the token in the middle. Shape (B, width).
            place: What is known of where it is: `TokenHeads.points_of`. Shape (B, 3), [m].

        Returns:
            Logits of what it shows, shape (B, nouns), and the middle of that, (B, 3) [m].
        """
        around = (place - place.new_tensor([0.5, 0.0, 0.0])) * 4
        seen = self.layers(cut) + self.token(torch.cat([features, around], 1))
        return self.noun(seen.relu()), place + self.point(seen) * 0.05


def gather_token(part: Tensor, token: Tensor) -> Tensor:
    """Return one token each of a part of all tokens: of shape (B, D, n) and (B,) shape (B, D)."""
    return part.gather(2, token[:, None, None].expand(-1, part.shape[1], -1))[..., 0]


def sample_crops(whole: Tensor, row: Tensor, column: Tensor, part: float) -> Tensor:
    """Return squares of images, shape (B, 3, SIDE, SIDE).

    Args:
        whole: The images. Shape (B, 3, H, W).
        row: Middle of each square, as a part of the height. Shape (B,).
        column: As a part of the width. Shape (B,).
        part: Side of a square, as a part of the height and of the width.
    """
    steps = ((torch.arange(CROP_SIDE, device=whole.device) + 0.5) / CROP_SIDE - 0.5) * part
    rows, columns = row[:, None] + steps, column[:, None] + steps
    grid = torch.stack(
        [(columns * 2 - 1)[:, None, :].expand(-1, CROP_SIDE, -1),
         (rows * 2 - 1)[:, :, None].expand(-1, -1, CROP_SIDE)], -1
    )  # fmt: skip
    return nn.functional.grid_sample(
        whole, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
