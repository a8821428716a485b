"""RLDS sets as tensorflow_datasets writes them: Open X-Embodiment, Bridge, RT-1's fractal."""

import io
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from vlm_robot_ros.data.dataset import (
    DataError,
    DatasetInfo,
    Episode,
    check_episode_index,
    indexed_names,
    to_float_table,
)
from vlm_robot_ros.data.dataset_paths import file_below
from vlm_robot_ros.data.formats.tfrecord import read_example, record_offsets
from vlm_robot_ros.file_limits import FileLimitError, UnpackedSize, check_image, read_json

_STATE_LIMIT = 32
"""Longer vectors of an observation are taken for embeddings."""


class _Leaf(NamedTuple):
    kind: str
    """image, text, tensor, or what else features.json calls it."""
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class RldsDataset:
    """One version's folder of a set, one split of it."""

    def __init__(self, path: Path, split: str = "train") -> None:
        """Read what describes the set.

        Raises:
            DataError: it is no RLDS set, or has no such split.
        """
        self._path = path
        try:
            about = read_json(file_below(path, "dataset_info.json"))
            features = read_json(file_below(path, "features.json"))
            splits = {each["name"]: each for each in about.get("splits", [])}
            if about.get("fileFormat", "tfrecord") != "tfrecord":
                raise DataError(f"'{path}' holds {about['fileFormat']} files; valid: tfrecord")
            if split not in splits:
                raise DataError(f"'{path}' has no split {split!r}; valid: {', '.join(splits)}")
            self._files = _files(about["name"], splits[split])
            top = features["featuresDict"]["features"]
            if "steps" not in top or "sequence" not in top["steps"]:
                raise DataError(f"'{path}' has no steps: it is no RLDS set")
            self._leaves = _leaves(top["steps"]["sequence"]["feature"], "")
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"'{path}' cannot be read: {error}") from error
        self.info = self._describe(about["name"])

    def _describe(self, name: str) -> DatasetInfo:
        images = [n for n, leaf in self._leaves.items() if leaf.kind == "image"]
        self._cameras = [n for n in images if self._leaves[n].dtype == "uint8"
                         and self._leaves[n].shape[-1:] in ((3,), ())]  # fmt: skip
        said = [n for n, leaf in self._leaves.items() if "instruction" in n
                and (leaf.kind == "text" or leaf.dtype == "string")]  # fmt: skip
        self._said = sorted(said, key=lambda name: "structured" in name)
        self._sentences: dict[int, str] = {}
        numbers = [n for n, leaf in self._leaves.items() if _is_vector(leaf)]
        felt = [n for n in numbers if n.startswith("observation/")]
        whole = [n for n in felt if n.rsplit("/", 1)[1] in ("state", "proprio")]
        self._state = whole[:1] or felt
        self._action = [n for n in numbers if n == "action" or n.startswith("action/")]
        if not self._action:
            raise DataError(f"'{self._path}' has no action among {', '.join(self._leaves)}")
        used = {*self._cameras, *self._said, *self._state, *self._action}
        left_out = [n for n in self._leaves if n.startswith("observation/") and n not in used]
        return DatasetInfo(
            self._path,
            "RLDS",
            name,
            None,
            tuple(n.split("/", 1)[1] for n in self._cameras),
            self._names(self._state),
            self._names(self._action),
            tuple(f"{n} is left out" for n in left_out),
        )

    def _names(self, leaves: list[str]) -> tuple[str, ...]:
        of_each = (indexed_names(n.rsplit("/", 1)[-1], self._leaves[n].size) for n in leaves)
        return tuple(name for names in of_each for name in names)

    @cached_property
    def _record_positions(self) -> list[tuple[Path, int, int]]:
        found: list[tuple[Path, int, int]] = []
        for name in self._files:
            try:
                file = file_below(self._path, name)
            except (OSError, FileLimitError) as error:
                raise DataError(f"'{self._path}' cannot be read: {error}") from error
            found += [(file, *place) for place in record_offsets(file)]
        return found

    def __len__(self) -> int:
        return len(self._record_positions)

    def instruction(self, number: int) -> str:
        """Return what is said in an episode at first; the first time the record is read for it."""
        if number not in self._sentences:
            self._sentences[number] = self._instruction(self._steps(number))
        return self._sentences[number]

    def table(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return states and actions of one."""
        steps = self._steps(number)
        count = self._count(steps)
        return self._vector(steps, self._state, count), self._vector(steps, self._action, count)

    def episode(self, number: int, cameras: Sequence[str] | None = None) -> Episode:
        """Read one."""
        steps = self._steps(number)
        count = self._count(steps)
        images = {
            name: self._images(steps, key, count)
            for key, name in zip(self._cameras, self.info.cameras, strict=True)
            if cameras is None or name in cameras
        }
        state, action = (self._vector(steps, n, count) for n in (self._state, self._action))
        return Episode(self._instruction(steps), images, state, action)

    def _steps(self, number: int) -> dict[str, list[Any]]:
        check_episode_index(number, len(self), self._path)
        lists = read_example(*self._record_positions[number])
        steps = {n.removeprefix("steps/"): v for n, v in lists.items() if n.startswith("steps/")}
        self._sentences[number] = self._instruction(steps)
        return steps

    def _count(self, steps: dict[str, list[Any]]) -> int:
        """Return how many steps an episode has."""
        first = self._action[0]
        flags = len(steps.get("is_first", []))
        return flags or len(steps.get(first, [])) // max(1, self._leaves[first].size)

    def _instruction(self, steps: dict[str, list[Any]]) -> str:
        said = next((steps[name] for name in self._said if steps.get(name)), [b""])
        return bytes(said[0]).decode(errors="replace")

    def _images(self, steps: dict[str, list[Any]], key: str, count: int) -> np.ndarray:
        files = steps.get(key, [])
        if len(files) != count or not count:
            raise DataError(f"'{self._path}': {key} has {len(files)} images for {count} steps")
        size = UnpackedSize(f"'{self._path}': {key} of one episode")
        rows = []
        try:
            for file in files:
                with Image.open(io.BytesIO(file), formats=("PNG", "JPEG")) as image:
                    check_image(*image.size, f"'{self._path}': an image of {key}")
                    size.add(3 * image.width * image.height)
                    rows.append(np.array(image.convert("RGB")))
            return np.stack(rows)
        except FileLimitError as error:
            raise DataError(str(error)) from error
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"'{self._path}': an image of {key} is corrupt: {error}") from error

    def _vector(self, steps: dict[str, list[Any]], leaves: list[str], count: int) -> np.ndarray:
        rows = []
        for name in leaves:
            values, size = steps.get(name, []), self._leaves[name].size
            if len(values) != count * size:
                raise DataError(
                    f"'{self._path}': {name} has {len(values)} values for {count} steps of {size}"
                )
            rows.append(np.reshape(values, (count, size)))
        table = np.concatenate(rows, 1) if rows else np.zeros((count, 0))
        return to_float_table(list(table), ", ".join(leaves), self._path)


def _is_vector(leaf: _Leaf) -> bool:
    kinds = leaf.dtype.startswith(("float", "int", "bool"))
    return leaf.kind == "tensor" and kinds and len(leaf.shape) <= 1 and leaf.size <= _STATE_LIMIT


def _leaves(feature: dict[str, Any], name: str) -> dict[str, _Leaf]:
    """Return what a feature holds, by the names that a record has for it."""
    if "featuresDict" in feature:
        found: dict[str, _Leaf] = {}
        for key, inner in feature["featuresDict"]["features"].items():
            found |= _leaves(inner, f"{name}/{key}" if name else key)
        return found
    kind = next((key for key in feature if key != "pythonClassName"), "")
    inside = feature.get(kind) or {}
    shape = (inside.get("shape") or {}).get("dimensions", [])
    dtype = inside.get("dtype", "uint8" if kind == "image" else "")
    return {name: _Leaf(kind, tuple(int(side) for side in shape), dtype)}


def _files(name: str, split: dict[str, Any]) -> list[str]:
    shards = len(split["shardLengths"])
    template = split.get("filepathTemplate") or "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    places = {"{DATASET}": name, "{SPLIT}": split["name"], "{FILEFORMAT}": "tfrecord"}
    for key, value in places.items():
        template = template.replace(key, value)
    files = []
    for shard in range(shards):
        numbers = {"{SHARD_X_OF_Y}": f"{shard:05d}-of-{shards:05d}",
                   "{SHARD_INDEX}": f"{shard:05d}", "{NUM_SHARDS}": f"{shards:05d}"}  # fmt: skip
        file = template
        for key, value in numbers.items():
            file = file.replace(key, value)
        files.append(file)
    return files
