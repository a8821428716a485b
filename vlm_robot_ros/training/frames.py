"""Recorded pictures, with what each of their tokens shows."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from vlm_robot_ros.data.episode import Episode, load_episode
from vlm_robot_ros.sim.language import COLOUR_SLOT, NOUN_SLOT
from vlm_robot_ros.sim.objects import UNNAMED_PAIRS

_TOKENS = 256


class Pictures(NamedTuple):
    """Pictures and what `n` chosen tokens of each show."""

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


class Frames:
    """All frames of some folders of episodes, in memory (130 kB a frame)."""

    def __init__(self, folders: Sequence[Path], seed: int) -> None:
        paths = [path for folder in folders for path in sorted(folder.glob("*.npz"))]
        if not paths:
            names = ", ".join(f"'{folder}'" for folder in folders)
            raise ValueError(f"no episodes (*.npz) in {names}; record some: vlm-robot collect")
        self.episodes = [load_episode(path) for path in tqdm(paths, desc="loading")]
        lengths = [len(episode.tool) for episode in self.episodes]
        self._owner = np.repeat(np.arange(len(lengths)), lengths)
        self._row = np.concatenate([np.arange(length) for length in lengths])
        self._classes = [_classes(episode) for episode in self.episodes]
        self._rng = np.random.default_rng([seed, 2])

    def __len__(self) -> int:
        return len(self._owner)

    def draw(self, size: int) -> Pictures:
        """Return `size` random frames."""
        return self.pictures(self._rng.integers(0, len(self), size))

    def frame(self, number: int) -> tuple[Episode, int]:
        """Return the episode of a frame, and which of its frames it is."""
        return self.episodes[self._owner[number]], int(self._row[number])

    def pictures(self, numbers: np.ndarray) -> Pictures:
        """Return frames by number, shape (B,), each with tokens to learn from."""
        rng, rows = self._rng, []
        for at in numbers:
            episode, row = self.frame(at)
            shown = episode.shown[row].ravel().astype(int)
            keys = rng.random(len(shown)) + (shown > 0)
            chosen = np.argpartition(-keys, _TOKENS)[:_TOKENS]
            shown = shown[chosen]
            colour, noun = self._classes[self._owner[at]]
            things = np.concatenate([np.zeros((1, 3), np.float32), episode.things[row]])
            arm = (episode.tool[row], episode.opening[row])
            rows.append((episode.image[row], *arm, chosen, colour[shown], noun[shown],
                         things[shown]))  # fmt: skip
        return Pictures(*(torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True)))


def _classes(episode: Episode) -> tuple[np.ndarray, np.ndarray]:
    """Return the colour and noun class of nothing and then of each thing. Shape (1 + N,) each."""
    colour, noun = [0], [0]
    for name, shape in episode.names.tolist():
        named = (name, shape) not in UNNAMED_PAIRS
        colour.append((COLOUR_SLOT.index(name) if name else 0) if named else -1)
        noun.append(NOUN_SLOT.index(shape) - 1 if named else -1)
    return np.array(colour), np.array(noun)
