"""One recorded episode of the simulated arm, and its file."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image

from vlm_robot_ros.file_limits import check_archive

TABLE_CROP = (36, 16, 176, 240)
"""The part of the front camera's image that is kept: top, left, height, width [px]."""
TOKEN_PIXELS = 4
"""Side of a token [px]."""
CROP_REGION = 48
"""Side of what is looked at closely, in pixels of the whole image below [px]."""
IMAGE = 256
"""Side of the whole front camera's image, of which the crop is kept [px]."""


class EpisodeError(ValueError):
    """An episode file that cannot be used: says which and why."""


@dataclass(frozen=True)
class SimEpisode:
    """What was seen and true at each of T frames. Positions: base frame [m]."""

    image: np.ndarray
    """Front camera, the `TABLE_CROP`. Shape (T, 176, 240, 3), uint8 RGB."""
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
    surface: np.ndarray | None = None
    """Where what each token shows is, by a depth camera, NaN where that is not known.
    Shape (T, 44, 60, 3), float16."""
    close: np.ndarray | None = None
    """Cut out of images of a larger camera, in its own resolution, around some tokens.
    Shape (T, K, S, S, 3), uint8."""
    close_at: np.ndarray | None = None
    """Which tokens. Shape (T, K)."""


def crop(image: np.ndarray) -> np.ndarray:
    """Return the `TABLE_CROP` of an image, shape (H, W, ...)."""
    top, left, height, width = TABLE_CROP
    return image[top : top + height, left : left + width]


def downscale(image: np.ndarray) -> np.ndarray:
    """Return a square image at the side `IMAGE`, shape (256, 256, 3), as the policy does."""
    if len(image) == IMAGE:
        return image
    small = Image.fromarray(image).resize((IMAGE, IMAGE), Image.Resampling.BILINEAR)
    return np.asarray(small)


def sample_at_tokens(image: np.ndarray) -> np.ndarray:
    """Return what is in the middle of each token, of a square image of shape (H, H, ...)."""
    top, left, height, width = TABLE_CROP
    scale = len(image) / IMAGE
    rows, columns = (
        ((first + np.arange(0, size, TOKEN_PIXELS) + TOKEN_PIXELS // 2 + 0.5) * scale).astype(int)
        for first, size in ((top, height), (left, width))
    )
    return image[rows[:, None], columns]


def crop_around_token(image: np.ndarray, token: int) -> np.ndarray:
    """Return what is around a token, as `models.close_up.cut_out` does.

    Args:
        image: Of a larger camera. Shape (H, H, 3).
        token: Its index.

    Returns:
        Shape (96, 96, 3) of an image of 512 pixels: in its own resolution.
    """
    scale, columns = len(image) / IMAGE, TABLE_CROP[3] // TOKEN_PIXELS
    half = round(CROP_REGION / 2 * scale)
    middle = [
        int((TABLE_CROP[axis] + TOKEN_PIXELS * at + TOKEN_PIXELS // 2 + 0.5) * scale)
        for axis, at in enumerate(divmod(token, columns))
    ]
    padded = np.pad(image, ((half, half), (half, half), (0, 0)), "edge")
    return padded[middle[0] : middle[0] + 2 * half, middle[1] : middle[1] + 2 * half]


def save_episode(episode: SimEpisode, path: Path) -> None:
    """Write an episode; a file of that name is there whole or not at all."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, **{k: v for k, v in asdict(episode).items() if v is not None})
    part.replace(path)


def load_episode(path: Path) -> SimEpisode:
    """Read an episode.

    Raises:
        EpisodeError: the file is missing, corrupt or lacks an array.
    """
    try:
        check_archive(path)
        with np.load(path, allow_pickle=False) as arrays:
            needed = [field.name for field in fields(SimEpisode) if field.default is not None]
            return SimEpisode(**{name: arrays[name] for name in {*needed, *arrays.files}})
    except Exception as error:  # zipfile, zlib and numpy each raise their own
        raise EpisodeError(f"{path}: not a readable episode: {error}") from error
