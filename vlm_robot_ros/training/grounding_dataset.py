"""Recorded images, with what each of their tokens shows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from vlm_robot_ros.data.sim_episode import SimEpisode, load_episode
from vlm_robot_ros.language.task_spec import COLOUR_SLOT, NOUN_SLOT
from vlm_robot_ros.tasks.objects import UNNAMED_PAIRS

_TOKENS = 256


class GroundingBatch(NamedTuple):
    """Images and what `n` chosen tokens of each show."""

    image: Tensor
    """Shape (B, H, W, 3), uint8."""
    tool: Tensor
    opening: Tensor
    chosen: Tensor
    """Indices of tokens: all that show a thing, and others. Shape (B, n)."""
    colour: Tensor
    """Class of each, 0 for no object, -1 where it is not to be learned. Shape (B, n)."""
    noun: Tensor
    """Class of each, 0 for nothing, -1 where it is not to be learned. Shape (B, n)."""
    point: Tensor
    """The middle of what it shows. Shape (B, n, 3), base frame [m]."""
    past: Tensor | None = None
    """Images of before, the newest first. Shape (B, P, H, W, 3), uint8."""
    surface: Tensor | None = None
    """See `models.image.Beside`. Shape (B, 3, tokens)."""
    close: "CropBatch | None" = None


class CropBatch(NamedTuple):
    """What is around one token of each image, in the camera's own resolution."""

    cut: Tensor
    """Shape (B, S, S, 3), uint8."""
    at: Tensor
    """Index of the token. Shape (B,)."""
    noun: Tensor
    """Class of what it shows. Shape (B,)."""
    point: Tensor
    """The middle of that. Shape (B, 3), base frame [m]."""


class GroundingDataset:
    """All frames of some folders of episodes, in memory (130 kB a frame)."""

    def __init__(
        self,
        folders: Sequence[Path],
        seed: int,
        history: int = 0,
        depth: bool = False,
        close_up: bool = False,
    ) -> None:
        """Load them.

        Args:
            folders: Of episodes.
            seed: Of the draws.
            history: How many images of before come with each.
            depth: Whether distances do.
            close_up: Whether what was cut out of larger images does.

        Raises:
            ValueError: there are no episodes, or they lack what is wanted.
            EpisodeError: one of them cannot be read.
        """
        self._history, self._depth, self._close_up = history, depth, close_up
        found = {folder: sorted(folder.glob("*.npz")) for folder in folders}
        for folder, files in found.items():
            if not files:
                raise ValueError(
                    f"no episodes (*.npz) in '{folder}'; record some: vlm-robot collect"
                )
        paths = [path for files in found.values() for path in files]
        self.episodes = [load_episode(path) for path in tqdm(paths, desc="loading")]
        wanted = {"surface": depth, "close": close_up}
        missing = [
            name for name, asked in wanted.items()
            if asked and any(getattr(e, name) is None for e in self.episodes)
        ]  # fmt: skip
        if missing:
            raise ValueError(
                f"episodes in {', '.join(map(str, folders))} have no {missing[0]!r}; record them "
                "with a robot that has a depth camera, and a larger one: --robot panda_sim_rgbd"
            )
        lengths = [len(episode.tool) for episode in self.episodes]
        self._owner = np.repeat(np.arange(len(lengths)), lengths)
        self._row = np.concatenate([np.arange(length) for length in lengths])
        self._classes = [_classes(episode) for episode in self.episodes]
        self._rng = np.random.default_rng([seed, 2])

    def __len__(self) -> int:
        return len(self._owner)

    def draw(self, size: int) -> GroundingBatch:
        """Return `size` random frames."""
        return self.images(self._rng.integers(0, len(self), size))

    def frame(self, number: int) -> tuple[SimEpisode, int]:
        """Return the episode of a frame, and which of its frames it is."""
        return self.episodes[self._owner[number]], int(self._row[number])

    def images(self, numbers: np.ndarray) -> GroundingBatch:
        """Return frames by number, shape (B,), each with tokens to learn from."""
        rng, rows = self._rng, []
        for at in numbers:
            episode, row = self.frame(at)
            shown = episode.shown[row].ravel().astype(int)
            keys = rng.random(len(shown)) + (shown > 0)
            chosen = np.argpartition(-keys, _TOKENS)[:_TOKENS]
            colour, noun = self._classes[self._owner[at]]
            things = np.concatenate([np.zeros((1, 3), np.float32), episode.things[row]])
            kinds = shown[chosen]
            rows.append(
                {
                    "image": episode.image[row],
                    "tool": episode.tool[row],
                    "opening": episode.opening[row],
                    "chosen": chosen,
                    "colour": colour[kinds],
                    "noun": noun[kinds],
                    "point": things[kinds],
                    **self._beside(episode, row, shown, noun, things),
                }
            )
        return GroundingBatch(
            **{name: _stacked([each[name] for each in rows]) for name in rows[0]}
        )

    def _beside(
        self,
        episode: SimEpisode,
        row: int,
        shown: np.ndarray,
        noun: np.ndarray,
        things: np.ndarray,
    ) -> dict[str, Any]:
        """Return what is wanted of a frame besides its image."""
        found: dict[str, Any] = {}
        if self._history:
            before = np.maximum(row - 1 - np.arange(self._history), 0)
            found["past"] = episode.image[before]
        if self._depth:
            assert episode.surface is not None
            found["surface"] = episode.surface[row].reshape(-1, 3).T.astype(np.float32)
        if self._close_up:
            assert episode.close is not None
            assert episode.close_at is not None
            one = int(self._rng.integers(episode.close.shape[1]))
            token = int(episode.close_at[row, one])
            kind = shown[token]
            cut: Any = episode.close[row, one]
            at: Any = np.int64(token)
            found["close"] = CropBatch(cut, at, noun[kind], things[kind])
        return found


def _stacked(values: list[Any]) -> Any:
    """Return arrays as one tensor; of tuples of them, `CropBatch`, as a tuple of tensors."""
    if isinstance(values[0], CropBatch):
        return CropBatch(*(_stacked(list(part)) for part in zip(*values, strict=True)))
    return torch.from_numpy(np.stack(values))


def _classes(episode: SimEpisode) -> tuple[np.ndarray, np.ndarray]:
    """Return the colour and noun class of nothing and then of each thing. Shape (1 + N,) each."""
    colour, noun = [0], [0]
    for name, shape in episode.names.tolist():
        named = (name, shape) not in UNNAMED_PAIRS
        colour.append((COLOUR_SLOT.index(name) if name else 0) if named else -1)
        noun.append(NOUN_SLOT.index(shape) - 1 if named else -1)
    return np.array(colour), np.array(noun)
