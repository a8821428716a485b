"""From the points that a depth camera measures of a thing to the box that it is taken for."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from vlm_robot_ros.manipulation.geometry import ObjectGeometry, half_turn

_LEAST_POINTS = 30
"""Fewer measured points say nothing of a shape."""
_OUTLIERS_PERCENT = 1.0
"""Of the points, on either end of each axis, are not believed."""
_LEAST_SIZE_M = 0.005
"""Of a side: depth cameras measure no less [m]."""
_MIDDLE = 0.4
"""Part of the sides around the middle where a hollow thing is lower than its rim."""
_HOLLOW = 0.35
"""Part of the height by which it is."""
_MOST_MISSING = 0.5
"""Part of a mask without measured distances above which its shape is not known."""


class SegmentError(ValueError):
    """A segment whose shape is not known: says why."""


@dataclass(frozen=True)
class SegmentGeometry:
    """What the points of a segment say."""

    box: ObjectGeometry
    missing: float
    """Part of the segment that was not measured, 0 to 1: glass, and what shines."""
    cut_off: bool
    """Whether the segment ends at the border of the image: the thing may be larger."""


def segment_geometry(mask: np.ndarray, points: np.ndarray, support: float) -> SegmentGeometry:
    """Return the box around what a mask shows.

    It stands upright on what is below it. The side that the camera does not see is not there: the
    box ends where the points do.

    Args:
        mask: Whether a pixel shows the thing. Shape (H, W), bool.
        points: What each pixel shows is there, NaN where it was not measured. Shape (H, W, 3),
            base frame [m].
        support: Height of what it stands on: `support_height` [m].

    Raises:
        SegmentError: too little of it was measured.
    """
    shown = points[mask]
    known = shown[np.isfinite(shown).all(1)]
    missing = 1.0 - len(known) / max(1, len(shown))
    if len(known) < _LEAST_POINTS:
        raise SegmentError(
            f"{len(known)} of {len(shown)} pixels of it have a distance; valid: {_LEAST_POINTS}"
        )
    if missing > _MOST_MISSING:
        raise SegmentError(f"{missing:.0%} of it has no distance: it may be glass, or shine")
    ends = np.percentile(known, (_OUTLIERS_PERCENT, 100 - _OUTLIERS_PERCENT), axis=0)
    kept = known[((known >= ends[0]) & (known <= ends[1])).all(1)]
    low, top = float(kept[:, 2].min()), float(kept[:, 2].max())
    # From above only its top may be seen.
    bottom = min(support, low)
    middle, sides, yaw = smallest_rectangle(kept[:, :2])
    height = max(top - bottom, _LEAST_SIZE_M)
    size = np.array([*sides, height])
    box = ObjectGeometry(np.array([*middle, bottom]), size, yaw)
    inner = _inner_height(kept, box)
    if inner is not None and top - inner > _HOLLOW * height:
        spot = np.array([0.0, 0.0, inner - bottom])
        box = ObjectGeometry(box.base, size, yaw, hollow=True, spot=spot)
    rows, columns = np.nonzero(mask)
    border = (rows.min() == 0, columns.min() == 0, rows.max() == mask.shape[0] - 1,
              columns.max() == mask.shape[1] - 1)  # fmt: skip
    return SegmentGeometry(box, missing, any(border))


def smallest_rectangle(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the rectangle of the least area around points, which has a side of their hull.

    Args:
        points: Shape (N, 2), [m].

    Returns:
        Its middle, shape (2,); its sides, shape (2,), the longer one first; and the turn of that
        one from x, within a quarter turn [rad].
    """
    try:
        hull = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):  # all on one line
        hull = points
    edges = np.diff(np.vstack([hull, hull[:1]]), axis=0)
    best: tuple[float, np.ndarray, np.ndarray, float] | None = None
    for yaw in np.unique(np.round(np.arctan2(edges[:, 1], edges[:, 0]) % (np.pi / 2), 4)):
        axes = np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]])
        turned = hull @ axes.T
        low, high = turned.min(0), turned.max(0)
        sides = (high - low).clip(_LEAST_SIZE_M)
        if best is None or sides.prod() < best[0]:
            best = float(sides.prod()), (low + high) / 2 @ axes, sides, float(yaw)
    assert best is not None
    _, middle, sides, yaw = best
    if sides[0] < sides[1]:
        sides, yaw = sides[::-1], yaw + np.pi / 2
    return middle, sides.copy(), half_turn(yaw)


def support_height(points: np.ndarray, around: np.ndarray, reach: float = 0.1) -> float:
    """Return the height of what stands around a place: the height that most points there have.

    Args:
        points: Of all but the thing, NaN where not measured. Shape (N, 3), [m].
        around: The place. Shape (2,), [m].
        reach: How far from it points count [m].

    Raises:
        SegmentError: nothing was measured there.
    """
    near = points[np.linalg.norm(points[:, :2] - around, axis=1) < reach]
    heights = near[np.isfinite(near).all(1), 2]
    if len(heights) < _LEAST_POINTS:
        raise SegmentError("nothing was measured of what it stands on")
    count, edges = np.histogram(heights, np.arange(heights.min(), heights.max() + 0.02, 0.01))
    fullest = int(count.argmax())
    inside = (heights >= edges[fullest]) & (heights <= edges[fullest + 1])
    return float(np.median(heights[inside]))


def _inner_height(points: np.ndarray, box: ObjectGeometry) -> float | None:
    """Return how high what is seen in the middle of a box is; None where nothing is."""
    sine, cosine = np.sin(box.yaw), np.cos(box.yaw)
    turned = (points[:, :2] - box.base[:2]) @ np.array([[cosine, -sine], [sine, cosine]])
    inside = points[(np.abs(turned) < box.size[:2] / 2 * _MIDDLE).all(1), 2]
    return float(np.median(inside)) if len(inside) >= _LEAST_POINTS // 3 else None
