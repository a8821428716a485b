"""Training batches: every frame may be asked for anything.

The expert needs no memory, so each recorded frame is labelled anew, each time it is drawn, for a
random instruction on a random object. The same picture is thus seen with many instructions and as
many right answers: what to do can be learned from the words only.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from vlm_robot_ros.data.episode import load_episode
from vlm_robot_ros.models.words import encode
from vlm_robot_ros.sim.expert import plan
from vlm_robot_ros.sim.language import ask, phrase, say_nothing_useful, vocabulary
from vlm_robot_ros.sim.tasks import SKILLS
from vlm_robot_ros.sim.world import SLOTS, project_front


class Batch(NamedTuple):
    """Pictures with instructions, and what they refer to and ask; shapes as in `FusionModel`."""

    image: Tensor
    """Shape (B, S, S, 3), uint8."""
    words: Tensor
    point: Tensor
    pixel: Tensor
    """Where the front camera sees the object: row, column in -1..1. Shape (B, 2)."""
    tool: Tensor
    opening: Tensor
    skill: Tensor
    useless: Tensor
    """1 where the words ask for nothing. Shape (B,)."""


class States(NamedTuple):
    """What the arm knows of itself and the object, and what to do; shapes as in `FusionModel`."""

    skill: Tensor
    tool: Tensor
    opening: Tensor
    point: Tensor
    start: Tensor
    moves: Tensor
    grips: Tensor


class Frames:
    """All frames of a folder of episodes, in memory (50 kB a frame)."""

    def __init__(self, folder: Path, horizon: int, seed: int) -> None:
        paths = sorted(folder.glob("*.npz"))
        if not paths:
            raise ValueError(f"no episodes (*.npz) in '{folder}'; record some: vlm-robot collect")
        episodes = [load_episode(path) for path in tqdm(paths, desc="loading")]
        self.image = np.concatenate([episode.image for episode in episodes])
        self._tool = np.concatenate([episode.tool for episode in episodes])
        self._opening = np.concatenate([episode.opening for episode in episodes])
        self._count = np.concatenate([[len(e.names)] * len(e.tool) for e in episodes])
        self._first = np.concatenate(
            [[at] * len(e.tool) for at, e in zip(self._starts(episodes), episodes, strict=True)]
        )
        self._owner = np.concatenate([[i] * len(e.tool) for i, e in enumerate(episodes)])
        self._names = [episode.names for episode in episodes]
        self._objects = np.zeros((len(self.image), SLOTS, 3))
        for episode, at in zip(episodes, self._starts(episodes), strict=True):
            self._objects[at : at + len(episode.tool), : len(episode.names)] = episode.objects
        self._rng = np.random.default_rng(seed)
        self._horizon = horizon
        self._vocabulary = vocabulary()
        self._index: dict[str, list[int]] = {}

    @staticmethod
    def _starts(episodes: list) -> np.ndarray:
        return np.cumsum([0, *(len(episode.tool) for episode in episodes[:-1])])

    def draw(self, size: int) -> Batch:
        """Return a random batch of `size` frames with fresh instructions."""
        rng = self._rng
        at = rng.integers(0, len(self.image), size)
        skill = rng.integers(0, len(SKILLS), size)
        target = (rng.random(size) * self._count[at]).astype(int)
        # What the hand is at is what it will be asked about, and hardest to see: often that.
        gaps = np.linalg.norm(self._objects[at] - self._tool[at][:, None], axis=-1)
        gaps[np.arange(SLOTS) >= self._count[at][:, None]] = np.inf
        target = np.where(rng.random(size) < 0.4, np.argmin(gaps, axis=1), target)
        useless = rng.random(size) < 0.12
        texts = []
        for row, frame in enumerate(at):
            if useless[row]:
                texts.append(say_nothing_useful(rng, self._vocabulary))
            else:
                colour, shape = self._names[self._owner[frame]][target[row]]
                texts.append(ask(rng, SKILLS[skill[row]], phrase(rng, colour, shape)))
        item = self._objects[at, target]
        return Batch(
            torch.from_numpy(self.image[at]),
            torch.tensor([self._encode(text) for text in texts]),
            _float(item),
            _float(project_front(item)),
            _float(self._tool[at]),
            _float(self._opening[at]),
            torch.from_numpy(skill),
            _float(useless),
        )

    def draw_states(self, size: int) -> States:
        """Return a random batch of `size` arm and object states with what the expert would do."""
        rng = self._rng
        at = rng.integers(0, len(self.image), size)
        skill = rng.integers(0, len(SKILLS), size)
        target = (rng.random(size) * self._count[at]).astype(int)
        tool, opening = self._tool[at].astype(float), self._opening[at].astype(float)
        item = self._objects[at, target]
        # The instruction came now, or at an earlier frame of the episode.
        said = np.where(rng.random(size) < 0.3, at, rng.integers(self._first[at], at + 1))
        start = self._objects[said, target]
        start = np.where(np.linalg.norm(start - item, axis=1, keepdims=True) < 0.25, start, item)
        # Also where the demonstrations did not go: anywhere near, and near this object.
        tool = tool + rng.normal(0.0, 0.015, tool.shape) * (rng.random((size, 1)) < 0.5)
        where = rng.random((size, 1))
        near = item + rng.normal(0.0, [0.05, 0.05, 0.06], tool.shape)
        close = item + rng.normal(0.0, [0.01, 0.01, 0.02], tool.shape)
        tool = np.where(where < 0.25, near, np.where(where < 0.5, close, tool))
        # The last centimetres before a grip decide, and demonstrations pass them quickly.
        by_item = (where[:, 0] < 0.5) & (rng.random(size) < 0.75)
        opening = np.where(by_item, rng.choice([1.0, 0.0], size, p=[0.5, 0.5]), opening)
        gripping = by_item & (opening == 0.0)
        opening = np.where(gripping, rng.uniform(0.28, 0.66, size), opening)
        tool[:, 2] = np.maximum(tool[:, 2], 0.008)
        # What is seen is not quite what is there.
        item = item + rng.normal(0.0, 0.005, item.shape) * (rng.random((size, 1)) < 0.5)
        moves, grips = plan(skill, tool, opening, item, start, self._horizon)
        arrays = (tool, opening, item, start, moves, grips)
        return States(torch.from_numpy(skill), *map(_float, arrays))

    def _encode(self, text: str) -> list[int]:
        if text not in self._index:
            self._index[text] = encode(text, self._vocabulary)
        return self._index[text]


def _float(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
