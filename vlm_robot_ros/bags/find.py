"""Where bags are: folders of rosbag2, MCAP files, and folders of these."""

import re
from collections.abc import Sequence
from pathlib import Path

from vlm_robot_ros.bags.bag import BagError


def find_bags(path: Path) -> list[Path]:
    """Return the bags at a path: itself, or those below it.

    In a folder without `metadata.yaml`, files whose names differ by more than the number at their
    end are bags of their own.
    """
    if path.suffix == ".mcap" and path.is_file():
        return [path]
    if (path / "metadata.yaml").is_file():
        return [path]
    files = sorted(path.glob("*.mcap"))
    if files:
        one = len({re.sub(r"_\d+$", "", file.stem) for file in files}) == 1
        return [path] if one else files
    kinds = ("metadata.yaml", "*.mcap")
    folders = sorted({file.parent for kind in kinds for file in path.rglob(kind)})
    return [bag for folder in folders if folder != path for bag in find_bags(folder)]


def find_all_bags(paths: Sequence[Path]) -> list[Path]:
    """Return the bags at some paths: see `find_bags`.

    Raises:
        BagError: there is none at one of them.
    """
    found = {path: find_bags(path) for path in paths}
    for path, bags in found.items():
        if not bags:
            raise BagError(
                f"no bag in '{path}'; valid: folders of rosbag2, MCAP files, folders of these"
            )
    return [bag for bags in found.values() for bag in bags]
