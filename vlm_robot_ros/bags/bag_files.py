"""Checks the files of a bag before they are read: where they are, and what they unpack to."""

import mmap
import struct
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any, BinaryIO, NamedTuple

import yaml
from lz4.frame import LZ4FrameDecompressor

from vlm_robot_ros.data.dataset_paths import file_below
from vlm_robot_ros.file_limits import (
    FileLimitError,
    check_size,
    read_chunks,
    read_yaml_text,
    regular_file,
    size_limit,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

METADATA = "metadata.yaml"
_MAGIC = 8
_HEAD = struct.Struct("<BQ")
"""Of a record of MCAP: its kind, and its length [bytes]."""
_CHUNK, _CHUNK_INDEX = 0x06, 0x08
_PART = 2**20
"""Decompressed at once [bytes]."""


class _Chunk(NamedTuple):
    """Compressed records in an MCAP file."""

    compression: str
    begin: int
    """Where its compressed data begins in the file [bytes]."""
    size: int
    """Of the compressed data [bytes]."""
    declared: int
    """What it says that it unpacks to [bytes]."""


def check_bag_folder(folder: Path) -> None:
    """Check metadata and files of a bag's folder; files that are missing are left to the reader.

    Of a path in the metadata only the last part counts, as for rosbags: versions before 4 name
    files relative to where they were recorded. So a bag can name no file outside of its folder.

    Raises:
        FileLimitError: a file is a link out of the folder or no regular file, or unpacks to more
            than the size limit.
        OSError: a file cannot be read.
    """
    metadata = _metadata(folder)
    named = metadata.get("relative_file_paths")
    names = {PurePath(str(name)).name for name in named} if isinstance(named, list) else set()
    found = {path.name for path in folder.glob("*.mcap")}
    compressed = str(metadata.get("compression_mode", "")).lower() == "file"
    for name in sorted(names | found):
        if not (folder / name).exists() and not (folder / name).is_symlink():
            continue
        path = file_below(folder, name)
        if compressed and name in names:
            check_compressed_file(path)
        elif path.suffix == ".mcap":
            check_mcap(path)


def check_mcap(path: Path) -> None:
    """Check what each chunk of an MCAP file unpacks to; a torn end is left to the reader.

    Raises:
        FileLimitError: it is no regular file, a chunk unpacks to more than it declares or than
            the size limit.
        OSError: it cannot be read.
    """
    what = f"a chunk of '{path}'"
    with regular_file(path).open("rb") as file:
        size = file.seek(0, 2)
        for chunk in {*_chunks(file, size)}:
            check_size(chunk.declared, what)
            if chunk.begin + chunk.size > size:
                continue
            file.seek(chunk.begin)
            _check_data(file.read(chunk.size), chunk.compression, chunk.declared, what)


def check_compressed_file(path: Path) -> None:
    """Check what a file unpacks to that is compressed as a whole (zstd); errors: `check_mcap`."""
    what = f"'{path}'"
    if not regular_file(path).stat().st_size:
        return
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as data,
    ):
        size = _zstd_size(data)
    check_size(size, what)


def check_message(data: bytes, what: str) -> None:
    """Check what a message that is compressed by itself (zstd) unpacks to.

    Raises:
        FileLimitError: it is more than the size limit; `what` names it.
    """
    check_size(_zstd_size(memoryview(data)), what)


def _metadata(folder: Path) -> dict[str, Any]:
    """Return what the metadata say of the bag; nothing where they are missing or not valid."""
    path = folder / METADATA
    if not path.exists():
        return {}
    text = read_yaml_text(file_below(folder, METADATA))
    try:
        content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        found = content["rosbag2_bagfile_information"]
    except (yaml.YAMLError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _chunks(file: BinaryIO, size: int) -> Iterator[_Chunk]:
    """Yield the chunks that a file has, and those that its index says it has."""
    place = _MAGIC
    while place + _HEAD.size <= size:
        file.seek(place)
        kind, length = _HEAD.unpack(file.read(_HEAD.size))
        begin, place = place + _HEAD.size, place + _HEAD.size + length
        try:
            if kind == _CHUNK:
                yield _chunk(file, begin)
            elif kind == _CHUNK_INDEX and place <= size:
                record = file.read(length)
                start = struct.unpack_from("<Q", record, 16)[0]
                yield _chunk(file, start + _HEAD.size, record)
        except (struct.error, UnicodeDecodeError):
            continue  # the reader says what is wrong with it


def _chunk(file: BinaryIO, begin: int, index: bytes = b"") -> _Chunk:
    """Return a chunk whose record's content begins at a place; an index may describe it.

    Raises:
        struct.error, UnicodeDecodeError: it ends too soon, or is something else.
    """
    if index:
        offsets = struct.unpack_from("<I", index, 32)[0]
        name = 36 + offsets + 8
        length = struct.unpack_from("<I", index, name)[0]
        compression = index[name + 4 : name + 4 + length].decode()
        size, declared = struct.unpack_from("<QQ", index, name + 4 + length)
        return _Chunk(compression, begin + 40 + length, size, declared)
    file.seek(begin)
    head = file.read(32)
    declared, _, length = struct.unpack_from("<QII", head, 16)
    if length > _HEAD.size:
        raise struct.error
    rest = file.read(length + 8)
    size = struct.unpack_from("<Q", rest, length)[0]
    return _Chunk(rest[:length].decode(), begin + 40 + length, size, declared)


def _check_data(data: bytes, compression: str, declared: int, what: str) -> None:
    if compression == "zstd":
        unpacked = _zstd_size(memoryview(data))
        if unpacked > declared:
            raise FileLimitError(f"{what} unpacks to {unpacked} bytes; it declares {declared}")
    elif compression == "lz4":
        try:
            for _ in read_chunks(_lz4_parts(data), declared, what):
                pass
        except RuntimeError:
            return  # corrupt: the reader says so


def _zstd_size(data: memoryview) -> int:
    """Return what frames of zstd unpack to [bytes]; it stops counting above the size limit."""
    size, limit = 0, size_limit()
    while len(data) and size <= limit:
        try:
            length = zstd.get_frame_size(data)
            known = zstd.get_frame_info(data).decompressed_size
            if known is not None:
                size += known
            else:
                for part in _zstd_parts(data[:length]):
                    size += len(part)
                    if size > limit:
                        break
        except zstd.ZstdError:
            return size  # corrupt from here on: the reader says so
        data = data[length:]
    return size


def _zstd_parts(data: memoryview) -> Iterator[bytes]:
    decompressor = zstd.ZstdDecompressor()
    part = decompressor.decompress(data, _PART)
    while part or not decompressor.eof:
        yield part
        if decompressor.eof or (not part and decompressor.needs_input):
            return
        part = decompressor.decompress(b"", _PART)


def _lz4_parts(data: bytes) -> Iterator[bytes]:
    decompressor = LZ4FrameDecompressor()
    part = decompressor.decompress(data, _PART)
    while True:
        yield part
        if decompressor.eof or (not part and decompressor.needs_input):
            return
        part = decompressor.decompress(b"", _PART)
