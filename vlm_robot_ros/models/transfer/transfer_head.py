"""The action head of transfers: what `manipulation.transfer` does, as a network."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

_STEP_M, _TURN_RAD = 0.05, 0.4
"""What 1 is of the network's outputs."""


class TransferHeadInput(NamedTuple):
    """Fields of `TransferState`, as tensors."""

    tool: Tensor
    turn: Tensor
    held: Tensor
    stopped: Tensor
    item: Tensor
    goal: Tensor
    travel: Tensor
    keep: Tensor
    placed: Tensor


class TransferPlan(NamedTuple):
    """A chunk of H actions."""

    move: Tensor
    """Displacement from the tool now. Shape (B, H, 3), [m]."""
    turn: Tensor
    """From its yaw now. Shape (B, H), [rad]."""
    grip: Tensor
    """Logits that the gripper is to be open. Shape (B, H)."""


class TransferHead(nn.Module):
    """A small network; it sees no image, only where the thing is and where it shall be."""

    def __init__(self, hidden: int, horizon: int) -> None:
        super().__init__()
        self.horizon = horizon
        self.layers = nn.Sequential(
            nn.Linear(2 * 12 + 3 + 2 + 4, hidden), nn.GELU(),
            nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, horizon * 5),
        )  # fmt: skip

    def forward(self, state: TransferHeadInput) -> TransferPlan:
        """Plan what to do next."""
        up = (state.travel - state.tool[:, 2])[:, None]
        turn = state.turn[:, None]
        flags = torch.stack([state.held, state.stopped, state.keep, state.placed], 1) * 2 - 1
        seen = torch.cat(
            [*_scales(state.item - state.tool), *_scales(state.goal - state.tool),
             up * 8, up.clamp(-0.05, 0.05) * 40, (state.travel - state.goal[:, 2])[:, None] * 8,
             turn, turn.clamp(-0.2, 0.2) * 10, flags], 1,
        )  # fmt: skip
        chunk = self.layers(seen).view(-1, self.horizon, 5)
        return TransferPlan(chunk[..., :3] * _STEP_M, chunk[..., 3] * _TURN_RAD, chunk[..., 4])


def _scales(gap: Tensor) -> list[Tensor]:
    """Return a gap at three scales and how far it is aside: millimetres decide on the grip."""
    aside = gap[:, :2].norm(dim=1, keepdim=True)
    return [
        gap * 4, gap.clamp(-0.06, 0.06) * 30, gap.clamp(-0.02, 0.02) * 100,
        aside * 4, aside.clamp(max=0.06) * 30, aside.clamp(max=0.02) * 100,
    ]  # fmt: skip
