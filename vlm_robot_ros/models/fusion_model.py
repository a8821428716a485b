"""The compact vision-language-action model: two towers, cross-attention, four heads.

Image tokens come from a small convolutional tower, text tokens from a small transformer. A query
made from the words attends to the image tokens (cross-attention fusion); where it looks is the
grounding heatmap, whose 3-D point, with the task and the arm's own state, is all that the action
head acts on: it cannot do anything the words did not point it to.
"""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vlm_robot_ros.models.words import MAX_WORDS, PAD


@dataclass(frozen=True)
class ModelConfig:
    """What defines the model; saved with every checkpoint."""

    vocabulary: tuple[str, ...]
    labels: tuple[str, ...]
    image_size: int = 128
    width: int = 64
    text_width: int = 96
    hidden: int = 256
    horizon: int = 8
    step_dt: float = 0.1
    camera: str = "front"
    """Name of the camera that it looks through."""
    orientation: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    """How the tool is held in all its tasks: a quaternion qx, qy, qz, qw in the base frame."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain types, for JSON."""
        return asdict(self)


class Grounding(NamedTuple):
    """What the words refer to, and what they ask."""

    heatmap: Tensor
    """Log-probability over image tokens. Shape (B, G * G)."""
    point: Tensor
    """The object's middle. Shape (B, 3), base frame [m]."""
    task: Tensor
    """Logits over the task labels. Shape (B, L)."""
    reject: Tensor
    """Logit that the words ask for nothing the arm can do. Shape (B,)."""


class FusionModel(nn.Module):
    """Words, picture and arm state in; grounding and a chunk of actions out."""

    coordinates: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.bf16 = False
        """Whether the image tower computes in bfloat16: three times as fast in CPU training."""
        self.image = ImageTower(config.width)
        self.text = TextTower(len(config.vocabulary) + 2, config.text_width)
        self.grid = config.image_size // 4
        # The places of the tokens are learned: with a fixed camera they come to hold the point on
        # the table that a pixel sees.
        self.places = nn.Parameter(torch.zeros(1, config.width, self.grid, self.grid))
        self.query = nn.Linear(config.text_width, config.width)
        self.key = nn.Conv2d(config.width, config.width, 1)
        axis = (torch.arange(self.grid) + 0.5) / self.grid * 2 - 1
        mesh = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)
        self.register_buffer("coordinates", mesh.reshape(-1, 2), persistent=False)
        self.point = nn.Sequential(
            nn.Linear(config.width + 2 + 4, 192), nn.GELU(), nn.Linear(192, 192), nn.GELU(),
            nn.Linear(192, 3),
        )  # fmt: skip
        self.task = nn.Linear(config.text_width, len(config.labels))
        self.reject = nn.Linear(config.text_width, 1)
        state = 3 * 5 + 3
        self.action = nn.Sequential(
            nn.Linear(state + len(config.labels), config.hidden), nn.GELU(),
            nn.Linear(config.hidden, config.hidden), nn.GELU(),
            nn.Linear(config.hidden, config.hidden), nn.GELU(),
            nn.Linear(config.hidden, config.horizon * 4),
        )  # fmt: skip

    def ground(self, image: Tensor, words: Tensor, tool: Tensor, opening: Tensor) -> Grounding:
        """Find what the words refer to.

        Args:
            image: Shape (B, 3, S, S), float in 0..1.
            words: Token ids. Shape (B, MAX_WORDS).
            tool: Where the tool is: what is in the hand, one camera cannot tell how far it is.
                Shape (B, 3), base frame [m].
            opening: Gripper opening, 0 closed to 1 open. Shape (B,).
        """
        text = self.text(words)
        with torch.autocast(image.device.type, torch.bfloat16, enabled=self.bf16):
            tokens = self.image(image * 2 - 1)
        tokens = tokens.float()
        keys = self.key(tokens).flatten(2)
        scores = torch.einsum("bc,bcn->bn", self.query(text), keys) * keys.shape[1] ** -0.5
        heatmap = scores.log_softmax(-1)
        attention = heatmap.exp()
        values = (tokens + self.places).flatten(2)
        attended = torch.einsum("bn,bcn->bc", attention, values)
        arm = [(tool - tool.new_tensor([0.5, 0.0, 0.1])) * 5, opening[:, None] * 2 - 1]
        seen = torch.cat([attended, attention @ self.coordinates, *arm], -1)
        point = self.point(seen) * 0.1 + seen.new_tensor([0.5, 0.0, 0.03])
        return Grounding(heatmap, point, self.task(text), self.reject(text)[:, 0])

    def act(
        self, task: Tensor, point: Tensor, tool: Tensor, opening: Tensor, start: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Plan a chunk of actions.

        Args:
            task: Probability of each task. Shape (B, L).
            point: Where the object is. Shape (B, 3), base frame [m].
            tool: Where the tool is. Shape (B, 3), base frame [m].
            opening: Gripper opening, 0 closed to 1 open. Shape (B,).
            start: Where the object was when the instruction came. Shape (B, 3), [m].

        Returns:
            Tool positions relative to the tool now, shape (B, H, 3) [m], and gripper opening
            logits, shape (B, H).
        """
        gap = point - tool
        height = tool - tool.new_tensor([0.5, 0.0, 0.1])
        # The same gap at three scales: whether to grip is a matter of millimetres.
        scales = [gap * 10, gap.clamp(-0.05, 0.05) * 40, gap.clamp(-0.02, 0.02) * 100]
        edges = (opening[:, None] - opening.new_tensor([0.25, 0.5, 0.7])) * 5
        state = [*scales, (point - start) * 10, height * 5, edges]
        flat = self.action(torch.cat([*state, task], -1))
        chunk = flat.view(-1, self.config.horizon, 4)
        steps = torch.arange(1, self.config.horizon + 1, device=chunk.device)[:, None]
        return chunk[..., :3] * 0.02 * steps, chunk[..., 3]


class ImageTower(nn.Module):
    """Picture to tokens at a quarter of its resolution, with context from an eighth."""

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
            nn.Conv2d(width, width, 3, 1, 1), _norm(width), nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="bilinear"),
        )  # fmt: skip
        self.join = nn.Sequential(nn.Conv2d(2 * width, width, 1), _norm(width), nn.ReLU())

    def forward(self, image: Tensor) -> Tensor:
        """Return tokens of shape (B, C, S / 4, S / 4)."""
        near = self.stem(image)
        return self.join(torch.cat([near, self.context(near)], 1))


class TextTower(nn.Module):
    """Word ids to one embedding: a two-layer transformer, pooled over the words."""

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=PAD)
        self.position = nn.Parameter(torch.randn(1, MAX_WORDS, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, words: Tensor) -> Tensor:
        """Return the embedding. Shape (B, text_width)."""
        empty = words == PAD
        encoded = self.layers(self.embedding(words) + self.position, src_key_padding_mask=empty)
        kept = (~empty).float()[..., None]
        return self.norm((encoded * kept).sum(1) / kept.sum(1))


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, width)
