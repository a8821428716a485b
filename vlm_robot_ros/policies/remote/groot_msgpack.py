"""The wire format of GR00T's server: msgpack, in which an array is a map with a .npy file."""

import io
import math
from typing import Any

import numpy as np
from numpy.lib import format as npy

from vlm_robot_ros.policies.remote import numpy_msgpack
from vlm_robot_ros.policies.remote.numpy_msgpack import ProtocolError, check_encodable

_ARRAY, _CONFIG = "__ndarray_class__", "__ModalityConfig_class__"


def pack(value: Any) -> bytes:
    """Return a message of maps, lists, texts, numbers and arrays of numbers.

    Raises:
        ProtocolError: it holds something else.
    """
    return numpy_msgpack.pack(value, _encode)


def unpack(data: bytes) -> Any:
    """Return what a message holds.

    Raises:
        ProtocolError: it is not valid, or too much of it is.
    """
    return numpy_msgpack.unpack(data, _decode)


def _encode(value: Any) -> Any:
    check_encodable(value)
    file = io.BytesIO()
    np.save(file, np.asarray(value), allow_pickle=False)
    return {_ARRAY: True, "as_npy": file.getvalue()}


def _decode(content: dict[Any, Any]) -> Any:
    if _CONFIG in content:
        return content.get("as_json")
    if _ARRAY not in content:
        return content
    data = content.get("as_npy")
    if not isinstance(data, bytes):
        raise ProtocolError("an array without its .npy file")
    file = io.BytesIO(data)
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file)
    except ValueError as error:
        raise ProtocolError(f"an array that is no .npy file: {error}") from error
    if dtype.kind not in "biuf" or math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise ProtocolError(f"an array of shape {shape} and type {dtype} in {len(data)} bytes")
    return np.load(io.BytesIO(data), allow_pickle=False)
