"""Images to things: each cell of the image votes for what it shows, and where that stands."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vlm_robot_ros.models.grounded.image import ImageTower

CELL = 4
"""Side of a cell [px]."""
OFFSET_PX, HEIGHT_M = 16.0, 0.1
"""What 1 is of the network's outputs."""


class SceneVotes(NamedTuple):
    """What each of n cells says."""

    noun: Tensor
    """Logits; the first class is "nothing". Shape (B, K + 1, n)."""
    pixel: Tensor
    """Where the thing's place is in the image: column, row. Shape (B, 2, n), [px]."""
    height: Tensor
    """Of that place above the ground. Shape (B, n), [m]."""


class SceneDetector(nn.Module):
    """The network; it knows neither the camera's place nor the words."""

    cells: Tensor
    mesh: Tensor

    def __init__(self, nouns: int, width: int, side: int) -> None:
        """Make it.

        Args:
            nouns: Kinds of things.
            width: Of the features.
            side: Of the square image [px].
        """
        super().__init__()
        self.tower = ImageTower(width)
        rows = torch.arange(side // CELL) * float(CELL) + (CELL - 1) / 2
        v, u = torch.meshgrid(rows, rows, indexing="ij")
        cells = torch.stack([u, v]).reshape(1, 2, -1)
        self.register_buffer("cells", cells, persistent=False)
        self.register_buffer("mesh", cells / side * 2 - 1, persistent=False)
        self.whole = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.heads = nn.Sequential(
            nn.Conv1d(width + 2, 96, 1), nn.GELU(), nn.Conv1d(96, 96, 1), nn.GELU(),
            nn.Conv1d(96, nouns + 1 + 3, 1),
        )  # fmt: skip

    def forward(self, image: Tensor) -> SceneVotes:
        """Look at images of shape (B, 3, side, side), float in 0..1."""
        flat = self.tower(image * 2 - 1).flatten(2)
        around = flat + self.whole(flat.mean(2))[..., None]
        mesh = self.mesh.to(flat.dtype).expand(len(flat), -1, -1)
        said = self.heads(torch.cat([around, mesh], 1)).float()
        noun, offset, height = said[:, :-3], said[:, -3:-1], said[:, -1]
        return SceneVotes(noun, self.cells + offset * OFFSET_PX, height * HEIGHT_M)
