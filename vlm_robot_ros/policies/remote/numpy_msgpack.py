"""The wire format of openpi: msgpack, in which an array is a map of its bytes, type and shape."""

import math
import re
from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np

_DTYPE = re.compile(r"[<>|=]?[biuf]\d{1,2}|\|?b1|\?")
"""Types of numbers, as numpy writes them; neither objects nor records."""
_MAX_ITEMS = 100_000
"""Items of all lists and maps of a message: more are no observation and no answer."""
_SHOWN_CHARACTERS = 60


class ProtocolError(ValueError):
    """A message that is not in the wire format."""


def pack(value: Any, encode: Callable[[Any], Any] | None = None) -> bytes:
    """Return a message of maps, lists, texts, numbers and arrays of numbers.

    Args:
        value: What it holds.
        encode: Makes a map of an array; as openpi does if not given.

    Raises:
        ProtocolError: it holds something else.
    """
    try:
        packed: bytes = msgpack.packb(value, default=encode or _encode)
    except (TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(f"it cannot be packed: {error}") from error
    return packed


def unpack(data: bytes, decode: Callable[[dict[Any, Any]], Any] | None = None) -> Any:
    """Return what a message holds; its arrays are read-only.

    Args:
        data: The message.
        decode: Makes of a map what it stands for; as openpi does if not given.

    Raises:
        ProtocolError: it is not valid, or too much of it is.
    """
    items, read = 0, decode or _decode

    def count(container: Any) -> Any:
        nonlocal items
        items += 1 + len(container)
        if items > _MAX_ITEMS:
            raise ProtocolError(f"a message of more than {_MAX_ITEMS:,} items")
        return container

    try:
        return msgpack.unpackb(
            data, list_hook=count, object_hook=lambda content: read(count(content)),
            max_array_len=_MAX_ITEMS, max_map_len=_MAX_ITEMS,
        )  # fmt: skip
    except ProtocolError:
        raise
    except Exception as error:  # msgpack's have no kind in common
        text = f"{type(error).__name__}: {error}"
        raise ProtocolError(f"{len(data)} bytes are no message: {text}") from error


def check_encodable(value: Any) -> None:
    """Raise TypeError where something is no array and no number of numpy's."""
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind not in "biuf":
        raise TypeError(f"an array of type {value.dtype}; valid: numbers")
    if not isinstance(value, np.ndarray | np.generic):
        raise TypeError(
            f"{type(value).__name__} {value!r}; valid: maps, lists, texts, numbers, arrays"
        )


def _encode(value: Any) -> Any:
    check_encodable(value)
    if isinstance(value, np.ndarray):
        return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": value.dtype.str,
                b"shape": value.shape}  # fmt: skip
    return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}


def _decode(content: dict[Any, Any]) -> Any:
    if b"__ndarray__" not in content and b"__npgeneric__" not in content:
        return content
    said = content.get(b"dtype")
    if not isinstance(said, str) or not _DTYPE.fullmatch(said):
        shown = repr(said)[:_SHOWN_CHARACTERS]
        raise ProtocolError(f"an array of type {shown}; valid: numbers, such as '<f4'")
    try:
        dtype = np.dtype(said)
        if b"__npgeneric__" in content:
            return dtype.type(content[b"data"])
        shape, data = content[b"shape"], content[b"data"]
        if not all(isinstance(size, int) and size >= 0 for size in shape):
            shown = repr(shape)[:_SHOWN_CHARACTERS]
            raise ProtocolError(f"an array of shape {shown}; valid: whole numbers from 0")
        if math.prod(shape) * dtype.itemsize != len(data):
            shown = repr(shape)[:_SHOWN_CHARACTERS]
            raise ProtocolError(f"an array of shape {shown} and type {said} in {len(data)} bytes")
        return np.frombuffer(data, dtype).reshape(shape)
    except (KeyError, TypeError) as error:
        raise ProtocolError(f"an array that lacks something: {error!r}") from error
