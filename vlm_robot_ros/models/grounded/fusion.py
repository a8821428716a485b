"""Ways for words to meet images, to be compared with slots: early, late, cross-attention.

Each takes image tokens and what the text tower has read. For grounding it tells for target and
reference how much each token is meant, with one more place for "nothing here is". The last has no
such heatmap, to show what it is worth.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FUSIONS = ("slots", "early", "late", "cross", "pooled")


class Fusion(nn.Module):
    """Image tokens and words in, tokens that know of both out; and a heatmap of them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heat = nn.Sequential(nn.Conv1d(width, width, 1), nn.ReLU(), nn.Conv1d(width, 2, 1))
        self.nothing = nn.Parameter(torch.zeros(1, 2, 1))

    def fuse_early(self, near: Tensor, read: Tensor) -> Tensor:
        """Return the image tower's first features, shape (B, width, h, w), before the rest.

        Args:
            near: The same.
            read: What the text tower has read. Shape (B, S, text_width).
        """
        return near

    def fuse(self, features: Tensor, read: Tensor) -> Tensor:
        """Return tokens that know of the words, shape (B, width, n).

        Args:
            features: The image tower's. Shape (B, width, n).
            read: What the text tower has read. Shape (B, S, text_width).
        """
        raise NotImplementedError

    def forward(self, features: Tensor, read: Tensor) -> Tensor:
        """Return logits that each token, and at last nothing, is meant. Shape (B, 2, n + 1)."""
        heat = self.heat(self.fuse(features, read))
        return torch.cat([heat, self.nothing.expand(len(heat), -1, -1)], -1)


class EarlyFusion(Fusion):
    """Words are joined to the first features: concatenated, projected, normalised."""

    def __init__(self, width: int, text_width: int, slots: int) -> None:
        super().__init__(width)
        self.words = nn.Linear(slots * text_width, width)
        self.project = nn.Conv2d(2 * width, width, 1)
        self.norm = nn.GroupNorm(8, width)

    def fuse_early(self, near: Tensor, read: Tensor) -> Tensor:
        """Return features that know of the words; shapes as in `Fusion`."""
        words = self.words(read.flatten(1))[..., None, None].expand(-1, -1, *near.shape[2:])
        return F.relu(self.norm(self.project(torch.cat([near, words], 1))))

    def fuse(self, features: Tensor, read: Tensor) -> Tensor:
        """Return the tokens as they are: they know already."""
        return features


class LateFusion(Fusion):
    """Two towers that know nothing of each other; a gate weighs one against the other."""

    def __init__(self, width: int, text_width: int, slots: int) -> None:
        super().__init__(width)
        self.words = nn.Linear(slots * text_width, width)
        self.tokens = nn.Conv1d(width, width, 1)
        self.gate = nn.Conv1d(2 * width, width, 1)

    def fuse(self, features: Tensor, read: Tensor) -> Tensor:
        """Return the weighted sums; shapes as in `Fusion`."""
        tokens = self.tokens(features)
        words = self.words(read.flatten(1))[..., None].expand_as(tokens)
        gate = self.gate(torch.cat([tokens, words], 1)).sigmoid()
        return gate * tokens + (1 - gate) * words


class CrossFusion(Fusion):
    """Words attend to image tokens and these to words, in turns (Vaswani et al., 2017)."""

    def __init__(self, width: int, text_width: int, layers: int = 2) -> None:
        super().__init__(width)
        self.words = nn.Linear(text_width, width)
        self.layers = nn.ModuleList(_CrossLayer(width) for _ in range(layers))

    def fuse(self, features: Tensor, read: Tensor) -> Tensor:
        """Return the tokens after the last layer; shapes as in `Fusion`."""
        tokens, words = features.transpose(1, 2), self.words(read)
        for layer in self.layers:
            tokens, words, _ = layer(tokens, words)
        return tokens.transpose(1, 2)

    def attention(self, features: Tensor, read: Tensor) -> Tensor:
        """Return which words each token attends to, layer by layer. Shape (layers, B, n, S).

        The mean over the heads, to be looked at; arguments as in `fuse`.
        """
        tokens, words, maps = features.transpose(1, 2), self.words(read), []
        for layer in self.layers:
            tokens, words, weights = layer(tokens, words, True)
            maps.append(weights)
        return torch.stack(maps)


class _CrossLayer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(5))
        self.look = nn.MultiheadAttention(width, 4, batch_first=True)
        self.listen = nn.MultiheadAttention(width, 4, batch_first=True)
        self.mix = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(
        self, tokens: Tensor, words: Tensor, weigh: bool = False
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        seen, read = self.norms[0](tokens), self.norms[1](words)
        words = words + self.look(read, seen, seen, need_weights=False)[0]
        read = self.norms[2](words)
        heard, weights = self.listen(self.norms[3](tokens), read, read, need_weights=weigh)
        tokens = tokens + heard
        return tokens + self.mix(self.norms[4](tokens)), words, weights


class PooledFusion(nn.Module):
    """No grounding: words scale and shift all tokens, whose mean and maximum tell the points.

    The words' part is FiLM (Perez et al., 2018).
    """

    def __init__(self, width: int, text_width: int, slots: int) -> None:
        super().__init__()
        self.film = nn.Sequential(
            nn.Linear(slots * text_width, 128), nn.GELU(), nn.Linear(128, 2 * width)
        )
        self.tokens = nn.Sequential(
            nn.Conv1d(width + 2, width, 1), nn.GELU(), nn.Conv1d(width, 2 * width, 1), nn.GELU()
        )
        self.points = nn.Sequential(nn.Linear(4 * width, 128), nn.GELU(), nn.Linear(128, 8))

    def forward(self, features: Tensor, read: Tensor, mesh: Tensor) -> tuple[Tensor, Tensor]:
        """Return points, shape (B, 2, 3) [m], and logits that the things are there, (B, 2).

        Args:
            features: Shape (B, width, n).
            read: What the text tower has read. Shape (B, S, text_width).
            mesh: Row and column of each token, -1 to 1. Shape (1, 2, n).
        """
        scale, shift = self.film(read.flatten(1))[..., None].chunk(2, 1)
        modulated = features * (1 + scale) + shift
        seen = self.tokens(torch.cat([modulated, mesh.expand(len(features), -1, -1)], 1))
        told = self.points(torch.cat([seen.mean(2), seen.amax(2)], 1)).unflatten(1, (2, 4))
        return told[..., :3] * 0.2 + told.new_tensor([0.5, 0.0, 0.03]), told[..., 3]


def make_fusion(
    kind: str, width: int, text_width: int, slots: int
) -> Fusion | PooledFusion | None:
    """Return the module of a fusion; slots need none.

    Args:
        kind: One of `FUSIONS`.
        width: Of image tokens.
        text_width: Of what the text tower has read.
        slots: How much that is.

    Raises:
        ValueError: there is no such fusion.
    """
    if kind not in FUSIONS:
        raise ValueError(f"no fusion {kind!r}; valid: {', '.join(FUSIONS)}")
    if kind == "early":
        return EarlyFusion(width, text_width, slots)
    if kind == "late":
        return LateFusion(width, text_width, slots)
    if kind == "cross":
        return CrossFusion(width, text_width)
    return PooledFusion(width, text_width, slots) if kind == "pooled" else None
