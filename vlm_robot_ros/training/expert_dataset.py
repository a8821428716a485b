"""States of arm and object, with what the expert would do."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vlm_robot_ros.data.sim_episode import SimEpisode
from vlm_robot_ros.models.grounded.action_head import ActionHeadInput
from vlm_robot_ros.sim.expert import ALONG, TURN, rollout
from vlm_robot_ros.tasks.scene import AREA_MAX, AREA_MIN
from vlm_robot_ros.tasks.skill import ExpertInput
from vlm_robot_ros.tasks.skills.push import PUSH_DISTANCE_M
from vlm_robot_ros.tasks.tasks import SKILL, SKILLS, goal_positions

_PUSHES = np.array([SKILL[skill].pushes for skill in SKILLS])
_HAS_TARGET = np.array([SKILL[skill].has_target for skill in SKILLS])
_TO_RECEPTACLE = np.array([SKILL[skill].reference == "receptacle" for skill in SKILLS])
_WEIGHTS = np.array([SKILL[skill].training_weight / len(SKILL[skill].names) for skill in SKILLS])


class ExpertBatch(NamedTuple):
    """What the action head sees and what it shall do; shapes as in `RelativeChunk`."""

    state: ActionHeadInput
    tool: Tensor
    yaw: Tensor
    grip: Tensor


class ExpertStateSampler:
    """Draws states around those of recorded episodes, for any task."""

    def __init__(self, episodes: list[SimEpisode], horizon: int, seed: int) -> None:
        self._tool = np.concatenate([episode.tool for episode in episodes]).astype(float)
        self._yaw = np.concatenate([episode.yaw for episode in episodes]).astype(float)
        self._opening = np.concatenate([episode.opening for episode in episodes]).astype(float)
        most = max(episode.things.shape[1] for episode in episodes)
        self._count = np.repeat(
            [sum(bool(colour) for colour, _ in e.names) for e in episodes],
            [len(e.tool) for e in episodes],
        )
        self._things = np.concatenate(
            [np.pad(e.things, ((0, 0), (0, most - e.things.shape[1]), (0, 0))) for e in episodes]
        ).astype(float)
        self._horizon = horizon
        self._rng = np.random.default_rng([seed, 3])

    def draw(self, size: int) -> ExpertBatch:
        """Return `size` random states."""
        states = self._sample_states(size)
        # What is seen is not quite what is there.
        off = self._rng.random((size, 1)) < 0.5
        states = states._replace(
            item=states.item + self._rng.normal(0.0, 0.004, (size, 3)) * off,
            goal=states.goal + self._rng.normal(0.0, 0.004, (size, 3)) * off,
        )
        moves = rollout(states, self._horizon)
        skill = np.eye(len(SKILLS))[states.skill]
        return ExpertBatch(
            ActionHeadInput(*(_float(part) for part in (skill, *states[1:]))),
            *(_float(part) for part in moves),
        )

    def _sample_states(self, size: int) -> ExpertInput:
        rng = self._rng
        # Families are equally hard to learn only if those with many phases are seen more often.
        skill = rng.choice(len(SKILLS), size, p=_WEIGHTS / _WEIGHTS.sum())
        at = rng.integers(0, len(self._tool), size)
        tool, yaw, opening = self._tool[at], self._yaw[at], self._opening[at]
        item = self._things[at, (rng.random(size) * self._count[at]).astype(int)]
        start = item + rng.normal(0.0, [0.06, 0.06, 0.0], item.shape) * (
            rng.random((size, 1)) < 0.5
        )
        start[:, 2] = rng.uniform(0.017, 0.045, size)
        # Half of the pushes are at any part of their way, and a little past its end.
        pushes = _PUSHES[skill]
        partly = pushes & (rng.random(size) < 0.5)
        way = rng.uniform(-0.02, PUSH_DISTANCE_M + 0.04, (size, 1)) * ALONG[skill]
        start[:, :2] = np.where(partly[:, None], (item - way)[:, :2], start[:, :2])
        reference = np.column_stack(
            [rng.uniform(AREA_MIN, AREA_MAX, (size, 2)), rng.uniform(0.01, 0.06, size)]
        )
        goal = goal_positions(skill, start, reference)
        jitter = rng.normal(0.0, 0.015, tool.shape) * (rng.random((size, 1)) < 0.5)
        tool = tool + jitter
        turned = np.zeros(size)

        phase = rng.random(size)
        carries = _HAS_TARGET[skill] & ~pushes
        near, close = phase < 0.2, (phase >= 0.2) & (phase < 0.45)
        held = carries & (phase >= 0.45) & (phase < 0.75)
        placed = carries & (phase >= 0.75) & (phase < 0.87)
        tool = np.where(
            near[:, None], item + rng.normal(0.0, [0.05, 0.05, 0.06], item.shape), tool
        )
        tool = np.where(
            close[:, None], item + rng.normal(0.0, [0.01, 0.01, 0.02], item.shape), tool
        )
        by = (near | close) & (rng.random(size) < 0.75)
        opening = np.where(by, rng.choice([1.0, 0.0], size), opening)
        opening = np.where(by & (opening == 0), rng.uniform(0.28, 0.78, size), opening)
        yaw = np.where(rng.random(size) < 0.5, 0.0, yaw) + rng.normal(0.0, 0.03, size)

        # Behind what is to be pushed, coming down or in the midst of it, with closed fingers.
        behind = pushes & (phase >= 0.45) & (phase < 0.85)
        gap = np.where(rng.random((size, 1)) < 0.5, 0.058, rng.uniform(0.02, 0.08, (size, 1)))
        back = item - gap * ALONG[skill] + rng.normal(0.0, 0.01, item.shape)
        back[:, 2] = rng.uniform(0.01, 0.11, size)
        tool = np.where(behind[:, None], back, tool)
        opening = np.where(pushes & (rng.random(size) < 0.75), 0.0, opening)
        flat = np.abs(ALONG[skill][:, 1]) * rng.choice([-0.5, 0.5, 0.5, 0.5], size) * np.pi
        part = np.clip(rng.uniform(-0.2, 3.0, size), 0.0, 1.0)
        roll = rng.random(size)
        yaw = np.where(pushes & (roll < 0.65), flat * part + rng.normal(0.0, 0.05, size), yaw)
        # As the task before may have left it.
        yaw = np.where(pushes & (roll > 0.85), rng.uniform(-1.65, 1.65, size), yaw)

        # In the hand, anywhere on the way from its place to its goal or right above that.
        along = np.clip(rng.uniform(-0.2, 1.2, (size, 1)), 0.0, 1.0)
        way = start * (1 - along) + goal * along + rng.normal(0.0, 0.01, item.shape)
        above = goal + rng.normal(0.0, [0.008, 0.008, 0.02], item.shape)
        spot = np.where(rng.random((size, 1)) < 0.5, way, above)
        spot[:, 2] += rng.uniform(0.0, 0.18, size) * (rng.random(size) < 0.6)
        spot[:, 2] = np.maximum(spot[:, 2], 0.015)
        item = np.where(held[:, None], spot, item)
        tool = np.where(held[:, None], spot + rng.normal(0.0, 0.004, item.shape), tool)
        opening = np.where(held, rng.uniform(0.35, 0.75, size), opening)
        # At its goal and let go of, or about to be.
        item = np.where(placed[:, None], goal + rng.normal(0.0, 0.012, item.shape), item)
        lower = placed & _TO_RECEPTACLE[skill]
        item[:, 2] = np.where(lower, goal[:, 2] - rng.uniform(0.0, 0.06, size), item[:, 2])
        over = goal + rng.normal(0.0, 0.008, item.shape)
        over[:, 2] += rng.uniform(0.0, 0.16, size) * (rng.random(size) < 0.7)
        tool = np.where(placed[:, None], over, tool)
        opening = np.where(placed, rng.uniform(0.5, 1.0, size), opening)

        turn = TURN[skill]
        part = np.clip(rng.uniform(-0.2, 1.3, size), 0.0, 1.02)
        turned = np.where(held, turn * part, np.where(placed, turn, turned))
        swung = (turn != 0) & (held | placed)
        yaw = np.where(swung, turned + rng.normal(0.0, 0.03, size), yaw)
        turned = turned + rng.normal(0.0, 0.03, size) * (turn != 0)
        # Objects are not looked at when the arm is asked for something of its own.
        arm = ~_HAS_TARGET[skill][:, None]
        tool[:, 2] = np.clip(tool[:, 2], 0.008, 0.45)
        item = np.where(arm, tool, item)
        return ExpertInput(skill, tool, yaw, np.clip(opening, 0.0, 1.0), item, goal, turned)


def _float(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
