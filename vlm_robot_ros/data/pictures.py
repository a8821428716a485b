"""Pictures out of image messages, whoever decoded these: rclpy, or a reader of bags."""

import io
from typing import Any

import numpy as np
from PIL import Image as Picture

_CHANNELS = {
    "rgb8": (0, 1, 2), "bgr8": (2, 1, 0), "rgba8": (0, 1, 2), "bgra8": (2, 1, 0),
    "mono8": (0, 0, 0),
}  # fmt: skip
"""Which are red, green and blue."""
_BYTES = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1}
DISTANCES = {"32FC1": "f4", "16UC1": "u2"}
"""Of depth images: metres, and millimetres (REP 118)."""
_LARGEST = 8192


class ImageError(ValueError):
    """An image message that cannot be used: says what was given and what is valid."""


def to_rgb(message: Any) -> np.ndarray:
    """Return the picture in a sensor_msgs Image or CompressedImage. Shape (H, W, 3), uint8 RGB.

    Raises:
        ImageError: unknown encoding, impossible size, or data that does not fit them.
    """
    if not hasattr(message, "encoding"):
        return _decompress(message)
    if message.encoding not in _CHANNELS:
        raise ImageError(f"encoding '{message.encoding}'; valid: {', '.join(_CHANNELS)}")
    height, width, depth = message.height, message.width, _BYTES[message.encoding]
    pixels = _rows(message, depth)[:, : width * depth].reshape(height, width, depth)
    if message.encoding == "rgb8":
        return np.ascontiguousarray(pixels)  # which copies rows with something between them only
    picture = np.empty((height, width, 3), np.uint8)
    for channel, source in enumerate(_CHANNELS[message.encoding]):
        picture[..., channel] = pixels[..., source]  # three times as fast as all at once
    return picture


def to_depth(message: Any) -> np.ndarray:
    """Return the distances in a sensor_msgs Image, along the optical axis (REP 118).

    Returns:
        Shape (H, W), float32 [m]; NaN where nothing was measured.

    Raises:
        ImageError: unknown encoding, impossible size, or data that does not fit them.
    """
    encoding = getattr(message, "encoding", "compressed")
    if encoding not in DISTANCES:
        raise ImageError(f"encoding '{encoding}'; valid for depth: {', '.join(DISTANCES)}")
    kind = np.dtype(DISTANCES[encoding]).newbyteorder(">" if message.is_bigendian else "<")
    rows = _rows(message, kind.itemsize)[:, : message.width * kind.itemsize]
    depth = np.ascontiguousarray(rows).view(kind).astype(np.float32)
    if kind.kind == "u":
        depth *= 1e-3
    with np.errstate(invalid="ignore"):
        depth[~((depth > 0) & (depth < np.inf))] = np.nan
    return depth


def _rows(message: Any, depth: int) -> np.ndarray:
    """Return the bytes of an Image of `depth` bytes a pixel. Shape (H, step), uint8."""
    height, width = message.height, message.width
    if not (0 < height <= _LARGEST and 0 < width <= _LARGEST):
        raise ImageError(f"size {width}x{height}; valid: 1x1 to {_LARGEST}x{_LARGEST}")
    if message.step < width * depth:
        raise ImageError(f"step {message.step} for {width} pixels of {depth} bytes")
    if len(message.data) != message.step * height:
        raise ImageError(
            f"{len(message.data)} bytes of data; {height} rows of step {message.step} are "
            f"{message.step * height}"
        )
    return np.frombuffer(message.data, np.uint8).reshape(height, message.step)


def _decompress(message: Any) -> np.ndarray:
    try:
        with Picture.open(io.BytesIO(bytes(message.data)), formats=("JPEG", "PNG")) as picture:
            if max(picture.size) > _LARGEST:
                raise ImageError(f"size {picture.size}; valid: up to {_LARGEST}x{_LARGEST}")
            return np.array(picture.convert("RGB"))
    except ImageError:
        raise
    except Exception as error:  # Pillow raises many kinds on bytes that are no picture
        raise ImageError(
            f"format '{message.format}' with {len(message.data)} bytes is no JPEG or PNG: {error}"
        ) from error
