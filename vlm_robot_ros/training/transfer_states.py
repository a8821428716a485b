"""States of arm and thing, with what the expert of transfers would do."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vlm_robot_ros.manipulation.transfer import TransferState, rollout
from vlm_robot_ros.models.transfer.transfer_head import TransferHeadInput, TransferPlan

_PUSHED = 0.15
"""Part of the things that are pushed."""


class TransferBatch(NamedTuple):
    """What the action head sees and what it shall do."""

    state: TransferHeadInput
    plan: TransferPlan
    """With openings instead of logits."""


class TransferStateSampler:
    """Draws states of any transfer: things of any height, anywhere around the arm."""

    def __init__(self, horizon: int, seed: int) -> None:
        self._horizon, self._rng = horizon, np.random.default_rng([seed, 7])

    def draw(self, size: int) -> TransferBatch:
        """Return `size` random states, with `horizon` steps of the expert each."""
        state = self._states(size)
        plan = rollout(state, self._horizon)
        return TransferBatch(
            TransferHeadInput(*map(_float, state)), TransferPlan(*map(_float, plan))
        )

    def _states(self, size: int) -> TransferState:
        rng = self._rng
        item = rng.uniform([-0.3, -0.4, 0.0], [0.3, 0.4, 0.35], (size, 3))
        goal = rng.uniform([-0.3, -0.4, 0.0], [0.3, 0.4, 0.35], (size, 3))
        held, placed, keep, stopped = (rng.random(size) < part for part in (0.5, 0.15, 0.2, 0.25))
        placed &= ~held
        lift = item + np.array([0.0, 0.0, 0.16])
        goal = np.where(keep[:, None], lift, goal)
        highest = np.maximum(item[:, 2], goal[:, 2])
        travel = highest + rng.uniform(0.02, 0.24, size)
        # Some are pushed: as low as they stand.
        pushed = ~keep & (rng.random(size) < _PUSHED)
        far = rng.uniform([-0.2, -0.2, 0.0], [0.2, 0.2, 0.0], (size, 3))
        goal = np.where(pushed[:, None], item + far, goal)
        highest = np.where(pushed, item[:, 2], highest)
        travel = np.where(pushed, item[:, 2], travel)
        aim = np.where(held[:, None], goal, item)
        # Anywhere; on the way; above where it goes; all but there.
        tool = rng.uniform([-0.4, -0.5, 0.0], [0.4, 0.5, 0.6], (size, 3))
        part = rng.random((size, 1))
        way = item * (1 - part) + goal * part
        way[:, 2] = highest + np.where(
            pushed & held, rng.normal(0.0, 0.01, size), rng.normal(0.1, 0.08, size)
        )
        above = aim + rng.normal(0.0, 0.03, (size, 3))
        above[:, 2] = aim[:, 2] + rng.uniform(-0.01, 0.26, size)
        spread = rng.choice([0.004, 0.01, 0.03], (size, 1))
        there = aim + rng.normal(0.0, 1.0, (size, 3)) * spread
        off = np.where(placed[:, None], goal, there) + rng.normal(0.0, 0.005, (size, 3))
        off[:, 2] += placed * rng.uniform(0.0, 0.15, size)
        roll = rng.random(size)[:, None]
        tool = np.where(
            roll < 0.15, tool, np.where(roll < 0.3, way, np.where(roll < 0.6, above, off))
        )
        turn = np.where(
            rng.random(size) < 0.5, rng.normal(0.0, 0.05, size), rng.uniform(-1.6, 1.6, size)
        )
        flags = (part.astype(float) for part in (held, stopped, keep, placed))
        held_, stopped_, keep_, placed_ = flags
        return TransferState(tool, turn, held_, stopped_, item, goal, travel, keep_, placed_)


def _float(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
