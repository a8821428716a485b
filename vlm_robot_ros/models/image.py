"""Pictures to tokens, each of which knows what it shows and where the middle of that is."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Tokens(NamedTuple):
    """What each of n image tokens shows."""

    colour: Tensor
    """Log-probabilities; the first class is "no object". Shape (B, C, n)."""
    noun: Tensor
    """Log-probabilities; the first class is "nothing". Shape (B, N, n)."""
    point: Tensor
    """The middle of what is shown. Shape (B, 3, n), base frame [m]."""


class ImageTower(nn.Module):
    """Picture to features at a quarter of its resolution, with context from an eighth."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 24, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(24, width, 3, 2, 1), _norm(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1), _norm(width), nn.ReLU(),
        )  # fmt: skip
        self.context = nn.Sequential(
            nn.Conv2d(width, width, 3, 2, 1), _norm(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 2, dilation=2), _norm(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 4, dilation=4), _norm(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1), _norm(width), nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="bilinear"),
        )  # fmt: skip
        self.join = nn.Sequential(nn.Conv2d(2 * width, width, 1), _norm(width), nn.ReLU())

    def forward(self, image: Tensor) -> Tensor:
        """Return features of shape (B, width, H / 4, W / 4); H and W are multiples of 8."""
        return self.finish(self.stem(image))

    def finish(self, near: Tensor) -> Tensor:
        """Return the features that follow from the stem's, of the same size."""
        return self.join(torch.cat([near, self.context(near)], 1))


class TokenHeads(nn.Module):
    """Features to what each token shows."""

    def __init__(self, width: int, grid: tuple[int, int], colours: int, nouns: int) -> None:
        super().__init__()
        self.colour = nn.Conv1d(width, colours, 1)
        self.noun = nn.Conv1d(width, nouns, 1)
        # The places of the tokens are learned: with a camera that stands still they come to hold
        # the point on the table that a token sees. The whole picture tells where that is not so.
        self.places = nn.Parameter(torch.zeros(1, width, grid[0] * grid[1]))
        rows, columns = (torch.linspace(-1, 1, size) for size in grid)
        mesh = torch.stack(torch.meshgrid(rows, columns, indexing="ij")).reshape(1, 2, -1)
        self.register_buffer("mesh", mesh, persistent=False)
        self.whole = nn.Sequential(nn.Linear(width + 4, width), nn.GELU(), nn.Linear(width, width))
        self.point = nn.Sequential(
            nn.Conv1d(width + 2, 96, 1), nn.GELU(), nn.Conv1d(96, 64, 1), nn.GELU(),
            nn.Conv1d(64, 3, 1),
        )  # fmt: skip

    mesh: Tensor

    def forward(
        self, features: Tensor, tool: Tensor, opening: Tensor, chosen: Tensor | None = None
    ) -> Tokens:
        """Read features of shape (B, width, H / 4, W / 4).

        Args:
            features: From the tower.
            tool: Where the tool is: what is in the hand, one camera cannot tell how far it is.
                Shape (B, 3), base frame [m].
            opening: Gripper opening, 0 closed to 1 open. Shape (B,).
            chosen: Tokens to read instead of all, for training. Shape (B, n).
        """
        flat, mesh = features.flatten(2), self.mesh.expand(len(features), -1, -1)
        places = self.places.expand(len(features), -1, -1)
        arm = [(tool - tool.new_tensor([0.5, 0.0, 0.1])) * 5, opening[:, None] * 2 - 1]
        whole = self.whole(torch.cat([flat.mean(2), *arm], 1))
        if chosen is not None:
            flat, mesh, places = (
                part.gather(2, chosen[:, None].expand(-1, part.shape[1], -1))
                for part in (flat, mesh, places)
            )
        seen = torch.cat([flat + places + whole[..., None], mesh], 1)
        middle = flat.new_tensor([0.5, 0.0, 0.03])[:, None]
        return Tokens(
            self.colour(flat).log_softmax(1),
            self.noun(flat).log_softmax(1),
            self.point(seen) * 0.2 + middle,
        )


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, width)
