"""Images to tokens, each of which knows what it shows and where the middle of that is."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class TokenPredictions(NamedTuple):
    """What each of n image tokens shows."""

    colour: Tensor
    """Log-probabilities; the first class is "no object". Shape (B, C, n)."""
    noun: Tensor
    """Log-probabilities; the first class is "nothing". Shape (B, N, n)."""
    point: Tensor
    """The middle of what is shown. Shape (B, 3, n), base frame [m]."""


class AuxiliaryInputs(NamedTuple):
    """What is seen besides an image, by models that have a use for it."""

    past: Tensor | None = None
    """Images of before, the newest first. Shape (B, P, 3, H, W), float in 0..1."""
    surface: Tensor | None = None
    """What a depth camera measures at each token, NaN where it does not.
    Shape (B, 3, n), base frame [m]."""
    whole: Tensor | None = None
    """The whole image in the camera's own resolution. Shape (B, 3, H', W'), float in 0..1."""


class ImageTower(nn.Module):
    """Image to features at a quarter of its resolution, with context from an eighth."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 24, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(24, width, 3, 2, 1), _normalize(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1), _normalize(width), nn.ReLU(),
        )  # fmt: skip
        self.context = nn.Sequential(
            nn.Conv2d(width, width, 3, 2, 1), _normalize(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 2, dilation=2), _normalize(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 4, dilation=4), _normalize(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1), _normalize(width), nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="bilinear"),
        )  # fmt: skip
        self.join = nn.Sequential(nn.Conv2d(2 * width, width, 1), _normalize(width), nn.ReLU())

    def forward(self, image: Tensor) -> Tensor:
        """Return features of shape (B, width, H / 4, W / 4); H and W are multiples of 8."""
        return self.finish(self.stem(image))

    def finish(self, near: Tensor) -> Tensor:
        """Return the features that follow from the stem's, of the same size."""
        return self.join(torch.cat([near, self.context(near)], 1))


class ColourTower(nn.Module):
    """Image to the colour of each token: it sees too little around a token to know its shape."""

    def __init__(self, colours: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 24, 4, 2, 1), nn.ReLU(), nn.Conv2d(24, 48, 2, 2), nn.ReLU(),
            nn.Conv2d(48, 48, 1), nn.ReLU(), nn.Conv2d(48, colours, 1),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        """Return logits of shape (B, colours, n); the first class is "no object"."""
        return self.layers(image).flatten(2)


class TokenHeads(nn.Module):
    """Features to what each token shows, and where the middle of that is."""

    mesh: Tensor
    table: Tensor

    def __init__(self, width: int, nouns: int, table: Tensor, depth: bool = False) -> None:
        """Make the heads of a grid of tokens.

        Args:
            width: Of the features.
            nouns: Classes of what can be shown.
            table: Where the tokens' lines of sight meet the table. Shape (2, rows, columns), [m].
            depth: Whether to begin from what a depth camera measures, not from the table.
        """
        super().__init__()
        self.noun = nn.Conv1d(width, nouns, 1)
        rows, columns = (torch.linspace(-1, 1, size) for size in table.shape[1:])
        mesh = torch.stack(torch.meshgrid(rows, columns, indexing="ij")).reshape(1, 2, -1)
        self.register_buffer("mesh", mesh, persistent=False)
        self.register_buffer("table", table.clamp(-1, 2).reshape(1, 2, -1), persistent=False)
        self.depth = depth
        # What a line of sight meets is known but for what learns here: cameras are bumped.
        self.places = nn.Parameter(torch.zeros(1, width, self.mesh.shape[-1]))
        self.whole = nn.Sequential(nn.Linear(width + 4, width), nn.GELU(), nn.Linear(width, width))
        self.point = nn.Sequential(
            nn.Conv1d(width + 4 + 2 * depth, 96, 1), nn.GELU(), nn.Conv1d(96, 64, 1), nn.GELU(),
            nn.Conv1d(64, 3, 1),
        )  # fmt: skip

    def forward(
        self,
        features: Tensor,
        tool: Tensor,
        opening: Tensor,
        chosen: Tensor | None = None,
        surface: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Read features of shape (B, width, H / 4, W / 4).

        Args:
            features: From the tower.
            tool: Where the tool is: what is in the hand, one camera cannot tell how far it is.
                Shape (B, 3), base frame [m].
            opening: Gripper opening, 0 closed to 1 open. Shape (B,).
            chosen: Tokens to read instead of all, for training. Shape (B, n).
            surface: Of all tokens, where there is a depth camera: see `AuxiliaryInputs`.

        Returns:
            Logits of what is shown, shape (B, nouns, n), and points, shape (B, 3, n) [m].
        """
        flat = features.flatten(2)
        places, known = self.points_of(surface, len(flat))
        fixed = torch.cat([self.mesh, self.places], 1).expand(len(flat), -1, -1)
        arm = [(tool - tool.new_tensor([0.5, 0.0, 0.1])) * 5, opening[:, None] * 2 - 1]
        whole = self.whole(torch.cat([flat.mean(2), *arm], 1))
        if chosen is not None:
            flat, fixed, places, known = (
                part.gather(2, chosen[:, None].expand(-1, part.shape[1], -1))
                for part in (flat, fixed, places, known)
            )
        mesh, learned = fixed.split([2, flat.shape[1]], 1)
        around = (places - places.new_tensor([0.5, 0.0, 0.0])[:, None]) * 4
        measured = [around, known] if self.depth else [around[:, :2]]
        seen = self.point(torch.cat([flat + learned + whole[..., None], mesh, *measured], 1))
        if self.depth:
            return self.noun(flat), places + seen * 0.05
        height = seen[:, 2:] * 0.05 + 0.03
        return self.noun(flat), torch.cat([places[:, :2] + seen[:, :2] * 0.05, height], 1)

    def points_of(self, surface: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
        """Return where each token's line of sight ends, and whether that was measured.

        Where it was not, it is where the line meets the table.

        Args:
            surface: See `AuxiliaryInputs`.
            count: Images, B.

        Returns:
            Shape (B, 3, n) [m], and shape (B, 1, n), 0 or 1.
        """
        table = torch.cat([self.table, torch.zeros_like(self.table[:, :1])], 1)
        table = table.expand(count, -1, -1)
        if not self.depth or surface is None:
            return table, torch.zeros_like(table[:, :1])
        # What lies farther off than the table may say nothing of the things on it.
        known = (surface.isfinite() & (surface.abs() < 2)).all(1, keepdim=True)
        return torch.where(known, surface, table), known.to(table)


def stem_features(
    stem: Callable[[Tensor], Tensor], recall: nn.Module | None, image: Tensor, past: Tensor | None
) -> Tensor:
    """Return a tower's first features of images in -1..1, and of those of before.

    Args:
        stem: The tower's.
        recall: What joins them; None where there is no before.
        image: Shape (B, 3, H, W).
        past: The newest first. Shape (B, P, 3, H, W).

    Returns:
        Shape (B, width, H / 4, W / 4).
    """
    near = stem(image)
    if recall is None:
        return near
    assert past is not None
    before = stem(past.flatten(0, 1)).unflatten(0, past.shape[:2]).flatten(1, 2)
    return recall(torch.cat([near, before], 1))


def _normalize(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, width)
