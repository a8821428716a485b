"""Where bags are: folders of rosbag2, storage files, and folders of these."""

import re
from collections.abc import Sequence
from pathlib import Path

from vlm_robot_ros.bags.bag import BagError
from vlm_robot_ros.bags.storage import SUFFIXES, has_storage_suffix


def find_bags(path: Path) -> list[Path]:
    """Return the bags at a path: itself, or those below it.

    In a folder without `metadata.yaml`, files whose names differ by more than the number at their
    end are bags of their own.
    """
    if path.is_file():
        return [path] if has_storage_suffix(path) else []
    if (path / "metadata.yaml").is_file():
        return [path]
    files = sorted(file for end in SUFFIXES for file in path.glob(f"*{end}"))
    if files:
        names = {re.sub(r"_\d+$", "", _stem(file)) for file in files}
        return [path] if len(names) == 1 else files
    kinds = ("metadata.yaml", *(f"*{end}" for end in SUFFIXES))
    folders = sorted({file.parent for kind in kinds for file in path.rglob(kind)})
    return [bag for folder in folders if folder != path for bag in find_bags(folder)]


def _stem(file: Path) -> str:
    """Return a storage file's name without its ending."""
    return next(file.name.removesuffix(end) for end in SUFFIXES if file.name.endswith(end))


def find_all_bags(paths: Sequence[Path]) -> list[Path]:
    """Return the bags at some paths: see `find_bags`.

    Raises:
        BagError: there is none at one of them.
    """
    found = {path: find_bags(path) for path in paths}
    for path, bags in found.items():
        if not bags:
            raise BagError(
                f"no bag in '{path}'; valid: folders of rosbag2, MCAP and .db3 files, folders of "
                "these"
            )
    return [bag for bags in found.values() for bag in bags]
