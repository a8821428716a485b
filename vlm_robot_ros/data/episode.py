"""One recorded episode of the simulated arm, and its file."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

CROP = (36, 16, 176, 240)
"""The part of the front camera's picture that is kept: top, left, height, width [px]."""
TOKEN = 4
"""Side of a token [px]."""


class EpisodeError(ValueError):
    """An episode file that cannot be used: says which and why."""


@dataclass(frozen=True)
class Episode:
    """What was seen and true at each of T frames. Positions: base frame [m]."""

    image: np.ndarray
    """Front camera, the `CROP`. Shape (T, 176, 240, 3), uint8 RGB."""
    shown: np.ndarray
    """What each token shows: 0, or 1 + the index of a thing. Shape (T, 44, 60), uint8."""
    tool: np.ndarray
    """Tool positions. Shape (T, 3)."""
    yaw: np.ndarray
    """Tool turns about the vertical. Shape (T,), [rad]."""
    opening: np.ndarray
    """Gripper openings, 0 closed to 1 open. Shape (T,)."""
    things: np.ndarray
    """True positions of all things, receptacles last. Shape (T, N, 3)."""
    names: np.ndarray
    """Colour and shape of each thing. Shape (N, 2), text."""


def crop(image: np.ndarray) -> np.ndarray:
    """Return the `CROP` of a picture, shape (H, W, ...)."""
    top, left, height, width = CROP
    return image[top : top + height, left : left + width]


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
