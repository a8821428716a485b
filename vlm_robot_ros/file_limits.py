"""One limit for what a file can unpack to: text, tables, arrays, compressed data and images.

A small file can declare or unpack to far more than its own size. Each reader of this package asks
this module first, so that a hostile or corrupt file is refused instead of exhausting the memory.
"""

import json
import math
import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

LIMIT_VARIABLE = "VLM_ROBOT_SIZE_LIMIT"
"""Environment variable that replaces `SIZE_LIMIT` [MiB]; 0 lifts the limit."""
SIZE_LIMIT = 4096
"""What one file or one episode may unpack to [MiB]."""
MAX_IMAGE_SIDE = 8192
"""Width and height of an image at most [px]; the size limit holds as well."""

_JSON_GROWTH = 32
"""Bytes of Python objects for one byte of JSON, at most: `[[],[],...]`."""
_YAML_GROWTH = 4096
"""The same for YAML, whose parser keeps places and events of each node."""
_NODE_SIZE = 2**15
"""What one node of YAML counts for, each alias as often as it is used [bytes]."""
_MAX_DEPTH = 64
"""Levels of nested JSON or YAML; no format read here has more than ten."""
_NUMBER_SIZE = 32
"""Bytes of a number in a Python list."""


class FileLimitError(ValueError):
    """A file that unpacks to more than the limit, or that is no regular file."""


def size_limit() -> float:
    """Return what one file or one episode may unpack to [bytes]; infinite when it is lifted.

    Raises:
        FileLimitError: the environment variable holds no size.
    """
    given = os.environ.get(LIMIT_VARIABLE, "").strip()
    try:
        limit = float(given) if given else float(SIZE_LIMIT)
    except ValueError:
        limit = -1.0
    if not limit >= 0:
        raise FileLimitError(
            f"{LIMIT_VARIABLE} is '{given}'; valid: a size in MiB, such as {SIZE_LIMIT}, or 0 for "
            "no limit"
        )
    return limit * 2**20 if limit else math.inf


def check_size(size: float, what: str) -> None:
    """Refuse what would unpack to more than the limit.

    Args:
        size: What it unpacks to [bytes].
        what: Names file and content in the error.

    Raises:
        FileLimitError: it is more than the limit; says how to lift it.
    """
    limit = size_limit()
    if not size <= limit:
        raise FileLimitError(
            f"{what} unpacks to {_readable(size)}; at most {_readable(limit)} are read. Set "
            f"{LIMIT_VARIABLE} to a larger size in MiB, or to 0 for no limit, if you trust it"
        )


class UnpackedSize:
    """Adds up what is unpacked of one file or episode, and refuses what exceeds the limit."""

    def __init__(self, what: str) -> None:
        """Begin at zero; `what` names file and content in the error."""
        self._what, self._size = what, 0

    def add(self, size: int) -> None:
        """Add a part before it is unpacked [bytes].

        Raises:
            FileLimitError: together the parts are more than the limit.
        """
        self._size += size
        check_size(self._size, self._what)


def check_image(width: int, height: int, what: str, size: int = 3) -> None:
    """Refuse an image by the dimensions in its header, before it is decoded.

    Args:
        width: [px]
        height: [px]
        what: Names the image in the error.
        size: Of one pixel when it is decoded [bytes].

    Raises:
        FileLimitError: a side is zero or above `MAX_IMAGE_SIDE`, or the size is above the limit.
    """
    if not (0 < width <= MAX_IMAGE_SIDE and 0 < height <= MAX_IMAGE_SIDE):
        raise FileLimitError(
            f"{what} is {width}x{height}; valid: 1x1 to {MAX_IMAGE_SIDE}x{MAX_IMAGE_SIDE} [px]"
        )
    check_size(width * height * size, f"{what} ({width}x{height})")


def regular_file(path: Path) -> Path:
    """Return a path that is a regular file: no folder, pipe, socket or device.

    Raises:
        FileNotFoundError: there is none.
        FileLimitError: it is something else, which could block or never end.
    """
    if not path.exists():
        raise FileNotFoundError(f"no file '{path}'")
    if not path.is_file():
        raise FileLimitError(f"'{path}' is not a regular file; valid: no folder, pipe or device")
    return path


def read_bytes(path: Path, growth: int = 1) -> bytes:
    """Read a regular file whole.

    Args:
        path: The file.
        growth: Bytes of memory for each of its bytes when it is parsed.

    Raises:
        FileNotFoundError: there is none.
        FileLimitError: it is no regular file, or too large.
        OSError: it cannot be read.
    """
    check_size(regular_file(path).stat().st_size * growth, f"'{path}'")
    return path.read_bytes()


def read_json(path: Path) -> Any:
    """Return what a JSON file holds, which may begin with a byte order mark.

    Raises:
        FileNotFoundError: there is none.
        FileLimitError: it is no regular file, too large or nested too deep.
        ValueError: it is not valid JSON.
        OSError: it cannot be read.
    """
    return parse_json(read_bytes(path, _JSON_GROWTH).decode("utf-8-sig"), f"'{path}'")


def read_json_lines(path: Path) -> list[Any]:
    """Return what each line of a JSONL file holds; errors as of `read_json`."""
    text = read_bytes(path, _JSON_GROWTH).decode("utf-8-sig")
    return [parse_json(line, f"'{path}'") for line in text.splitlines() if line.strip()]


def parse_json(text: str, what: str) -> Any:
    """Return what JSON text holds; `what` names it in errors.

    Raises:
        FileLimitError: it is too large or nested too deep.
        ValueError: it is not valid JSON.
    """
    check_size(len(text) * _JSON_GROWTH, what)
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise _exceeds_depth(what) from error
    level = [content]
    for _ in range(_MAX_DEPTH):
        level = [part for each in level for part in _parts(each)]
        if not level:
            return content
    raise _exceeds_depth(what)


def check_yaml(text: str, what: str) -> None:
    """Refuse YAML that is too large, too deep, or multiplies itself by aliases.

    Text that is not valid YAML passes: the parser that comes after says what is wrong.

    Raises:
        FileLimitError: it is; `what` names it.
    """
    check_size(len(text) * _YAML_GROWTH, what)
    sizes: dict[str, int] = {}
    counts, anchors = [0], [""]
    try:
        for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(event, yaml.AliasEvent):
                counts[-1] += sizes.get(event.anchor or "", 1)
            elif isinstance(event, yaml.ScalarEvent):
                counts[-1] += 1
                if event.anchor:
                    sizes[event.anchor] = 1
            elif isinstance(event, yaml.CollectionStartEvent):
                counts.append(1)
                anchors.append(event.anchor or "")
            elif isinstance(event, yaml.CollectionEndEvent):
                count = counts.pop()
                sizes[anchors.pop()] = count
                counts[-1] += count
            if len(counts) > _MAX_DEPTH:
                raise _exceeds_depth(what)
            check_size(sum(counts) * _NODE_SIZE, f"{what} with its aliases")
    except yaml.YAMLError:
        return


def read_yaml_text(path: Path) -> str:
    """Return the text of a YAML file that `check_yaml` has let through.

    Raises:
        FileNotFoundError: there is none.
        FileLimitError: it is no regular file, or exceeds a limit.
        UnicodeDecodeError: it is no text.
        OSError: it cannot be read.
    """
    text = read_bytes(path, _YAML_GROWTH).decode()
    check_yaml(text, f"'{path}'")
    return text


def check_archive(path: Path) -> None:
    """Refuse a .npz file by the sizes that its directory and its arrays declare.

    Raises:
        FileNotFoundError: there is none.
        FileLimitError: it is no regular file, or unpacks to too much.
        zipfile.BadZipFile, ValueError, OSError: it is corrupt.
    """
    what = f"'{path}'"
    with zipfile.ZipFile(regular_file(path)) as archive:
        check_size(sum(member.file_size for member in archive.infolist()), what)
        declared = UnpackedSize(what)
        for member in archive.infolist():
            if member.filename.endswith(".npy"):
                with archive.open(member) as file:
                    declared.add(_array_size(file))


def check_count(count: int, what: str) -> None:
    """Refuse a list of so many numbers: as Python objects they take `_NUMBER_SIZE` bytes each."""
    check_size(count * _NUMBER_SIZE, what)


def _array_size(file: Any) -> int:
    """Return how many bytes the array in a .npy file takes, by its header."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return math.prod(shape) * dtype.itemsize


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _exceeds_depth(what: str) -> FileLimitError:
    return FileLimitError(f"{what} is nested deeper than {_MAX_DEPTH} levels; valid: fewer")


def _readable(size: float) -> str:
    return f"{size / 2**20:,.0f} MiB" if size >= 2**20 else f"{size:,.0f} bytes"


def read_chunks(chunks: Iterable[bytes], declared: int, what: str) -> Iterator[bytes]:
    """Yield decompressed parts as long as they are no more than what was declared [bytes].

    Raises:
        FileLimitError: there is more, or more than the limit.
    """
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > declared:
            raise FileLimitError(f"{what} unpacks to more than the {declared} bytes it declares")
        check_size(size, what)
        yield chunk
