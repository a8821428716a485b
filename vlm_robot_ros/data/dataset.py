"""Recorded episodes of any robot, whichever format they are in."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from vlm_robot_ros import plugins

FORMATS = ("LeRobotDataset v2.0, v2.1 or v3.0", "RLDS as tensorflow_datasets writes it")


class DataError(ValueError):
    """Data that cannot be read: says which and why."""


@dataclass(frozen=True)
class Episode:
    """What was seen, felt, asked for and done at each of T frames."""

    instruction: str
    images: dict[str, np.ndarray]
    """Of each camera. Shape (T, H, W, 3), uint8 RGB."""
    state: np.ndarray
    """What the robot says of itself, as recorded. Shape (T, S), float32."""
    action: np.ndarray
    """As recorded. Shape (T, A), float32."""
    intervention: np.ndarray | None = None
    """Where a person moved the arm in place of the policy, if that is known. Shape (T,), bool."""
    success: bool | None = None
    """Whether it is marked as a success, or as a failure; None where it is not told."""


@dataclass(frozen=True)
class DatasetInfo:
    """What is the same for all episodes."""

    path: Path
    format: str
    robot: str
    """Empty where the format does not say."""
    fps: float | None
    """Frames a second; None where the format does not say."""
    cameras: tuple[str, ...]
    state_names: tuple[str, ...]
    action_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What was left out."""
    joint_unit: str = ""
    """Of joint positions: rad, deg, or empty where the format does not say."""


class EpisodeDataset(Protocol):
    """Episodes that are read when they are asked for."""

    @property
    def info(self) -> DatasetInfo:
        """What is the same for all of them."""

    def __len__(self) -> int:
        """Return how many there are."""

    def instruction(self, number: int) -> str:
        """Return what is said in an episode, without reading its images."""

    def table(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return states, shape (T, S), and actions, (T, A), of one, without its images."""

    def episode(self, number: int, cameras: Sequence[str] | None = None) -> Episode:
        """Read one, with the images of some cameras or of all.

        Raises:
            DataError: its files are missing or corrupt.
        """


class DatasetFormat(Protocol):
    """A format of datasets that an installed package adds; see `plugins.DATASET_FORMATS`."""

    def can_open(self, path: Path) -> bool:
        """Return whether a folder has this format."""

    def open(self, path: Path, split: str) -> EpisodeDataset:
        """Open a folder.

        Raises:
            DataError: its files are missing or corrupt.
        """


def open_data_folder(path: Path, split: str = "train") -> EpisodeDataset:
    """Open a folder of episodes.

    Args:
        path: A LeRobotDataset's folder, or one version's of an RLDS set.
        split: Of an RLDS set.

    Raises:
        DataError: there is none, or it is of another format.
    """
    if (path / "meta" / "info.json").is_file():
        from vlm_robot_ros.data.formats.lerobot import (
            LeRobotDataset,  # pyarrow and av are an extra
        )

        return LeRobotDataset(path)
    if (path / "features.json").is_file():
        from vlm_robot_ros.data.formats.rlds import RldsDataset  # protobuf is an extra

        return RldsDataset(path, split)
    for name in plugins.plugin_names(plugins.DATASET_FORMATS):
        dataset_format = plugins.load_plugin(plugins.DATASET_FORMATS, name)
        if dataset_format.can_open(path):
            dataset: EpisodeDataset = dataset_format.open(path, split)
            return dataset
    inside = sorted({found.parent for found in path.glob("**/features.json")})
    hint = f"; nearest: {', '.join(str(folder) for folder in inside[:3])}" if inside else ""
    formats = [*FORMATS, *plugins.plugin_names(plugins.DATASET_FORMATS)]
    raise DataError(
        f"no data in '{path}'; valid: {', '.join(formats)} (meta/info.json, features.json){hint}"
    )


def check_episode_index(number: int, count: int, path: Path) -> None:
    """Raise IndexError where there is no such episode."""
    if not 0 <= number < count:
        raise IndexError(f"'{path}' has episodes 0 to {count - 1}, not {number}")


def indexed_names(name: str, count: int) -> list[str]:
    """Return names for the values of a vector; its own where it is a single one."""
    return [name] if count == 1 else [f"{name}.{i}" for i in range(count)]


def to_float_table(
    rows: Sequence[object], what: str, path: Path, names: Sequence[str] = ()
) -> np.ndarray:
    """Return rows of numbers as one array, shape (T, N), float32.

    Args:
        rows: One a frame.
        what: Name of the column, for errors.
        path: Of the file that they are in, for errors.
        names: Of the values in a row, for errors.

    Raises:
        DataError: they are of different lengths, or not finite.
    """
    try:
        array = np.asarray(rows, np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: {what} is not a table of numbers: {error}") from error
    array = array.reshape(len(array), -1)
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        name = names[column] if column < len(names) else f"value {column}"
        raise DataError(
            f"'{path}': {what} has values that are not finite: {name} is {array[row, column]} in "
            f"frame {row}; valid are numbers. Repair the episode, or leave it out"
        )
    return array
