"""LeRobotDataset, versions 2.1 and 3.0: parquet tables, and pictures in them or in videos."""

import io
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vlm_robot_ros.data.robot_data import (
    DataError,
    DataInfo,
    RobotEpisode,
    check_number,
    numbered,
    stacked,
)
from vlm_robot_ros.dataset_paths import file_below, files_below, fill_template
from vlm_robot_ros.file_limits import (
    UnpackedSize,
    check_image,
    read_bytes,
    read_json,
    read_json_lines,
)

try:
    import av

    from vlm_robot_ros.data.parquet_rows import column_names, read_rows
except ImportError as error:
    raise DataError(
        f"LeRobotDataset needs pyarrow and av ({error}): pip install 'vlm_robot_ros[data]'"
    ) from error

_VERSIONS = ("v2.1", "v3.0")
_STATE, _ACTION = "observation.state", "action"


class LeRobotData:
    """One dataset's folder."""

    def __init__(self, path: Path) -> None:
        """Read what is in `meta`.

        Raises:
            DataError: it is corrupt or of another version.
        """
        self._path = path
        self._meta = _read_json(path, "meta/info.json")
        version = self._meta.get("codebase_version")
        if version not in _VERSIONS:
            raise DataError(f"'{path}' is of version {version}; valid: {', '.join(_VERSIONS)}")
        self._packed = version == "v3.0"
        try:
            features = self._meta["features"]
            self._cameras = {
                name: feature["dtype"] == "video"
                for name, feature in features.items()
                if feature["dtype"] in ("image", "video")
            }
            left_out = [
                name
                for name in features
                if name.startswith(("observation", "action"))
                and name not in (_STATE, _ACTION, *self._cameras)
            ]
            self.info = DataInfo(
                path,
                f"LeRobotDataset {version}",
                self._meta.get("robot_type") or "",
                float(self._meta["fps"]),
                tuple(self._cameras),
                _names(features, _STATE),
                _names(features, _ACTION),
                tuple(f"{name} is left out" for name in left_out),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"'{path / 'meta' / 'info.json'}' is incomplete: {error}") from error

    @cached_property
    def _episodes(self) -> list[dict[str, Any]]:
        if not self._packed:
            return _read_lines(self._path, "meta/episodes.jsonl")
        rows: list[dict[str, Any]] = []
        files = _files(self._path, "meta/episodes/*/*.parquet")
        if not files:
            raise DataError(f"no episodes in '{self._path / 'meta' / 'episodes'}'")
        for file in files:
            columns = [n for n in column_names(file) if not n.startswith("stats/")]
            rows += _read_table(file, columns)
        return sorted(rows, key=lambda row: row["episode_index"])

    def __len__(self) -> int:
        return len(self._episodes)

    def instruction(self, number: int) -> str:
        """Return what is said in an episode; the first where there are several."""
        check_number(number, len(self), self._path)
        return str(next(iter(self._episodes[number].get("tasks") or []), ""))

    def table(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return states and actions of one."""
        return _vectors(*self._rows(number, []))

    def episode(self, number: int, cameras: Sequence[str] | None = None) -> RobotEpisode:
        """Read one."""
        wanted = {n: v for n, v in self._cameras.items() if cameras is None or n in cameras}
        rows, file = self._rows(number, [name for name, video in wanted.items() if not video])
        size = UnpackedSize(f"'{self._path}': episode {number}")
        try:
            times = [float(row["timestamp"]) for row in rows]
            images = {
                name: self._video(name, self._episodes[number], times, size)
                if video
                else np.stack([self._picture(row[name], size) for row in rows])
                for name, video in wanted.items()
            }
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"'{file}': episode {number} is incomplete: {error}") from error
        return RobotEpisode(self.instruction(number), images, *_vectors(rows, file))

    def _rows(self, number: int, pictures: list[str]) -> tuple[list[dict[str, Any]], Path]:
        """Return the frames of an episode, and the file that they are in."""
        check_number(number, len(self), self._path)
        about = self._episodes[number]
        try:
            index = about["episode_index"]
            if self._packed:
                keys = ("chunk_index", "file_index")
                place = {key: about[f"data/{key}"] for key in keys}
            else:
                place = self._old_place(index)
            name = fill_template(self._meta["data_path"], place)
            file = self._path / name
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"'{self._path / 'meta'}' does not say where it is: {error}"
            ) from error
        wanted = [_STATE, _ACTION, "timestamp", *pictures]
        rows = _read_table(_file(self._path, name), wanted, ("episode_index", index))
        if not rows:
            raise DataError(f"'{file}' has no frame of episode {index}")
        return rows, file

    def _old_place(self, index: int) -> dict[str, int]:
        chunk = index // int(self._meta["chunks_size"])
        return {"episode_chunk": chunk, "episode_index": index}

    def _picture(self, cell: dict[str, Any], size: UnpackedSize) -> np.ndarray:
        try:
            content = cell["bytes"] or read_bytes(file_below(self._path, cell["path"]))
            with Image.open(io.BytesIO(content)) as image:
                check_image(*image.size, f"'{self._path}': an image")
                size.add(3 * image.width * image.height)
                return np.array(image.convert("RGB"))
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{self._path}: a picture cannot be read: {error}") from error

    def _video(
        self, camera: str, about: dict[str, Any], times: list[float], size: UnpackedSize
    ) -> np.ndarray:
        """Return the frames at some times of an episode [s]. Shape (T, H, W, 3)."""
        if self._packed:
            part = f"videos/{camera}"
            place = {key: about[f"{part}/{key}"] for key in ("chunk_index", "file_index")}
            begin = float(about[f"{part}/from_timestamp"])
        else:
            place, begin = self._old_place(about["episode_index"]), 0.0
        name = fill_template(self._meta["video_path"], {"video_key": camera, **place})
        slack = 0.5 / float(self._meta["fps"])
        return _frames_at(_file(self._path, name), [begin + time for time in times], slack, size)


def _vectors(rows: list[dict[str, Any]], file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return states, shape (T, S), and actions, (T, A), of an episode's rows."""
    state, action = (
        stacked([row.get(name, []) for row in rows], name, file) for name in (_STATE, _ACTION)
    )
    return state, action


def _frames_at(path: Path, times: list[float], slack: float, size: UnpackedSize) -> np.ndarray:
    """Return a video's frames nearest to ascending times [s], none further off than the slack."""
    found: list[np.ndarray] = []
    try:
        # Another format, such as a playlist, could name files elsewhere.
        with av.open(str(path), format="mp4") as file:
            stream = file.streams.video[0]
            if stream.time_base is None:
                raise DataError(f"'{path}': its video has no time")
            check_image(stream.width, stream.height, f"'{path}'")
            file.seek(int(times[0] / stream.time_base), stream=stream)
            for frame in file.decode(stream):
                while len(found) < len(times) and abs(frame.time - times[len(found)]) <= slack:
                    check_image(frame.width, frame.height, f"'{path}'")
                    size.add(3 * frame.width * frame.height)
                    found.append(frame.to_ndarray(format="rgb24"))
                if len(found) == len(times):
                    return np.stack(found)
                if frame.time > times[-1] + slack:
                    break  # the rest of the video, however long, has none of them
    except (OSError, IndexError, av.error.FFmpegError) as error:
        raise DataError(f"'{path}' cannot be read: {error}") from error
    raise DataError(f"'{path}' has {len(found)} of {len(times)} frames that the table speaks of")


def _names(features: dict[str, Any], key: str) -> tuple[str, ...]:
    """Return the names of a vector's values; they may be a list, or lie in a dict, or be none."""
    if key not in features:
        return ()
    names, count = features[key].get("names"), int(np.prod(features[key]["shape"]))
    if isinstance(names, dict):
        lists = [part for part in names.values() if isinstance(part, list)]
        names = [name for part in lists for name in part] if lists else list(names)
    if not isinstance(names, list) or len(names) != count:
        names = numbered(key, count)
    return tuple(str(name) for name in names)


def _read_table(
    file: Path, columns: list[str] | None = None, equal: tuple[str, int] | None = None
) -> list[dict[str, Any]]:
    try:
        return read_rows(file, columns, equal)
    except Exception as error:  # of pyarrow there are many
        raise DataError(f"'{file}' cannot be read: {error}") from error


def _file(folder: Path, name: str) -> Path:
    try:
        return file_below(folder, name)
    except (OSError, ValueError) as error:
        raise DataError(f"'{folder / name}' cannot be read: {error}") from error


def _files(folder: Path, pattern: str) -> list[Path]:
    try:
        return files_below(folder, pattern)
    except (OSError, ValueError) as error:
        raise DataError(f"'{folder}' cannot be read: {error}") from error


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    try:
        return dict(read_json(file_below(folder, name)))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"'{folder / name}' cannot be read: {error}") from error


def _read_lines(folder: Path, name: str) -> list[dict[str, Any]]:
    try:
        return read_json_lines(file_below(folder, name))
    except (OSError, ValueError) as error:
        raise DataError(f"'{folder / name}' cannot be read: {error}") from error
