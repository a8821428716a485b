"""Images and distances out of image messages, decoded by rclpy or by a reader of bags."""

from typing import Any

import numpy as np

from vlm_robot_ros.data.compressed_images import decompress
from vlm_robot_ros.data.image_encodings import (
    DEPTHS,
    DISTANCES,
    ImageError,
    canonical_encoding,
    raw_to_rgb,
    read_rows,
)

__all__ = ["DISTANCES", "ImageError", "to_depth", "to_rgb"]


def to_rgb(message: Any) -> np.ndarray:
    """Return the image of a sensor_msgs Image or CompressedImage. Shape (H, W, 3), uint8 RGB.

    Raises:
        ImageError: unknown encoding or format, impossible size, or data that does not fit them.
    """
    return raw_to_rgb(message) if hasattr(message, "encoding") else decompress(message)


def to_depth(message: Any) -> np.ndarray:
    """Return the distances in a sensor_msgs Image, along the optical axis (REP 118).

    Returns:
        Shape (H, W), float32 [m]; NaN where nothing was measured.

    Raises:
        ImageError: unknown encoding, impossible size, or data that does not fit them.
    """
    valid = f"valid for depth: {', '.join(DEPTHS)}"
    if not hasattr(message, "encoding"):
        raise ImageError(f"a compressed image of format '{message.format}'; {valid}, not packed")
    dtype = DEPTHS.get(canonical_encoding(message.encoding))
    if dtype is None:
        raise ImageError(f"encoding '{message.encoding}'; {valid}")
    depth = read_rows(message, dtype, 1).astype(np.float32)
    if dtype == "u2":
        depth *= 1e-3
    with np.errstate(invalid="ignore"):
        depth[~((depth > 0) & (depth < np.inf))] = np.nan
    return depth
