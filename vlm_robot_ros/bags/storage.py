"""Storage files of rosbag2: MCAP and SQLite, complete, compressed or cut off."""

import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

import zstandard

from vlm_robot_ros.bags.bag_files import check_compressed_file, check_message

MCAP_MAGIC, SQLITE_MAGIC, ZSTD_MAGIC = b"\x89MCAP", b"SQLite format 3\0", b"\x28\xb5\x2f\xfd"
SUFFIXES = (".mcap", ".db3", ".mcap.zstd", ".db3.zstd")
"""Of the files that rosbag2 writes."""


@dataclass(frozen=True)
class Channel:
    """One topic of a storage file, and what the file says of its messages."""

    topic: str
    kind: str
    """Message type; empty where the file names none."""
    encoding: str = "cdr"
    definition: str = ""
    """Text of the message definition; empty in files of Foxy and Humble, for instance."""
    definition_format: str = ""
    """ros2msg, ros2idl or empty."""
    type_hash: str = ""
    """RIHS01 hash of the type; empty where the file has none."""


class RawMessage(NamedTuple):
    """One serialised message."""

    channel: Channel
    time: int
    """When it was recorded [ns]."""
    data: bytes


class StorageFile(Protocol):
    """One file of a bag."""

    path: Path
    channels: list[Channel]
    counts: Counter[str]
    """Messages of each topic."""
    start: int
    """Time of the first message [ns]; meaningless without messages."""
    end: int
    """Time of the last message [ns]."""
    distro: str
    """ROS 2 distribution of the recorder; empty where the file does not say."""
    problem: str
    """Why the file can only be read in part; empty if it is complete."""

    def raw(self, topics: set[str] | None, first: int, last: int) -> Iterator[RawMessage]:
        """Return the messages of some topics, or of all, of a time range [ns]."""


def has_storage_suffix(path: Path) -> bool:
    """Tell whether a file is called like a storage file of rosbag2."""
    return path.name.endswith(SUFFIXES)


def open_storage(path: Path) -> StorageFile:
    """Open a storage file; its first bytes decide of which kind it is.

    A file that is neither MCAP nor SQLite is opened as an MCAP file without messages.

    Raises:
        FileLimitError: it unpacks to more than the size limit.
    """
    from vlm_robot_ros.bags.mcap_file import McapFile
    from vlm_robot_ros.bags.sqlite_file import SqliteFile

    problem, content, folder = "", path, None
    if _magic(path).startswith(ZSTD_MAGIC):
        check_compressed_file(path)
        folder = private_folder()
        content = folder / path.name.removesuffix(".zstd")
        problem = _decompress(path, content)
    is_sqlite = _magic(content).startswith(SQLITE_MAGIC)
    file: StorageFile = SqliteFile(content) if is_sqlite else McapFile(content)
    if folder:
        weakref.finalize(file, shutil.rmtree, folder, ignore_errors=True)
    file.problem = problem or file.problem
    return file


def private_folder() -> Path:
    """Return a new temporary folder that no other user can read."""
    return Path(tempfile.mkdtemp(prefix="vlm_robot_bag_"))


def decompress_message(raw: RawMessage) -> RawMessage:
    """Return a message as it was before rosbag2 compressed it by itself.

    Raises:
        FileLimitError: it unpacks to more than the size limit.
    """
    if raw.data[:4] != ZSTD_MAGIC:  # serialised messages begin with 0
        return raw
    check_message(raw.data, f"a message on {raw.channel.topic}")
    data = zstandard.ZstdDecompressor().decompressobj().decompress(raw.data)
    return raw._replace(data=data)


def channel_with_metadata(channel: Channel, kind: str, type_hash: str) -> Channel:
    """Return a channel that takes what it lacks from `metadata.yaml`."""
    return replace(channel, kind=channel.kind or kind, type_hash=channel.type_hash or type_hash)


def _magic(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(SQLITE_MAGIC))


def _decompress(path: Path, content: Path) -> str:
    """Decompress a file as far as it goes; return what is wrong with it."""
    try:
        with path.open("rb") as source, content.open("wb") as target:
            zstandard.ZstdDecompressor().copy_stream(source, target)
    except zstandard.ZstdError as error:
        return f"'{path.name}' is cut off or corrupt ({error})"
    return ""
