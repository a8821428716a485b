"""Which files a bag is made of, and which of them are missing."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from vlm_robot_ros.bags.metadata import Metadata, read_metadata
from vlm_robot_ros.bags.storage import has_storage_suffix

_MAX_FILE_NUMBER = 1000
"""Larger numbers at the end of a file's name are dates rather than those of parts."""
_METADATA = "metadata.yaml"


@dataclass
class SplitFiles:
    """The storage files of one bag."""

    files: list[Path]
    metadata: Metadata = field(default_factory=Metadata)
    problems: list[str] = field(default_factory=list)
    """What is missing or unreadable."""


def find_split_files(path: Path) -> SplitFiles:
    """Return the storage files of a bag.

    Args:
        path: A folder of rosbag2, or one storage file, which is read by itself.

    Raises:
        ValueError: there is no bag.
    """
    if path.is_file():
        return SplitFiles([path])
    if not path.is_dir():
        raise ValueError(f"no bag at '{path}'; valid: a rosbag2 folder, or an MCAP or .db3 file")
    there = sorted(filter(_is_split_file, path.iterdir()), key=_file_number)
    found = SplitFiles(there)
    if not (path / _METADATA).is_file():
        found.problems.append(f"{_METADATA} is missing: the recorder did not finish")
    else:
        try:
            found.metadata = read_metadata(path / _METADATA)
        except ValueError as error:
            found.problems.append(str(error))
    if names := list(dict.fromkeys(found.metadata.files)):
        _add_listed(found, path, names)
    elif gaps := _missing_numbers(there, path.name):
        found.problems.append(f"parts of the bag are missing: {', '.join(gaps)}")
    if not found.files:
        raise ValueError(f"no bag in '{path}': {'; '.join(found.problems)}, and no MCAP file")
    return found


def _is_split_file(file: Path) -> bool:
    return file.is_file() and has_storage_suffix(file)


def _add_listed(found: SplitFiles, path: Path, names: list[str]) -> None:
    """Take the files that the metadata names; note those that are missing or not named."""
    there = {file.name: file for file in found.files}
    # A file may have been compressed, or decompressed, after its name was written.
    chosen = {name: _existing_file(path, name) for name in names}
    found.files = [file for file in chosen.values() if file]
    missing = [name for name, file in chosen.items() if not file]
    if missing:
        found.problems.append(f"parts of the bag are missing: {', '.join(missing)}")
    others = [name for name, file in there.items() if file not in found.files]
    if others:
        found.problems.append(f"not read, since {_METADATA} lacks it: {', '.join(others)}")


def _existing_file(path: Path, name: str) -> Path | None:
    for each in (name, f"{name}.zstd", name.removesuffix(".zstd")):
        if (path / each).is_file():
            return path / each
    return None


def _missing_numbers(files: list[Path], folder: str) -> list[str]:
    """Return the names of parts that must have been there, by the numbers of the others."""
    numbers: dict[tuple[str, str], set[int]] = defaultdict(set)
    for file in files:
        if match := re.fullmatch(r"(.+)_(\d+)(\..+)", file.name):
            numbers[match[1], match[3]].add(int(match[2]))
    gaps = []
    for (name, suffix), found in numbers.items():
        # rosbag2 names the parts after the folder, and counts from 0.
        first = 0 if name == folder else min(found)
        if max(found) < _MAX_FILE_NUMBER:
            absent = sorted(set(range(first, max(found))) - found)
            gaps += [f"{name}_{number}{suffix}" for number in absent]
    return gaps


def _file_number(file: Path) -> tuple[str, int]:
    """Return what files are sorted by: split bags are numbered."""
    stem = re.sub(r"\.(mcap|db3)(\.zstd)?$", "", file.name)
    name, _, number = stem.rpartition("_")
    return (name, int(number)) if number.isdigit() else (stem, 0)
