"""LeRobotDataset, versions 2.0, 2.1 and 3.0: parquet tables, and images in them or in videos."""

import io
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vlm_robot_ros.data.dataset import (
    DataError,
    DatasetInfo,
    Episode,
    check_episode_index,
    to_float_table,
)
from vlm_robot_ros.data.dataset_paths import file_below, fill_template
from vlm_robot_ros.data.formats.lerobot_files import dataset_file, dataset_files, read_table
from vlm_robot_ros.data.formats.lerobot_info import (
    INTERVENTION,
    action_key,
    fps_of,
    joint_unit_of,
    names_of,
    read_lines,
    read_object,
    state_key,
    version_of,
)
from vlm_robot_ros.file_limits import FileLimitError, UnpackedSize, check_image, read_bytes

try:
    from vlm_robot_ros.data.formats.parquet_rows import column_names
    from vlm_robot_ros.data.formats.video_frames import frames_at
except ImportError as error:
    raise DataError(
        f"LeRobotDataset needs pyarrow and av ({error}): pip install 'vlm_robot_ros[data]'"
    ) from error

_COLOUR_MODES = ("RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "YCbCr")
"""Pillow's, of images that become RGB without loss of range."""
_ABSOLUTE = 1e5
"""Timestamps above this are times of day rather than times in an episode [s]."""


class LeRobotDataset:
    """One dataset's folder."""

    def __init__(self, path: Path) -> None:
        """Read what is in `meta`.

        Raises:
            DataError: it is corrupt or of another version.
        """
        self._path = path
        self._meta = read_object(path, "meta/info.json")
        version = version_of(self._meta, path)
        self._packed = version == "v3.0"
        self._said: dict[int, str] = {}
        self._shortened: set[int] = set()
        self._fps = fps_of(self._meta, path)
        try:
            features = self._meta["features"]
            self._cameras = {
                name: feature["dtype"] == "video"
                for name, feature in features.items()
                if feature["dtype"] in ("image", "video")
            }
            self._state, self._action = state_key(features), action_key(features, path)
            self._has_interventions = INTERVENTION in features
            used = (self._state, self._action, *self._cameras)
            left_out = [
                name
                for name in features
                if name.startswith(("observation", "action", "state")) and name not in used
            ]
            states, state_problem = names_of(features, self._state)
            actions, action_problem = names_of(features, self._action)
            problems = [each for each in (action_problem, state_problem) if each]
            self._info = DatasetInfo(
                path,
                f"LeRobotDataset {version}",
                self._meta.get("robot_type") or "",
                self._fps,
                tuple(self._cameras),
                states,
                actions,
                (*(f"{name} is left out" for name in left_out), *problems),
                joint_unit_of(self._meta),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"'{path / 'meta' / 'info.json'}' is incomplete: {error}") from error

    @property
    def info(self) -> DatasetInfo:
        """What is the same for all episodes, and what was left out of those that were read."""
        if not self._shortened:
            return self._info
        note = (
            f"{len(self._shortened)} of the episodes that were read change their instruction; "
            "the frames after the change are left out"
        )
        return replace(self._info, notes=(*self._info.notes, note))

    @cached_property
    def _episodes(self) -> list[dict[str, Any]]:
        if not self._packed:
            return read_lines(self._path, "meta/episodes.jsonl")
        rows: list[dict[str, Any]] = []
        files = dataset_files(self._path, "meta/episodes/*/*.parquet")
        if not files:
            raise DataError(f"no episodes in '{self._path / 'meta' / 'episodes'}'")
        for file in files:
            columns = [n for n in column_names(file) if not n.startswith("stats/")]
            rows += read_table(file, columns)
        return sorted(rows, key=lambda row: row["episode_index"])

    def __len__(self) -> int:
        return len(self._episodes)

    @cached_property
    def _tasks(self) -> dict[int, str]:
        """The instructions, by the index that frames have for them."""
        if (self._path / "meta" / "tasks.jsonl").is_file():
            return _by_index(read_lines(self._path, "meta/tasks.jsonl"))
        if (self._path / "meta" / "tasks.parquet").is_file():
            return _by_index(read_table(dataset_file(self._path, "meta/tasks.parquet")))
        return {}

    def instruction(self, number: int) -> str:
        """Return what is said in an episode; what is said first where it changes.

        Where `meta` does not say it for the episode, the frames' task index does.
        """
        check_episode_index(number, len(self), self._path)
        tasks = self._episodes[number].get("tasks") or []
        tasks = [tasks] if isinstance(tasks, str) else tasks
        if len(tasks) == 1:
            return str(tasks[0])
        if number not in self._said:
            rows, _ = self._rows(number, [])
            index = rows[0].get("task_index")
            said = self._tasks.get(int(index)) if index is not None else None
            self._said[number] = str(next(iter(tasks), "")) if said is None else said
        return self._said[number]

    def table(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return states and actions of one."""
        return self._vectors(*self._rows(number, []))

    def episode(self, number: int, cameras: Sequence[str] | None = None) -> Episode:
        """Read one."""
        wanted = {n: v for n, v in self._cameras.items() if cameras is None or n in cameras}
        rows, file = self._rows(number, [name for name, video in wanted.items() if not video])
        size = UnpackedSize(f"'{self._path}': episode {number}")
        try:
            times = [float(row["timestamp"]) for row in rows]
            if times and times[0] > _ABSOLUTE:
                times = [time - times[0] for time in times]
            images = {
                name: self._video(name, self._episodes[number], times, size)
                if video
                else np.stack([self._image(row[name], name, size) for row in rows])
                for name, video in wanted.items()
            }
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"'{file}': episode {number} is incomplete: {error}") from error
        by_hand = None
        if self._has_interventions:
            by_hand = np.array([bool(np.any(row[INTERVENTION])) for row in rows])
        return Episode(self.instruction(number), images, *self._vectors(rows, file), by_hand)

    def _rows(self, number: int, images: list[str]) -> tuple[list[dict[str, Any]], Path]:
        """Return the frames of an episode, and the file that they are in."""
        check_episode_index(number, len(self), self._path)
        about = self._episodes[number]
        try:
            index = about["episode_index"]
            if self._packed:
                keys = ("chunk_index", "file_index")
                place = {key: about[f"data/{key}"] for key in keys}
            else:
                place = self._legacy_path(index)
            name = self._fill_template("data_path", place)
            file = self._path / name
        except (KeyError, TypeError) as error:
            raise DataError(
                f"'{self._path / 'meta'}' does not say where episode {number} is: {error}"
            ) from error
        wanted = [self._state, self._action, "timestamp", "task_index", *images]
        wanted += [INTERVENTION] if self._has_interventions else []
        rows = read_table(dataset_file(self._path, name), wanted, ("episode_index", index))
        if not rows:
            there = {row["episode_index"] for row in read_table(file, ["episode_index"])}
            raise DataError(
                f"'{file}' has no frame of episode {index}, but of "
                f"{', '.join(map(str, sorted(there)[:5])) or 'none'}; valid: the episode_index "
                "that meta says. Convert the dataset again"
            )
        kept = _of_first_task(rows)
        if len(kept) < len(rows):
            self._shortened.add(number)
        return kept, file

    def _fill_template(self, key: str, place: dict[str, Any]) -> str:
        """Return a path of `meta/info.json` with its places filled in."""
        template = self._meta[key]
        try:
            return fill_template(template, place)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"'{self._path / 'meta' / 'info.json'}': {key} is {template!r} ({error!r}); valid "
                f"in braces: {', '.join(place)}"
            ) from error

    def _legacy_path(self, index: int) -> dict[str, Any]:
        chunk = index // int(self._meta.get("chunks_size") or 1000)
        return {"episode_chunk": chunk, "chunk_index": chunk, "episode_index": index}

    def _image(self, cell: Any, camera: str, size: UnpackedSize) -> np.ndarray:
        try:
            content = cell["bytes"] or read_bytes(file_below(self._path, cell["path"]))
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
                check_image(*image.size, f"'{self._path}': an image of {camera}")
                size.add(3 * image.width * image.height)
                if image.mode not in _COLOUR_MODES:
                    raise DataError(
                        f"'{self._path}': an image of {camera} is of mode {image.mode}; valid: 8 "
                        "bits a channel, in colour or grey. Leave the camera out with --cameras"
                    )
                return np.array(image.convert("RGB"))
        except (
            OSError,
            KeyError,
            TypeError,
            SyntaxError,
            FileLimitError,
            Image.DecompressionBombError,
        ) as error:
            raise DataError(
                f"'{self._path}': an image of {camera} cannot be read: {error}"
            ) from error

    def _vectors(self, rows: list[dict[str, Any]], file: Path) -> tuple[np.ndarray, np.ndarray]:
        """Return states, shape (T, S), and actions, (T, A), of an episode's rows."""
        state, action = (
            to_float_table([row.get(name, []) for row in rows], name, file, names)
            for name, names in (
                (self._state, self.info.state_names),
                (self._action, self.info.action_names),
            )
        )
        return state, action

    def _video(
        self, camera: str, about: dict[str, Any], times: list[float], size: UnpackedSize
    ) -> np.ndarray:
        """Return the frames at some times of an episode [s]. Shape (T, H, W, 3)."""
        if self._packed:
            part = f"videos/{camera}"
            place = {key: about[f"{part}/{key}"] for key in ("chunk_index", "file_index")}
            begin = float(about[f"{part}/from_timestamp"])
        else:
            place, begin = self._legacy_path(about["episode_index"]), 0.0
        name = self._fill_template("video_path", {**place, "video_key": camera})
        moments, slack = [begin + time for time in times], 0.5 / self._fps
        return frames_at(dataset_file(self._path, name), moments, slack, size)


def _of_first_task(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the frames before an episode's instruction changes: others are of another task."""
    first = rows[0].get("task_index")
    changed = [n for n, row in enumerate(rows) if row.get("task_index") != first]
    return rows[: changed[0]] if changed else rows


def _by_index(rows: list[dict[str, Any]]) -> dict[int, str]:
    """Return tasks by their index; pandas keeps them as the index of its table."""
    names = ("task", "__index_level_0__")
    return {
        int(row["task_index"]): str(next((row[name] for name in names if name in row), ""))
        for row in rows
        if row.get("task_index") is not None
    }
