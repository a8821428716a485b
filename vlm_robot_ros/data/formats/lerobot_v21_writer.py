"""Parts as a LeRobotDataset v2.1, as openpi reads it, with what GR00T needs beside it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlm_robot_ros.data.formats.dataset_card import dataset_card
from vlm_robot_ros.data.formats.lerobot_info import JOINT_UNIT, image_key
from vlm_robot_ros.data.formats.lerobot_parts import (
    features,
    flags_of,
    link_file,
    read_parts,
    whole_fps,
    write_table,
    write_texts,
)
from vlm_robot_ros.paths import atomic_write_text

_CHUNK = 1000
"""Episodes in a folder."""
_DATA = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
_VIDEO = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"


def merge_parts_v21(parts: Sequence[Path], out: Path) -> tuple[int, int]:
    """Make one dataset of parts with videos of each episode; they stay as they are.

    Returns:
        How many episodes and frames it has.

    Raises:
        DataError: the parts are of different robots, or `out` has a dataset already.
    """
    abouts = read_parts(parts, out)
    first = abouts[0]
    tasks = list(dict.fromkeys(e["task"] for about in abouts for e in about["episodes"]))
    episodes: list[dict[str, Any]] = []
    frames = 0
    for part, about in zip(parts, abouts, strict=True):
        begin = 0
        for index, episode in enumerate(about["episodes"]):
            number, length = len(episodes), episode["length"]
            place = {"episode_chunk": number // _CHUNK, "episode_index": number}
            row = {"episode_index": number, "tasks": [episode["task"]], "length": length}
            data = out / _DATA.format(**place)
            placed = [{**row, "dataset_from_index": frames}]
            write_table(part / "table.npz", data, placed, tasks, begin, flags_of(about))
            for camera, name in enumerate(about["cameras"]):
                video = out / _VIDEO.format(video_key=image_key(name), **place)
                link_file(part / f"{camera}-{index}.mp4", video)
            episodes.append({**row, "stats": episode["stats"]})
            begin, frames = begin + length, frames + length
    write_texts(out, dataset_card(first, len(episodes), frames, tasks), first)
    _write_meta(out / "meta", first, episodes, frames, tasks)
    return len(episodes), frames


def _write_meta(
    meta: Path,
    about: dict[str, Any],
    episodes: list[dict[str, Any]],
    frames: int,
    tasks: list[str],
) -> None:
    stats = [{key: row[key] for key in ("episode_index", "stats")} for row in episodes]
    rows = [{key: row[key] for key in ("episode_index", "tasks", "length")} for row in episodes]
    named = [{"task_index": number, "task": task} for number, task in enumerate(tasks)]
    for name, lines in (("episodes", rows), ("episodes_stats", stats), ("tasks", named)):
        (meta / f"{name}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (meta / "modality.json").write_text(json.dumps(_modalities(about), indent=4) + "\n")
    info = {
        "codebase_version": "v2.1",
        "robot_type": about["robot"],
        "total_episodes": len(episodes),
        "total_frames": frames,
        "total_tasks": len(tasks),
        "total_videos": len(episodes) * len(about["cameras"]),
        "total_chunks": -(-len(episodes) // _CHUNK),
        "chunks_size": _CHUNK,
        "fps": whole_fps(about),
        "splits": {"train": f"0:{len(episodes)}"},
        **({JOINT_UNIT: about["joint_unit"]} if about.get("joint_unit") else {}),
        "data_path": _DATA,
        "video_path": _VIDEO,
        "features": features(about, "video.is_depth_map"),
    }
    # The last of all: without it there is no dataset.
    atomic_write_text(meta / "info.json", json.dumps(info, indent=4) + "\n")


def _modalities(about: dict[str, Any]) -> dict[str, Any]:
    """Return what GR00T calls the parts of states and actions: see `config/policy_maps/groot`."""
    found: dict[str, Any] = {}
    for feature, kind in (("observation.state", "state"), ("action", "action")):
        names = list(about["names"][feature])
        arm = names[:-1] if names[-1] == "gripper" else names
        joints = arm.index("x") if "x" in arm else len(arm)
        ends = (("joints", 0, joints), ("pose", joints, len(arm)),
                ("gripper", len(arm), len(names)))  # fmt: skip
        found[kind] = {
            part: {"start": begin, "end": end} for part, begin, end in ends if begin < end
        }
    cameras = {name: {"original_key": image_key(name)} for name in about["cameras"]}
    text = {"human.task_description": {"original_key": "task_index"}}
    return {**found, "video": cameras, "annotation": text}
