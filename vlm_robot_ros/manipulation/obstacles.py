"""What else stands about, without a name: as boxes, from what a depth camera measures."""

import numpy as np
from scipy import ndimage

from vlm_robot_ros.manipulation.geometry import ObjectGeometry
from vlm_robot_ros.manipulation.segment_geometry import (
    SegmentError,
    depth_jumps,
    segment_geometry,
)

_ABOVE_M = 0.015
"""How high above what it stands on something is an obstacle [m]."""
_LEAST_PIXELS = 40
_ARM_M = 0.1
"""What is nearer to the tool than this belongs to the arm [m]."""


def obstacles(
    points: np.ndarray, known: np.ndarray, ground: float, top: float, tool: np.ndarray
) -> list[ObjectGeometry]:
    """Return boxes around what stands on the ground and is not known.

    Args:
        points: What each pixel shows is there, NaN where not measured. Shape (H, W, 3), base
            frame [m].
        known: Whether a pixel shows something that is known. Shape (H, W), bool.
        ground: Height of what things stand on [m].
        top: Height up to which things are looked for [m].
        tool: Where the tool is. Shape (3,), [m].
    """
    heights = points[..., 2]
    high = np.isfinite(heights) & (heights > ground + _ABOVE_M) & (heights < top)
    numbers, _ = ndimage.label(high & ~known & ~depth_jumps(points))
    found = []
    for number, part in enumerate(ndimage.find_objects(numbers), 1):
        mask = numbers[part] == number
        if mask.sum() < _LEAST_PIXELS:
            continue
        if np.linalg.norm(points[part][mask] - tool, axis=1).min() < _ARM_M:
            continue
        try:
            found.append(segment_geometry(mask, points[part], ground).box)
        except SegmentError:
            continue
    return found
