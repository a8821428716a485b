"""Demonstrations of any robot, as batches to learn from."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vlm_robot_ros.data.action_space import ActionSpace
from vlm_robot_ros.data.robot_data import RobotData, RobotEpisode

_KEPT = 64
"""Episodes in memory at a time."""


class Demonstrated(NamedTuple):
    """A batch of moments."""

    pixels: Tensor
    """Shape (B, cameras, H, W, 3), uint8."""
    said: Tensor
    """Which of the sentences. Shape (B,)."""
    state: Tensor
    """Shape (B, S)."""
    actions: Tensor
    """What was done from then on, as `ActionSpace.vectors`. Shape (B, H, A)."""
    true: Tensor
    """1 where the episode went on so long. Shape (B, H)."""


class Demonstrations:
    """Random moments of some episodes; large sets pass through memory in random order."""

    def __init__(
        self,
        data: RobotData,
        numbers: Sequence[int],
        space: ActionSpace,
        felt: ActionSpace | None,
        cameras: Sequence[str],
        size: tuple[int, int],
        horizon: int,
        seed: int = 0,
    ) -> None:
        """Begin with as many episodes as are kept.

        Args:
            data: Where they are.
            numbers: Which episodes.
            space: How their actions are read.
            felt: How their states are read, if they are.
            cameras: Whose pictures are wanted.
            size: Height and width that pictures are squashed to [px].
            horizon: Actions in a chunk.
            seed: Of the order and of the draws.
        """
        self._data, self._numbers, self._space = data, list(numbers), space
        self._felt, self._cameras = felt, tuple(cameras)
        self._size, self._horizon = size, horizon
        self._rng = np.random.default_rng([seed, 5])
        self.sentences = sorted({data.instruction(number) for number in self._numbers})
        self._waiting: list[int] = []
        count = min(_KEPT, len(self._numbers))
        self._kept = [self._read(self._next()) for _ in range(count)]

    def draw(self, size: int) -> Demonstrated:
        """Return `size` random moments."""
        if len(self._numbers) > len(self._kept):
            self._kept[self._rng.integers(len(self._kept))] = self._read(self._next())
        chosen = self._rng.integers(0, len(self._kept), size)
        rows = [self._moment(self._kept[number]) for number in chosen]
        return Demonstrated(*(torch.stack(part) for part in zip(*rows, strict=True)))

    def all(self) -> list[Demonstrated]:
        """Return every moment of what is kept, one batch an episode."""
        batches = []
        for episode in self._kept:
            rows = [self._moment(episode, step) for step in range(len(episode.actions))]
            batches.append(Demonstrated(*(torch.stack(p) for p in zip(*rows, strict=True))))
        return batches

    def _next(self) -> int:
        if not self._waiting:
            self._waiting = [int(n) for n in self._rng.permutation(self._numbers)]
        return self._waiting.pop()

    def _read(self, number: int) -> "_Kept":
        episode = self._data.episode(number)
        pictures = [_squashed(episode.images[name], self._size) for name in self._cameras]
        said = self.sentences.index(self._data.instruction(number))
        state, actions = (
            torch.from_numpy(part) for part in vectors_of(episode, self._space, self._felt)
        )
        return _Kept(torch.stack(pictures, 1), said, state, actions)

    def _moment(self, episode: "_Kept", step: int | None = None) -> tuple[Tensor, ...]:
        count = len(episode.actions)
        at = int(self._rng.integers(count)) if step is None else step
        steps = torch.arange(at, at + self._horizon)
        actions = episode.actions[steps.clamp(max=count - 1)]
        said = torch.tensor(episode.said)
        return episode.pictures[at], said, episode.state[at], actions, (steps < count).float()


class _Kept(NamedTuple):
    pictures: Tensor
    said: int
    state: Tensor
    actions: Tensor


def _squashed(pictures: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Return pictures of shape (T, H, W, 3), uint8, at another size."""
    tensor = torch.from_numpy(pictures)
    if tuple(tensor.shape[1:3]) == size:
        return tensor
    pixels = F.interpolate(
        tensor.permute(0, 3, 1, 2).float(), size, mode="bilinear", antialias=True,
        align_corners=False,
    )  # fmt: skip
    return pixels.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def statistics(vectors: Sequence[np.ndarray]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation of vectors, shape (T, N) each; what does not change has 1."""
    table = np.concatenate(list(vectors))
    deviation = table.std(0)
    kept = np.where(deviation < 1e-4, 1.0, deviation)
    return tuple(table.mean(0).tolist()), tuple(kept.tolist())


def vectors_of(
    episode: RobotEpisode, space: ActionSpace, felt: ActionSpace | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the states, shape (T, S), and the actions, (T, A), of an episode."""
    empty = np.zeros((len(episode.action), 0), np.float32)
    state = felt.vectors(episode.state) if felt else empty
    return state, space.vectors(episode.action)
