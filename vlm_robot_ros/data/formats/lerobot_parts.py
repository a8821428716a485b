"""Parts of a LeRobotDataset, made apart of each other, and what its versions have in common."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vlm_robot_ros.data.dataset import DataError, EpisodeDataset
from vlm_robot_ros.data.formats.lerobot_info import (
    INTERVENTION,
    NEXT_DONE,
    NEXT_SUCCESS,
    image_key,
)
from vlm_robot_ros.data.statistics import statistics

try:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    from vlm_robot_ros.data.formats.video_writer import DEFAULT_CODEC, VideoWriter
except ImportError as error:
    raise DataError(
        f"LeRobotDataset needs pyarrow and av ({error}): pip install 'vlm_robot_ros[data]'"
    ) from error

STATE, ACTION = "observation.state", "action"
_BEGUN = ".merge-begun"
"""A file beside the parts while they are merged."""
_FLAGS = (INTERVENTION, NEXT_DONE, NEXT_SUCCESS)
"""Columns of truth values that a dataset may have."""
_INDICES = ("frame_index", "episode_index", "index", "task_index")


def write_part(
    data: EpisodeDataset,
    folder: Path,
    codec: str = DEFAULT_CODEC,
    meta_files: Mapping[str, str] | None = None,
    split_videos: bool = False,
) -> None:
    """Write the episodes of some data as one part; it is there whole or not at all.

    Args:
        data: With images, and as many frames a second as it says.
        folder: Of the part.
        codec: Of the videos: see `video_writer.CODECS`.
        meta_files: Texts that the dataset keeps in `meta`, by their names there.
        split_videos: Whether each episode has videos of its own, as v2.1 has them.

    Raises:
        DataError: the data does not say how many frames a second, or has none.
    """
    info = data.info
    if not info.fps or not len(data):
        raise DataError(f"'{info.path}' has no episodes, or does not say how many frames a second")
    making = folder.with_name(folder.name + ".part")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    videos: dict[str, VideoWriter] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    cameras: dict[str, int] = {}
    episodes: list[dict[str, Any]] = []
    columns: dict[str, list[np.ndarray]] = {
        name: [] for name in (STATE, ACTION, "timestamp", *_FLAGS)
    }
    marked = False
    try:
        for number in range(len(data)):
            episode = data.episode(number)
            times = np.arange(len(episode.action)) / info.fps
            begun = {}
            for camera, images in episode.images.items():
                index = cameras.setdefault(camera, len(cameras))
                name = f"{index}-{number}" if split_videos else str(index)
                if name not in videos:
                    path = making / f"{name}.mp4"
                    videos[name] = VideoWriter(path, images.shape[1:], info.fps, codec)
                if shapes.setdefault(camera, videos[name].shape) != images.shape[1:]:
                    raise DataError(
                        f"images of '{camera}' are {images.shape[1:]} after {shapes[camera]}"
                    )
                begun[camera] = videos[name].frames / info.fps
                videos[name].add(images)
                if split_videos:
                    videos.pop(name).close()
            columns[STATE].append(episode.state)
            columns[ACTION].append(episode.action)
            by_hand = episode.intervention
            by_hand = np.zeros(len(times), bool) if by_hand is None else by_hand
            columns[INTERVENTION].append(by_hand)
            last = np.arange(len(times)) == len(times) - 1
            columns[NEXT_DONE].append(last)
            columns[NEXT_SUCCESS].append(last & bool(episode.success))
            marked |= episode.success is not None
            columns["timestamp"].append(times.astype(np.float32))
            episodes.append(
                {
                    "task": episode.instruction,
                    "length": len(times),
                    "begun": begun,
                    "stats": {
                        image_key(name) if name in episode.images else name: values
                        for name, values in statistics(episode, times).items()
                    },
                }
            )
    finally:
        for video in videos.values():
            video.close()
    table = {name: np.concatenate(parts) for name, parts in columns.items()}
    np.savez(making / "table.npz", **table)  # type: ignore[arg-type]  # names are texts
    about = {
        "fps": info.fps,
        "codec": codec,
        "robot": info.robot,
        "joint_unit": info.joint_unit,
        "names": {STATE: list(info.state_names), ACTION: list(info.action_names)},
        "cameras": {camera: list(shape) for camera, shape in shapes.items()},
        "episodes": episodes,
        INTERVENTION: bool(table[INTERVENTION].any()),
        NEXT_DONE: marked,
        NEXT_SUCCESS: marked,
        "meta_files": dict(meta_files or {}),
    }
    (making / "about.json").write_text(json.dumps(about))
    making.rename(folder)


def ensure_no_dataset(out: Path) -> None:
    """Raise DataError where a folder has a dataset already."""
    if (out / "meta" / "info.json").exists():
        raise DataError(f"'{out}' has a dataset already; name another folder")


def read_parts(parts: Sequence[Path], out: Path) -> list[dict[str, Any]]:
    """Return what parts of one dataset say of themselves.

    Raises:
        DataError: the parts are of different robots, or `out` has a dataset already.
    """
    ensure_no_dataset(out)
    begun = parts[0].parent / _BEGUN
    if begun.exists():  # what is there is of a merge that was interrupted, not the user's
        for name in ("data", "videos", "meta"):
            shutil.rmtree(out / name, ignore_errors=True)
    begun.touch()
    abouts: list[dict[str, Any]] = [
        json.loads((part / "about.json").read_text()) for part in parts
    ]
    for part, about in zip(parts, abouts, strict=True):
        # Parts of an interrupted conversion by an earlier version have no joint unit.
        for key in ("fps", "names", "cameras", "joint_unit", "codec"):
            if about.get(key) != abouts[0].get(key):
                raise DataError(
                    f"'{part.name}' has {key} {about.get(key)}, '{parts[0].name}' "
                    f"{abouts[0].get(key)}"
                )
    some = {name: any(about.get(name) for about in abouts) for name in _FLAGS}
    return [{**about, **some} for about in abouts]


def flags_of(about: Mapping[str, Any]) -> list[str]:
    """Return the columns of truth values that a part's dataset has."""
    return [name for name in _FLAGS if about.get(name)]


def table_names(arrays: Sequence[str]) -> list[str]:
    """Return those arrays of a part that statistics are of."""
    return [name for name in arrays if name not in _FLAGS]


def link_file(source: Path, path: Path) -> None:
    """Give a file another path; one of a call that was interrupted is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        path.hardlink_to(source)
    except OSError:  # not every file system has them
        shutil.copyfile(source, path)


def write_texts(out: Path, card: str, about: dict[str, Any]) -> None:
    """Write the README and what else a dataset keeps."""
    (out / "meta").mkdir(parents=True, exist_ok=True)
    (out / "README.md").write_text(card)
    for name, text in about.get("meta_files", {}).items():
        (out / "meta" / name).write_text(text)


def write_table(
    source: Path,
    path: Path,
    rows: Sequence[dict[str, Any]],
    tasks: Sequence[str],
    begin: int = 0,
    flags: Sequence[str] = (),
) -> None:
    """Write the frames of some episodes.

    Args:
        source: The arrays of a part.
        path: To write to.
        rows: Of the episodes.
        tasks: Of the dataset.
        begin: The frame of the part with which the first of them begins.
        flags: Columns of truth values to write: see `flags_of`.
    """
    lengths = [row["length"] for row in rows]
    indices = {
        "frame_index": np.concatenate([np.arange(length) for length in lengths]),
        "episode_index": np.repeat([row["episode_index"] for row in rows], lengths),
        "index": rows[0]["dataset_from_index"] + np.arange(sum(lengths)),
        "task_index": np.repeat([tasks.index(row["tasks"][0]) for row in rows], lengths),
    }
    with np.load(source, allow_pickle=False) as arrays:
        columns: dict[str, pa.Array] = {}
        for name in (STATE, ACTION):
            values = arrays[name][begin : begin + sum(lengths)].astype(np.float32)
            flat = pa.array(values.ravel())
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
        columns["timestamp"] = pa.array(arrays["timestamp"][begin : begin + sum(lengths)])
        for name in flags:
            given = arrays.get(name, np.zeros(len(arrays["timestamp"]), bool))
            columns[name] = pa.array(given[begin : begin + sum(lengths)])
    columns |= {name: pa.array(indices[name].astype(np.int64)) for name in _INDICES}
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path)


def whole_fps(about: dict[str, Any]) -> float:
    """Return the frames a second, as a whole number where they are one."""
    return int(about["fps"]) if float(about["fps"]).is_integer() else float(about["fps"])


def features(about: dict[str, Any], depth_key: str) -> dict[str, Any]:
    """Return the features of a dataset.

    Args:
        about: Of a part.
        depth_key: What the version calls whether a video is of depth.
    """
    vectors = {
        name: {"dtype": "float32", "shape": [len(names)], "names": names}
        for name, names in about["names"].items()
    }
    single = {"shape": [1], "names": None}
    videos = {
        image_key(camera): _video_feature(
            shape, about["fps"], about.get("codec", DEFAULT_CODEC), depth_key
        )
        for camera, shape in about["cameras"].items()
    }
    indices = {name: {"dtype": "int64", **single} for name in _INDICES}
    others = {"timestamp": {"dtype": "float32", **single}}
    others |= {name: {"dtype": "bool", **single} for name in flags_of(about)}
    return {**videos, **vectors, **others, **indices}


def _video_feature(shape: Sequence[int], fps: float, codec: str, depth_key: str) -> dict[str, Any]:
    height, width, channels = shape
    return {
        "dtype": "video",
        "shape": [height, width, channels],
        "names": ["height", "width", "channels"],
        "info": {
            "video.height": height,
            "video.width": width,
            "video.codec": codec,
            "video.pix_fmt": "yuv420p",
            depth_key: False,
            "video.fps": fps,
            "video.channels": channels,
            "has_audio": False,
        },
    }
