"""Episodes of any robot as a LeRobotDataset v3.0: in parts that can be made apart, then joined."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vlm_robot_ros.data.dataset import DataError, EpisodeDataset
from vlm_robot_ros.data.formats.dataset_card import dataset_card
from vlm_robot_ros.data.formats.lerobot_info import JOINT_UNIT, image_key
from vlm_robot_ros.data.statistics import joined_statistics, statistics
from vlm_robot_ros.paths import atomic_write_text

try:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    from vlm_robot_ros.data.formats.video_writer import DEFAULT_CODEC, VideoWriter
except ImportError as error:
    raise DataError(
        f"LeRobotDataset needs pyarrow and av ({error}): pip install 'vlm_robot_ros[data]'"
    ) from error

_CHUNK = 1000
"""Files in a folder."""
_STATE, _ACTION = "observation.state", "action"
_INDICES = ("frame_index", "episode_index", "index", "task_index")
_DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"


def write_part(
    data: EpisodeDataset,
    folder: Path,
    codec: str = DEFAULT_CODEC,
    meta_files: Mapping[str, str] | None = None,
) -> None:
    """Write the episodes of some data as one part; it is there whole or not at all.

    Args:
        data: With images, and as many frames a second as it says.
        folder: Of the part.
        codec: Of the videos: see `video_writer.CODECS`.
        meta_files: Texts that the dataset keeps in `meta`, by their names there.

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
    episodes: list[dict[str, Any]] = []
    columns: dict[str, list[np.ndarray]] = {name: [] for name in (_STATE, _ACTION, "timestamp")}
    try:
        for number in range(len(data)):
            episode = data.episode(number)
            times = np.arange(len(episode.action)) / info.fps
            begun = {}
            for camera, images in episode.images.items():
                if camera not in videos:
                    path = making / f"{len(videos)}.mp4"
                    videos[camera] = VideoWriter(path, images.shape[1:], info.fps, codec)
                begun[camera] = videos[camera].frames / info.fps
                videos[camera].add(images)
            columns[_STATE].append(episode.state)
            columns[_ACTION].append(episode.action)
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
        "names": {_STATE: list(info.state_names), _ACTION: list(info.action_names)},
        "cameras": {camera: list(video.shape) for camera, video in videos.items()},
        "episodes": episodes,
        "meta_files": dict(meta_files or {}),
    }
    (making / "about.json").write_text(json.dumps(about))
    making.rename(folder)


def ensure_no_dataset(out: Path) -> None:
    """Raise DataError where a folder has a dataset already."""
    if (out / "meta" / "info.json").exists():
        raise DataError(f"'{out}' has a dataset already; name another folder")


def merge_shards(parts: Sequence[Path], out: Path) -> tuple[int, int]:
    """Make one dataset of parts, in their order; they stay as they are.

    Returns:
        How many episodes and frames it has.

    Raises:
        DataError: the parts are of different robots, or `out` has a dataset already.
    """
    ensure_no_dataset(out)
    abouts = [json.loads((part / "about.json").read_text()) for part in parts]
    for part, about in zip(parts, abouts, strict=True):
        # Parts of an interrupted conversion by an earlier version have no joint unit.
        for key in ("fps", "names", "cameras", "joint_unit", "codec"):
            if about.get(key) != abouts[0].get(key):
                raise DataError(
                    f"'{part.name}' has {key} {about.get(key)}, '{parts[0].name}' "
                    f"{abouts[0].get(key)}"
                )
    first = abouts[0]
    tasks = list(dict.fromkeys(e["task"] for about in abouts for e in about["episodes"]))
    rows: list[dict[str, Any]] = []
    frames = 0
    for number, (part, about) in enumerate(zip(parts, abouts, strict=True)):
        place = {"chunk_index": number // _CHUNK, "file_index": number % _CHUNK}
        begin = len(rows)
        for episode in about["episodes"]:
            rows.append(_episode_row(episode, len(rows), frames, place, about["fps"]))
            frames += episode["length"]
        _write_table(part / "table.npz", out / _DATA.format(**place), rows[begin:], tasks)
        for index, camera in enumerate(about["cameras"]):
            video = out / _VIDEO.format(video_key=image_key(camera), **place)
            video.parent.mkdir(parents=True, exist_ok=True)
            video.unlink(missing_ok=True)  # of a call that was interrupted
            try:
                video.hardlink_to(part / f"{index}.mp4")
            except OSError:  # not every file system has them
                shutil.copyfile(part / f"{index}.mp4", video)
    (out / "README.md").write_text(dataset_card(first, len(rows), frames, tasks))
    (out / "meta").mkdir(exist_ok=True)
    for name, text in first.get("meta_files", {}).items():
        (out / "meta" / name).write_text(text)
    _write_meta(out, first, rows, tasks, _joined_tables(parts))
    return len(rows), frames


def _joined_tables(parts: Sequence[Path]) -> dict[str, np.ndarray]:
    """Return all frames of each feature but the images. Shape (T, D) each."""
    tables: dict[str, list[np.ndarray]] = {}
    for part in parts:
        with np.load(part / "table.npz", allow_pickle=False) as arrays:
            for name in arrays.files:
                tables.setdefault(name, []).append(arrays[name].reshape(len(arrays[name]), -1))
    return {name: np.concatenate(each) for name, each in tables.items()}


def _episode_row(
    episode: dict[str, Any], number: int, begin: int, place: dict[str, int], fps: float
) -> dict[str, Any]:
    length = episode["length"]
    row: dict[str, Any] = {
        "episode_index": number,
        "tasks": [episode["task"]],
        "length": length,
        **{f"data/{key}": value for key, value in place.items()},
        "dataset_from_index": begin,
        "dataset_to_index": begin + length,
    }
    for camera, start in episode["begun"].items():
        video = f"videos/{image_key(camera)}"
        row |= {f"{video}/{key}": value for key, value in place.items()}
        row[f"{video}/from_timestamp"] = start
        row[f"{video}/to_timestamp"] = start + length / fps
    for feature, values in episode["stats"].items():
        row |= {f"stats/{feature}/{name}": value for name, value in values.items()}
    return {**row, "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}


def _write_table(
    source: Path, path: Path, rows: Sequence[dict[str, Any]], tasks: Sequence[str]
) -> None:
    lengths = [row["length"] for row in rows]
    indices = {
        "frame_index": np.concatenate([np.arange(length) for length in lengths]),
        "episode_index": np.repeat([row["episode_index"] for row in rows], lengths),
        "index": rows[0]["dataset_from_index"] + np.arange(sum(lengths)),
        "task_index": np.repeat([tasks.index(row["tasks"][0]) for row in rows], lengths),
    }
    with np.load(source, allow_pickle=False) as arrays:
        columns: dict[str, pa.Array] = {}
        for name in (_STATE, _ACTION):
            flat = pa.array(arrays[name].astype(np.float32).ravel())
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, arrays[name].shape[1])
        columns["timestamp"] = pa.array(arrays["timestamp"])
    columns |= {name: pa.array(indices[name].astype(np.int64)) for name in _INDICES}
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path)


def _write_meta(
    out: Path,
    about: dict[str, Any],
    rows: list[dict[str, Any]],
    tasks: list[str],
    tables: dict[str, np.ndarray],
) -> None:
    meta, frames = out / "meta", len(tables[_ACTION])
    (meta / "episodes" / "chunk-000").mkdir(parents=True, exist_ok=True)
    parquet.write_table(
        pa.Table.from_pylist(rows), meta / "episodes" / "chunk-000" / "file-000.parquet"
    )
    index = "__index_level_0__"
    pandas = {
        "index_columns": [index],
        "column_indexes": [],
        "columns": [
            {"name": "task_index", "field_name": "task_index", "pandas_type": "int64",
             "numpy_type": "int64", "metadata": None},
            {"name": None, "field_name": index, "pandas_type": "unicode",
             "numpy_type": "object", "metadata": None},
        ],
    }  # fmt: skip
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), index: tasks})
    table = table.replace_schema_metadata({"pandas": json.dumps(pandas)})
    parquet.write_table(table, meta / "tasks.parquet")
    (meta / "stats.json").write_text(json.dumps(joined_statistics(rows, tables), indent=2) + "\n")
    vectors = {
        name: {"dtype": "float32", "shape": [len(names)], "names": names}
        for name, names in about["names"].items()
    }
    single = {"shape": [1], "names": None}
    videos = {
        image_key(camera): _video_feature(shape, about["fps"], about.get("codec", DEFAULT_CODEC))
        for camera, shape in about["cameras"].items()
    }
    info = {
        "codebase_version": "v3.0",
        "robot_type": about["robot"],
        "total_episodes": len(rows),
        "total_frames": frames,
        "total_tasks": len(tasks),
        "chunks_size": _CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": int(about["fps"]) if float(about["fps"]).is_integer() else about["fps"],
        "splits": {"train": f"0:{len(rows)}"},
        **({JOINT_UNIT: about["joint_unit"]} if about.get("joint_unit") else {}),
        "data_path": _DATA,
        "video_path": _VIDEO,
        "features": {
            **videos,
            **vectors,
            "timestamp": {"dtype": "float32", **single},
            **{name: {"dtype": "int64", **single} for name in _INDICES},
        },
    }
    # The last of all: without it there is no dataset.
    atomic_write_text(meta / "info.json", json.dumps(info, indent=4) + "\n")


def _video_feature(shape: Sequence[int], fps: float, codec: str) -> dict[str, Any]:
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
            "is_depth_map": False,
            "video.fps": fps,
            "video.channels": channels,
            "has_audio": False,
        },
    }
