"""The action head: from where things are and shall be to what the arm does next."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class ActionHeadInput(NamedTuple):
    """What the action head acts on."""

    skill: Tensor
    """Probability of each skill. Shape (B, K)."""
    tool: Tensor
    """Shape (B, 3), base frame [m]."""
    yaw: Tensor
    """Turn of the tool about the vertical. Shape (B,), [rad]."""
    opening: Tensor
    """Gripper opening, 0 closed to 1 open. Shape (B,)."""
    item: Tensor
    """Where the target is. Shape (B, 3), [m]."""
    goal: Tensor
    """Where it shall be. Shape (B, 3), [m]."""
    turned: Tensor
    """How far it was turned since the instruction. Shape (B,), [rad]."""


class RelativeChunk(NamedTuple):
    """A chunk of H actions."""

    tool: Tensor
    """Displacement from the tool now. Shape (B, H, 3), [m]."""
    yaw: Tensor
    """Turn from the tool's now. Shape (B, H), [rad]."""
    grip: Tensor
    """Logits that the gripper is to be open. Shape (B, H)."""


class ActionHead(nn.Module):
    """A small network; it sees no image, only what the words led to."""

    def __init__(self, skills: int, hidden: int, horizon: int) -> None:
        super().__init__()
        self.horizon = horizon
        self.layers = nn.Sequential(
            nn.Linear(2 * 9 + 3 + 4 + 6 + skills, hidden), nn.GELU(),
            nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, horizon * 5),
        )  # fmt: skip

    def forward(self, state: ActionHeadInput) -> RelativeChunk:
        """Plan what to do next."""
        tool = state.tool
        height = (tool - tool.new_tensor([0.5, 0.0, 0.1])) * 5
        edges = (state.opening[:, None] - tool.new_tensor([0.25, 0.5, 0.7, 0.9])) * 5
        turns = torch.stack([state.yaw, state.turned], 1)
        turns = torch.cat([turns, turns.clamp(-0.3, 0.3) * 5, (turns.abs() - 1.45) * 3], 1)
        gaps = [*_scales(state.item - tool), *_scales(state.goal - state.item)]
        seen = torch.cat([*gaps, height, edges, turns, state.skill], 1)
        chunk = self.layers(seen).view(-1, self.horizon, 5)
        steps = torch.arange(1, self.horizon + 1, device=chunk.device)
        moves = chunk[..., :3] * 0.02 * steps[:, None]
        return RelativeChunk(moves, chunk[..., 3] * 0.1 * steps, chunk[..., 4])


def _scales(gap: Tensor) -> list[Tensor]:
    """Return a gap at three scales: whether to grip is a matter of millimetres."""
    return [gap * 8, gap.clamp(-0.05, 0.05) * 40, gap.clamp(-0.02, 0.02) * 100]
