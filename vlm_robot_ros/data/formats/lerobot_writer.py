"""Parts as a LeRobotDataset v3.0."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from vlm_robot_ros.data.formats.dataset_card import dataset_card
from vlm_robot_ros.data.formats.lerobot_info import JOINT_UNIT, image_key
from vlm_robot_ros.data.formats.lerobot_parts import (
    ACTION,
    features,
    flags_of,
    link_file,
    read_parts,
    table_names,
    whole_fps,
    write_table,
    write_texts,
)
from vlm_robot_ros.data.statistics import joined_statistics
from vlm_robot_ros.paths import atomic_write_text

_CHUNK = 1000
"""Files in a folder."""
_DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"


def merge_shards(parts: Sequence[Path], out: Path) -> tuple[int, int]:
    """Make one dataset of parts, in their order; they stay as they are.

    Returns:
        How many episodes and frames it has.

    Raises:
        DataError: the parts are of different robots, or `out` has a dataset already.
    """
    abouts = read_parts(parts, out)
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
        data = out / _DATA.format(**place)
        write_table(part / "table.npz", data, rows[begin:], tasks, flags=flags_of(about))
        for index, camera in enumerate(about["cameras"]):
            video = out / _VIDEO.format(video_key=image_key(camera), **place)
            link_file(part / f"{index}.mp4", video)
    write_texts(out, dataset_card(first, len(rows), frames, tasks), first)
    _write_meta(out, first, rows, tasks, _joined_tables(parts))
    return len(rows), frames


def _joined_tables(parts: Sequence[Path]) -> dict[str, np.ndarray]:
    """Return all frames of each feature but the images. Shape (T, D) each."""
    tables: dict[str, list[np.ndarray]] = {}
    for part in parts:
        with np.load(part / "table.npz", allow_pickle=False) as arrays:
            for name in table_names(arrays.files):
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


def _write_meta(
    out: Path,
    about: dict[str, Any],
    rows: list[dict[str, Any]],
    tasks: list[str],
    tables: dict[str, np.ndarray],
) -> None:
    meta, frames = out / "meta", len(tables[ACTION])
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
    info = {
        "codebase_version": "v3.0",
        "robot_type": about["robot"],
        "total_episodes": len(rows),
        "total_frames": frames,
        "total_tasks": len(tasks),
        "chunks_size": _CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": whole_fps(about),
        "splits": {"train": f"0:{len(rows)}"},
        **({JOINT_UNIT: about["joint_unit"]} if about.get("joint_unit") else {}),
        "data_path": _DATA,
        "video_path": _VIDEO,
        "features": features(about, "is_depth_map"),
    }
    # The last of all: without it there is no dataset.
    atomic_write_text(meta / "info.json", json.dumps(info, indent=4) + "\n")
