"""One recorded episode of the simulated arm, and its file."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np


class EpisodeError(ValueError):
    """An episode file that cannot be used: says which and why."""


@dataclass(frozen=True)
class Episode:
    """What was seen and true at each of T frames, `STEP_DT` apart. Positions: base frame [m]."""

    image: np.ndarray
    """Front camera. Shape (T, 128, 128, 3), uint8 RGB."""
    tool: np.ndarray
    """Tool positions. Shape (T, 3)."""
    opening: np.ndarray
    """Gripper openings, 0 closed to 1 open. Shape (T,)."""
    objects: np.ndarray
    """True object positions. Shape (T, N, 3)."""
    names: np.ndarray
    """Colour and shape of each object. Shape (N, 2), text."""


def save_episode(episode: Episode, path: Path) -> None:
    """Write an episode; a file of that name is there whole or not at all."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, **asdict(episode))
    part.replace(path)


def load_episode(path: Path) -> Episode:
    """Read an episode.

    Raises:
        EpisodeError: the file is missing, corrupt or lacks an array.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Episode(**{name: arrays[name] for name in Episode.__dataclass_fields__})
    except Exception as error:  # zipfile, zlib and numpy each raise their own
        raise EpisodeError(f"{path}: not a readable episode: {error}") from error
