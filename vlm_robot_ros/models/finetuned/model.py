"""From images and sentences straight to actions, for robots whose data says no more.

A pretrained encoder x a fusion x heads. Unlike `VisionLanguageRobotModel` it is not taught where
things are, so it can be fitted to any recorded demonstrations.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vlm_robot_ros.models.encoders.base import Encoder, TextFeatures
from vlm_robot_ros.models.grounded.fusion import Fusion, make_fusion

_QUERIES = 4
"""How many times over the fused tokens are looked at for the heads."""
_MAX_TASKS = 100
_MAX_LABEL_WORDS = 6
"""What is read of a sentence, each a vector."""


@dataclass(frozen=True)
class ChunkPredictorConfig:
    """What defines the model; saved with every checkpoint."""

    encoder: str
    """Name of a pretrained encoder: see `encoders.load`."""
    cameras: tuple[str, ...]
    mode: int
    """`ActionMode` of the actions."""
    action_mean: tuple[float, ...]
    action_std: tuple[float, ...]
    """Of the training data. Shape (A,)."""
    state_mean: tuple[float, ...]
    state_std: tuple[float, ...]
    """Of the training data; empty where the model does not feel its state. Shape (S,)."""
    state: int | None
    """`ActionMode` of what it feels: where its joints are, or its tool's pose; or nothing."""
    sentences: tuple[str, ...]
    """All that was said in the demonstrations."""
    joints: int
    """How many joints the demonstrations' arm has, where its actions or states are of joints."""
    turns: tuple[bool, bool]
    """Whether the actions, whether the states say how the tool is turned."""
    step_dt: float
    """[s]"""
    fusion: str = "cross"
    """early, late or cross."""
    horizon: int = 8
    width: int = 192
    hidden: int = 512

    @property
    def tasks(self) -> tuple[str, ...]:
        """What the task head tells apart: the sentences, if they are not too many."""
        return self.sentences if len(self.sentences) <= _MAX_TASKS else ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain types, for JSON."""
        return asdict(self)


class ModelOutput(NamedTuple):
    """What the heads say."""

    actions: Tensor
    """Of mean 0 and deviation 1 over the training data. Shape (B, H, A)."""
    tasks: Tensor
    """Logits. Shape (B, number of tasks)."""


class ChunkPredictor(nn.Module):
    """Images, sentences and state in; a chunk of actions and a task out."""

    action_mean: Tensor
    action_std: Tensor
    state_mean: Tensor
    state_std: Tensor

    def __init__(self, config: ChunkPredictorConfig, encoder: Encoder) -> None:
        """Compose the model.

        Args:
            config: Its definition.
            encoder: The one that the configuration names.

        Raises:
            ValueError: the fusion is none for tokens.
        """
        super().__init__()
        self.config, self.encoder = config, encoder
        width = config.width
        with torch.no_grad():
            pixels = torch.zeros(1, 3, *encoder.preprocess.size, device=encoder.device)
            pixels = pixels.to(encoder.dtype)
            patches = encoder.encode_image(pixels).tokens.shape[-1]
            words = encoder.encode_text(["a"]).tokens.shape[-1]
        self.patches = nn.Sequential(nn.LayerNorm(patches), nn.Linear(patches, width))
        self.words = nn.Sequential(nn.LayerNorm(words), nn.Linear(words, width))
        self.camera = nn.Parameter(torch.randn(len(config.cameras), 1, width) * 0.02)
        self.reader = AttentionPool(width, _MAX_LABEL_WORDS)
        fusion = make_fusion(config.fusion, width, width, _MAX_LABEL_WORDS)
        if not isinstance(fusion, Fusion):
            raise ValueError(f"fusion {config.fusion!r}; valid here: early, late, cross")
        self.fusion = fusion
        fusion.heat.requires_grad_(False)  # nothing here says where things are
        fusion.nothing.requires_grad_(False)
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.mix = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.pool = AttentionPool(width, _QUERIES)
        self.state = nn.Linear(max(1, len(config.state_mean)), width)
        features = (_QUERIES + 1) * width
        self.action = nn.Sequential(
            nn.Linear(features, config.hidden), nn.GELU(),
            nn.Linear(config.hidden, config.hidden), nn.GELU(),
            nn.Linear(config.hidden, config.horizon * len(config.action_mean)),
        )  # fmt: skip
        self.task = nn.Linear(features, max(1, len(config.tasks)))
        for name in ("action_mean", "action_std", "state_mean", "state_std"):
            self.register_buffer(name, torch.tensor(getattr(config, name)), persistent=False)

    def encode_text(self, sentences: Sequence[str]) -> Tensor:
        """Read sentences; what is returned may be kept. Shape (B, 6, width)."""
        features: TextFeatures = self.encoder.encode_text(sentences)
        return self.reader(self.words(features.tokens.float()), ~features.mask)

    def forward(self, pixels: Tensor, read: Tensor, state: Tensor) -> ModelOutput:
        """Plan.

        Args:
            pixels: As the encoder's `preprocess` makes them. Shape (B, cameras, 3, H, W).
            read: What `read` returns. Shape (B, 6, width).
            state: As the robot says it, of no meaning where the model feels none. Shape (B, S).
        """
        count, cameras = pixels.shape[:2]
        if cameras != len(self.config.cameras):
            raise ValueError(f"images of {cameras} cameras; valid: {len(self.config.cameras)}")
        seen = self.encoder.encode_image(pixels.flatten(0, 1).to(self.encoder.dtype))
        tokens = self.patches(seen.tokens.float()).unflatten(0, (count, cameras)) + self.camera
        grid = seen.grid[0] * cameras, seen.grid[1]
        near = tokens.flatten(1, 2).transpose(1, 2).unflatten(2, grid)
        near = self.fusion.fuse_early(near, read).flatten(2).transpose(1, 2)
        fused = self.fusion.fuse(self.mix(near).transpose(1, 2), read).transpose(1, 2)
        felt = state.new_zeros(count, 1)
        if len(self.state_mean):
            felt = (state - self.state_mean) / self.state_std
        features = torch.cat([self.pool(fused).flatten(1), self.state(felt)], 1)
        chunk = self.action(features).view(count, self.config.horizon, -1)
        return ModelOutput(chunk, self.task(features))

    def actions(self, planned: Tensor) -> Tensor:
        """Return planned actions in the units of the data; same shape."""
        return planned * self.action_std + self.action_mean


class AttentionPool(nn.Module):
    """A few learned questions, answered by attention over tokens."""

    def __init__(self, width: int, queries: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(1, queries, width) * 0.5)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, padding: Tensor | None = None) -> Tensor:
        """Return shape (B, queries, width) of tokens, (B, n, width), where they are no padding."""
        asked = self.queries.expand(len(tokens), -1, -1)
        answered, _ = self.attention(
            asked, tokens, tokens, key_padding_mask=padding, need_weights=False
        )
        return self.norm(asked + answered)
