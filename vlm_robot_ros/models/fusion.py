"""Other ways for words to meet pictures, to be compared with slots: early, late, cross-attention.

Each takes a picture's features and what the text tower has read, and tells for target and
reference how much each token is meant, with one more place for "nothing here is". The last has
no such heatmap, to show what it is worth.
"""

import torch
from torch import Tensor, nn

FUSIONS = ("slots", "early", "late", "cross", "pooled")


class LateFusion(nn.Module):
    """Two towers that meet in a product, as in CLIP (Radford et al., 2021)."""

    def __init__(self, width: int, text_width: int) -> None:
        super().__init__()
        self.query = nn.Sequential(
            nn.Linear(6 * text_width, 128), nn.GELU(), nn.Linear(128, 2 * width)
        )
        self.key = nn.Conv1d(width, width, 1)
        self.nothing = nn.Parameter(torch.zeros(1, 2, 1))

    def forward(self, features: Tensor, read: Tensor) -> Tensor:
        """Return logits of shape (B, 2, n + 1).

        Args:
            features: Shape (B, width, n).
            read: The text tower's slots. Shape (B, 6, text_width).
        """
        query = self.query(read.flatten(1)).unflatten(1, (2, -1))
        heat = query @ self.key(features) * features.shape[1] ** -0.5
        return torch.cat([heat, self.nothing.expand(len(heat), -1, -1)], -1)


class CrossFusion(nn.Module):
    """Image tokens attend to what was read, layer by layer (Vaswani et al., 2017)."""

    def __init__(self, width: int, text_width: int) -> None:
        super().__init__()
        self.words = nn.Linear(text_width, width)
        self.layers = nn.ModuleList(_CrossLayer(width) for _ in range(2))
        self.heat = nn.Linear(width, 2)
        self.nothing = nn.Parameter(torch.zeros(1, 2, 1))

    def forward(self, features: Tensor, read: Tensor) -> Tensor:
        """Return logits; shapes as in `LateFusion`."""
        tokens, words = features.transpose(1, 2), self.words(read)
        for layer in self.layers:
            tokens = layer(tokens, words)
        heat = self.heat(tokens).transpose(1, 2)
        return torch.cat([heat, self.nothing.expand(len(heat), -1, -1)], -1)


class _CrossLayer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.mix = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor, words: Tensor) -> Tensor:
        read, _ = self.attention(self.before(tokens), words, words)
        tokens = tokens + read
        return tokens + self.mix(self.after(tokens))


class EarlyFusion(nn.Module):
    """Words scale and shift the first features (FiLM; Perez et al., 2018), then all is one."""

    def __init__(self, width: int, text_width: int) -> None:
        super().__init__()
        self.film = nn.Sequential(
            nn.Linear(6 * text_width, 128), nn.GELU(), nn.Linear(128, 2 * width)
        )
        self.heat = nn.Conv1d(width, 2, 1)
        self.nothing = nn.Parameter(torch.zeros(1, 2, 1))

    def modulate(self, near: Tensor, read: Tensor) -> Tensor:
        """Scale and shift features of shape (B, width, h, w)."""
        scale, shift = self.film(read.flatten(1))[..., None, None].chunk(2, 1)
        return near * (1 + scale) + shift

    def forward(self, features: Tensor, read: Tensor) -> Tensor:
        """Return logits; shapes as in `LateFusion`."""
        heat = self.heat(features)
        return torch.cat([heat, self.nothing.expand(len(heat), -1, -1)], -1)


class PooledFusion(nn.Module):
    """No grounding: words scale and shift all tokens, whose mean and maximum tell the points."""

    def __init__(self, width: int, text_width: int) -> None:
        super().__init__()
        self.film = nn.Sequential(
            nn.Linear(6 * text_width, 128), nn.GELU(), nn.Linear(128, 2 * width)
        )
        self.tokens = nn.Sequential(
            nn.Conv1d(width + 2, width, 1), nn.GELU(), nn.Conv1d(width, 2 * width, 1), nn.GELU()
        )
        self.points = nn.Sequential(nn.Linear(4 * width, 128), nn.GELU(), nn.Linear(128, 8))

    def forward(self, features: Tensor, read: Tensor, mesh: Tensor) -> tuple[Tensor, Tensor]:
        """Return points, shape (B, 2, 3) [m], and logits that the things are there, (B, 2).

        Args:
            features: Shape (B, width, n).
            read: The text tower's slots. Shape (B, 6, text_width).
            mesh: Row and column of each token, -1 to 1. Shape (1, 2, n).
        """
        scale, shift = self.film(read.flatten(1))[..., None].chunk(2, 1)
        modulated = features * (1 + scale) + shift
        seen = self.tokens(torch.cat([modulated, mesh.expand(len(features), -1, -1)], 1))
        told = self.points(torch.cat([seen.mean(2), seen.amax(2)], 1)).unflatten(1, (2, 4))
        return told[..., :3] * 0.2 + told.new_tensor([0.5, 0.0, 0.03]), told[..., 3]


def make_fusion(kind: str, width: int, text_width: int) -> nn.Module | None:
    """Return the module of a fusion; slots need none.

    Raises:
        ValueError: there is no such fusion.
    """
    if kind not in FUSIONS:
        raise ValueError(f"no fusion {kind!r}; valid: {', '.join(FUSIONS)}")
    kinds = {
        "early": EarlyFusion,
        "late": LateFusion,
        "cross": CrossFusion,
        "pooled": PooledFusion,
    }
    return kinds[kind](width, text_width) if kind in kinds else None
