"""Demonstrations of any robot, as batches to learn from."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from vlm_robot_ros.data.action_space import ActionSpace
from vlm_robot_ros.data.dataset import EpisodeDataset
from vlm_robot_ros.models.encoders.preprocess import resize_stretched

_MAX_KEPT_EPISODES = 64
"""Episodes in memory at a time."""


class ChunkBatch(NamedTuple):
    """A batch of moments."""

    pixels: Tensor
    """Shape (B, cameras, H, W, 3), uint8."""
    instructions: Tensor
    """Which of the sentences. Shape (B,)."""
    state: Tensor
    """Shape (B, S)."""
    actions: Tensor
    """What was done from then on, as `ActionSpace.vectors`. Shape (B, H, A)."""
    is_valid: Tensor
    """1 where the episode went on so long. Shape (B, H)."""


class ChunkDataset:
    """Random moments of some episodes; large sets pass through memory in random order."""

    def __init__(
        self,
        data: EpisodeDataset,
        numbers: Sequence[int],
        space: ActionSpace,
        felt: ActionSpace | None,
        cameras: Sequence[str],
        size: tuple[int, int],
        horizon: int,
        seed: int = 0,
        weights: Mapping[int, float] | None = None,
        intervention_weight: float = 1.0,
    ) -> None:
        """Begin with as many episodes as are kept.

        Args:
            data: Where they are.
            numbers: Which episodes.
            space: How their actions are read.
            felt: How their states are read, if they are.
            cameras: Whose images are wanted.
            size: Height and width that images are squashed to [px].
            horizon: Actions in a chunk.
            seed: Of the order and of the draws.
            weights: How often moments of some episodes are drawn, where those of others are once.
            intervention_weight: How often moments in which a person moved the arm are drawn, where
                others of the episode are once.
        """
        self._data, self._numbers, self._space = data, list(numbers), space
        self._felt, self._cameras = felt, tuple(cameras)
        self._size, self._horizon = size, horizon
        self._rng = np.random.default_rng([seed, 5])
        said = [data.instruction(number) for number in tqdm(self._numbers, "sentences")]
        self.sentences = sorted(set(said))
        self._weights, self._intervention_weight = weights or {}, intervention_weight
        self._waiting: list[int] = []
        count = min(_MAX_KEPT_EPISODES, len(self._numbers))
        self._kept = [self._read(self._next()) for _ in tqdm(range(count), "episodes")]

    def draw(self, size: int) -> ChunkBatch:
        """Return `size` random moments; of large sets another episode comes into memory."""
        if len(self._numbers) > len(self._kept):
            self._kept[self._rng.integers(len(self._kept))] = self._read(self._next())
        weights = np.array([episode.weight for episode in self._kept])
        chosen = self._rng.choice(len(self._kept), size, p=weights / weights.sum())
        rows = [self._moment(self._kept[number]) for number in chosen]
        return ChunkBatch(*(torch.stack(part) for part in zip(*rows, strict=True)))

    def sample_moments(self, most: int, size: int) -> Iterator[ChunkBatch]:
        """Return moments of what is in memory, `size` at a time: all, or evenly spread ones."""
        every = [(e, step) for e in self._kept for step in range(len(e.actions))]
        chosen = np.linspace(0, len(every) - 1, min(most, len(every))).round().astype(int)
        rows = [self._moment(*every[number]) for number in chosen]
        for first in range(0, len(rows), size):
            parts = zip(*rows[first : first + size], strict=True)
            yield ChunkBatch(*(torch.stack(part) for part in parts))

    def _next(self) -> int:
        if not self._waiting:
            self._waiting = [int(n) for n in self._rng.permutation(self._numbers)]
        return self._waiting.pop()

    def _read(self, number: int) -> "_KeptEpisode":
        episode = self._data.episode(number, self._cameras)
        images = [
            resize_stretched(torch.from_numpy(episode.images[name]), self._size)
            for name in self._cameras
        ]
        said = self.sentences.index(self._data.instruction(number))
        both = action_vectors(episode.state, episode.action, self._space, self._felt)
        state, actions = (torch.from_numpy(part) for part in both)
        weight = self._weights.get(number, 1.0)
        probabilities = None
        if episode.intervention is not None and episode.intervention.any():
            probabilities = np.where(episode.intervention, self._intervention_weight, 1.0)
            probabilities = probabilities / probabilities.sum()
        return _KeptEpisode(torch.stack(images, 1), said, state, actions, weight, probabilities)

    def _moment(self, episode: "_KeptEpisode", step: int | None = None) -> tuple[Tensor, ...]:
        count = len(episode.actions)
        if step is None:
            rng, likely = self._rng, episode.probabilities
            step = int(rng.integers(count) if likely is None else rng.choice(count, p=likely))
        steps = torch.arange(step, step + self._horizon)
        actions = episode.actions[steps.clamp(max=count - 1)]
        said = torch.tensor(episode.said)
        return episode.images[step], said, episode.state[step], actions, (steps < count).float()


class _KeptEpisode(NamedTuple):
    images: Tensor
    said: int
    state: Tensor
    actions: Tensor
    weight: float
    probabilities: np.ndarray | None
    """How likely each moment is drawn, where they differ. Shape (T,)."""


def statistics(
    vectors: Sequence[np.ndarray], constant: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation of vectors, shape (T, N) each.

    Args:
        vectors: Of some episodes.
        constant: Deviation of what does not change.
    """
    table = np.concatenate(list(vectors))
    deviation = table.std(0)
    kept = np.where(deviation < 1e-4, constant, deviation)
    return tuple(table.mean(0).tolist()), tuple(kept.tolist())


def action_vectors(
    state: np.ndarray, action: np.ndarray, space: ActionSpace, felt: ActionSpace | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return an episode's states, shape (T, S), and actions, (T, A), as a model learns them."""
    empty = np.zeros((len(action), 0), np.float32)
    return (felt.vectors(state) if felt else empty), space.vectors(action)
