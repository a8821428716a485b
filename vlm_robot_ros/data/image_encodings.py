"""Raw image data to RGB, by the encodings of sensor_msgs and of camera drivers, with OpenCV."""

from typing import Any, NamedTuple

import cv2
import numpy as np

from vlm_robot_ros.file_limits import MAX_IMAGE_SIDE

# An image is small: a pool of threads costs more than it gives, and its threads would compete
# with the control loop.
cv2.setNumThreads(1)


class ImageError(ValueError):
    """An image message that cannot be used: says what was given and what is valid."""


class Encoding(NamedTuple):
    """How the pixels of an image are stored."""

    dtype: str
    """Of one value, as numpy names it."""
    channels: int
    """Values per pixel; of the first plane where there are several."""
    conversion: int | None
    """OpenCV's code of the conversion to RGB; None where the image is RGB."""
    block: tuple[int, int] = (1, 1)
    """Height and width are multiples of these [px]."""
    least: int = 1
    """Smallest width and height [px]."""

    @property
    def planar(self) -> bool:
        """Whether half as many rows of colour follow the rows of brightness."""
        return self.block == (2, 2)


_BAYER = {
    f"bayer_{pattern}{bits}": Encoding(
        f"u{bits // 8}", 1, getattr(cv2, f"COLOR_Bayer{pattern.upper()}2RGB"), least=3
    )
    for bits in (8, 16)
    for pattern in ("rggb", "bggr", "gbrg", "grbg")
}
_YUV = {
    "yuv422_yuy2": Encoding("u1", 2, cv2.COLOR_YUV2RGB_YUY2, (1, 2)),
    "yuyv": Encoding("u1", 2, cv2.COLOR_YUV2RGB_YUY2, (1, 2)),
    "yuv422": Encoding("u1", 2, cv2.COLOR_YUV2RGB_UYVY, (1, 2)),
    "uyvy": Encoding("u1", 2, cv2.COLOR_YUV2RGB_UYVY, (1, 2)),
    "nv12": Encoding("u1", 1, cv2.COLOR_YUV2RGB_NV12, (2, 2)),
    "nv21": Encoding("u1", 1, cv2.COLOR_YUV2RGB_NV21, (2, 2)),
}
"""BT.601 with limited range, as OpenCV and cv_bridge read them."""
ENCODINGS = {
    "rgb8": Encoding("u1", 3, None),
    "bgr8": Encoding("u1", 3, cv2.COLOR_BGR2RGB),
    "rgba8": Encoding("u1", 4, cv2.COLOR_RGBA2RGB),
    "bgra8": Encoding("u1", 4, cv2.COLOR_BGRA2RGB),
    "mono8": Encoding("u1", 1, cv2.COLOR_GRAY2RGB),
    "rgb16": Encoding("u2", 3, None),
    "bgr16": Encoding("u2", 3, cv2.COLOR_BGR2RGB),
    "rgba16": Encoding("u2", 4, cv2.COLOR_RGBA2RGB),
    "bgra16": Encoding("u2", 4, cv2.COLOR_BGRA2RGB),
    "mono16": Encoding("u2", 1, cv2.COLOR_GRAY2RGB),
    # OpenCV's own types, whose colours are in OpenCV's order.
    "8UC1": Encoding("u1", 1, cv2.COLOR_GRAY2RGB),
    "8UC3": Encoding("u1", 3, cv2.COLOR_BGR2RGB),
    "8UC4": Encoding("u1", 4, cv2.COLOR_BGRA2RGB),
    **_YUV,
    **_BAYER,
}
"""Encodings that become RGB."""
DISTANCES = {"32FC1": "f4", "16UC1": "u2"}
"""Encodings of depth images: metres, and millimetres (REP 118)."""
DEPTHS = {**DISTANCES, "mono16": "u2"}
"""The same, and what some drivers of depth cameras call millimetres."""
_CANONICAL = {name.lower(): name for name in (*ENCODINGS, *DEPTHS)}
VALID = ", ".join([*(name for name in ENCODINGS if name not in _BAYER), "bayer_rggb8",
                   "bayer_rggb16 and the other Bayer patterns"])  # fmt: skip
"""Those that become RGB, in words."""


def canonical_encoding(encoding: str) -> str:
    """Return an encoding's standard name: some drivers add blanks or use upper case."""
    return _CANONICAL.get(encoding.strip(" \t\r\n\0").lower(), encoding)


def is_mosaic(encoding: str) -> bool:
    """Tell whether a value of this encoding is a part of a colour rather than a brightness."""
    return canonical_encoding(encoding) in {**_YUV, **_BAYER}


def raw_to_rgb(message: Any) -> np.ndarray:
    """Return the image of a sensor_msgs Image. Shape (H, W, 3), uint8 RGB.

    Values of 16 bits are scaled to 8.

    Raises:
        ImageError: unknown encoding, impossible size, or data that does not fit them.
    """
    encoding = ENCODINGS.get(message.encoding) or _find(message.encoding)
    if encoding.conversion is None and encoding.dtype == "u1":
        return _values(message, encoding)
    values = _values(message, encoding)
    if encoding.conversion is not None:
        values = cv2.cvtColor(values, encoding.conversion)
    return to_8_bits(values) if encoding.dtype == "u2" else values


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """Return values of 16 bits, any shape, scaled to 8: 65535 becomes 255."""
    return cv2.convertScaleAbs(values, alpha=1 / 257)


def _find(name: str) -> Encoding:
    encoding = ENCODINGS.get(canonical_encoding(name))
    if encoding:
        return encoding
    if canonical_encoding(name) in DISTANCES:
        raise ImageError(
            f"encoding '{name}' is of depth images (REP 118); valid for a camera of colour: "
            f"{VALID}; a depth camera has 'depth: true' in the contract"
        )
    raise ImageError(f"encoding '{name}'; valid: {VALID}")


def _values(message: Any, encoding: Encoding) -> np.ndarray:
    """Return the values of an Image. Shape (rows, W) or (rows, W, channels), contiguous."""
    height, width = message.height, message.width
    planes = 3 if encoding.planar else 2
    if height % encoding.block[0] or width % encoding.block[1]:
        raise ImageError(
            f"size {width}x{height}; valid for encoding '{message.encoding}': even widths"
            + (" and heights" if encoding.planar else "")
        )
    if 0 < min(height, width) < encoding.least:
        raise ImageError(
            f"size {width}x{height}; valid for encoding '{message.encoding}': "
            f"{encoding.least}x{encoding.least} at least"
        )
    values = read_rows(message, encoding.dtype, encoding.channels, planes)
    shape = (len(values), width, encoding.channels)
    return values.reshape(shape if encoding.channels > 1 else shape[:2])


def read_rows(message: Any, dtype: str, channels: int, halves: int = 2) -> np.ndarray:
    """Return the values of an Image, row by row, in this machine's order of bytes.

    Args:
        message: sensor_msgs Image.
        dtype: Of one value, as numpy names it.
        channels: Values per pixel.
        halves: Rows of data per two rows of the image.

    Returns:
        Shape (rows, W * channels), contiguous; may share memory with the message.

    Raises:
        ImageError: impossible size, or data that does not fit it.
    """
    height, width, kind = message.height, message.width, np.dtype(dtype)
    size = kind.itemsize * channels
    most = MAX_IMAGE_SIDE
    if not (0 < height <= most and 0 < width <= most):
        raise ImageError(f"size {width}x{height}; valid: 1x1 to {most}x{most}")
    if message.step < width * size:
        raise ImageError(
            f"step {message.step} for {width} pixels of {size} bytes; valid: {width * size} bytes "
            "at least"
        )
    rows = height * halves // 2
    if len(message.data) != message.step * rows:
        raise ImageError(
            f"{len(message.data)} bytes of data; {rows} rows of step {message.step} are "
            f"{message.step * rows}"
        )
    data = np.frombuffer(message.data, np.uint8).reshape(rows, message.step)
    values = np.ascontiguousarray(data[:, : width * size])  # copies padded rows only
    if kind.itemsize == 1:
        return values
    given = kind.newbyteorder(">" if message.is_bigendian else "<")
    return values.view(given).astype(kind, copy=False)
