"""Messages between processes over pipes: maps of arrays and of what JSON can say.

A message is its header's length (4 bytes, big-endian), the header in JSON, and the bytes of its
arrays: nothing in it is run. The file needs numpy only: scripts in other interpreters load it.
"""

import json
import math
import os
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

MAX_HEADER_BYTES, MAX_ARRAY_BYTES = 2**20, 64 * 2**20
"""Larger messages are refused."""
_DTYPES = {"float32": 4, "float64": 8, "uint8": 1}
"""Bytes a value, of the types that arrays may have."""


class FrameError(ValueError):
    """A message that is not in the format above."""


class RequestError(FrameError):
    """A message that cannot be written; nothing of it was."""


def write_message(stream: BinaryIO, message: dict[str, Any]) -> None:
    """Write a map of arrays, floats or uint8, and of what JSON can say.

    Raises:
        RequestError: an array has another type, it is too large, or JSON cannot say the rest.
        OSError: nobody reads.
    """
    arrays = {key: value for key, value in message.items() if isinstance(value, np.ndarray)}
    for key, array in arrays.items():
        if array.dtype.name not in _DTYPES:
            raise RequestError(f"'{key}' is of {array.dtype}; valid: {', '.join(_DTYPES)}")
    header = {
        "arrays": [[key, array.dtype.name, array.shape] for key, array in arrays.items()],
        "values": {key: value for key, value in message.items() if key not in arrays},
    }
    try:
        data = json.dumps(header).encode()
    except (TypeError, ValueError) as error:
        raise RequestError(f"a message that cannot be said: {error}") from error
    total = sum(array.nbytes for array in arrays.values())
    if total > MAX_ARRAY_BYTES or len(data) > MAX_HEADER_BYTES:
        raise RequestError(f"arrays of {total} bytes; valid: {MAX_ARRAY_BYTES}")
    stream.write(struct.pack(">I", len(data)) + data)
    for array in arrays.values():
        stream.write(np.ascontiguousarray(array).tobytes())
    stream.flush()


def read_message(stream: BinaryIO) -> dict[str, Any]:
    """Read a message; its arrays are read-only.

    Raises:
        EOFError: the other side has ended.
        FrameError: it is not valid.
    """
    (size,) = struct.unpack(">I", _read(stream, 4))
    if size > MAX_HEADER_BYTES:
        raise FrameError(f"a header of {size} bytes; valid: {MAX_HEADER_BYTES}")
    try:
        header = json.loads(_read(stream, size))
        message, specs = dict(header["values"]), list(header["arrays"])
        sizes = [_DTYPES[dtype] * math.prod(shape) for _, dtype, shape in specs]
        if not all(isinstance(each, int) for _, _, shape in specs for each in shape):
            raise FrameError("an array's shape is no list of whole numbers")
        if min(sizes, default=0) < 0 or sum(sizes) > MAX_ARRAY_BYTES:
            raise FrameError(f"arrays of {sum(sizes)} bytes; valid: {MAX_ARRAY_BYTES}")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise FrameError(f"a header that is not valid: {error!r}") from error
    for (key, dtype, shape), count in zip(specs, sizes, strict=True):
        message[key] = np.frombuffer(_read(stream, count), dtype).reshape(shape)
    return message


def _read(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if data is None or len(data) < size:
        raise EOFError
    return data


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return where requests come from and answers go to, in a process that answers.

    What the process prints goes to standard error from now on. It ends with the one that has
    begun it, whatever it does then.
    """
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, answers


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def answer_requests(
    answer: Callable[[dict[str, Any]], dict[str, Any]], requests: BinaryIO, answers: BinaryIO
) -> None:
    """Answer until nobody asks any more; whatever is wrong is told to who asks, as `error`."""
    while True:
        try:
            message = read_message(requests)
        except EOFError:
            return
        try:
            told = answer(message)
        except Exception as error:
            traceback.print_exc()
            told = error_message(error)
        write_message(answers, told)


def error_message(error: Exception) -> dict[str, Any]:
    """Return what is answered where something is wrong."""
    return {"error": f"{type(error).__name__}: {error}"}
