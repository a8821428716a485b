"""From the points that a depth camera measures of a thing to the box that it is taken for."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
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
_RIM_PART, _RIM_LEAST_M = 0.12, 0.006
"""How far below the top of a thing its rim reaches: part of its height, and at least [m]."""
_RIM_WIDTH_M, _RIM_AREA, _FILLED = 0.04, 0.4, 0.02
"""How wide a rim is at least [m], what part of the thing's area it surrounds; what part of what is
as high as the rim may be in its middle."""
_HIGHEST_PERCENTILE, _TOP_BEHIND_M = 98.0, 0.003
"""Points above are not believed to be the top; how far behind the middle of what is seen the
middle of the top is where the back is hidden [m]."""
_TOP_M, _DEEPEST = 0.012, 1.05
"""How far below the highest point the top of a thing reaches [m]; how deep a thing with a
hidden back is taken to be at most, in widths."""
_JUMP_M, _PART = 0.03, 0.15
"""Neighbouring pixels that are farther apart show two things [m]; a part of a mask that is smaller
than this share of its largest part is left out."""
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


def segment_geometry(
    mask: np.ndarray, points: np.ndarray, support: float, camera: np.ndarray | None = None
) -> SegmentGeometry:
    """Return the box around what a mask shows.

    It stands upright on what is below it. The side that the camera does not see is taken to be as
    the other one, from the middle of the top, unless the thing is open above.

    Args:
        mask: Whether a pixel shows the thing. Shape (H, W), bool.
        points: What each pixel shows is there, NaN where it was not measured. Shape (H, W, 3),
            base frame [m].
        support: Height of what it stands on: `support_height` [m].
        camera: Where the camera is, if known: else the box ends where the points do. Shape (3,).

    Raises:
        SegmentError: too little of it was measured.
    """
    shown = points[mask]
    known = points[_without_strays(mask, points)]
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
    rim = _rim(kept, box)
    if rim is None and camera is not None:
        middle, sides, yaw = smallest_rectangle(_completed(kept, camera))
        box = ObjectGeometry(np.array([*middle, bottom]), np.array([*sides, height]), yaw)
    if rim is not None:
        inner = _inner_height(kept, rim)
        rest = _LEAST_SIZE_M if inner is None else max(inner - bottom, _LEAST_SIZE_M)
        if inner is None or top - inner > _HOLLOW * height:
            box = replace(rim, hollow=True, spot=np.array([0.0, 0.0, rest]))
    rows, columns = np.nonzero(mask)
    border = (rows.min() == 0, columns.min() == 0, rows.max() == mask.shape[0] - 1,
              columns.max() == mask.shape[1] - 1)  # fmt: skip
    return SegmentGeometry(box, missing, any(border))


def _completed(points: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Return the points of a thing, and what mirrors them behind the middle of its top.

    Bottles and cartons hide their back; a flat top shows how deep a thing is. Shape (N, 2), [m].
    """
    flat = points[:, :2]
    top = flat[points[:, 2] > np.percentile(points[:, 2], _HIGHEST_PERCENTILE) - _TOP_M]
    middle = (top.min(0) + top.max(0)) / 2
    away = middle - camera[:2]
    away = away / max(float(np.linalg.norm(away)), 1e-9)
    along = flat @ away
    if middle @ away < (along.min() + along.max()) / 2 + _TOP_BEHIND_M:
        return flat  # the top is in the middle: what is seen is all
    mirrored = 2 * middle - flat
    depth = (flat @ away).max()
    behind = mirrored @ away
    # What is deeper than wide is no bottle: then its back is seen, or nothing is known of it.
    across = flat @ np.array([-away[1], away[0]])
    deepest = (flat @ away).min() + (across.max() - across.min()) * _DEEPEST
    return np.vstack([flat, mirrored[(behind > depth) & (behind < deepest)]])


def depth_jumps(points: np.ndarray) -> np.ndarray:
    """Return where one thing ends and another begins, as neighbouring pixels show it.

    Args:
        points: Shape (H, W, 3), [m].

    Returns:
        Shape (H, W), bool: pixels right of and below the jumps.
    """
    jumps = np.zeros(points.shape[:2], bool)
    jumps[1:] |= np.linalg.norm(np.diff(points, axis=0), axis=2) > _JUMP_M
    jumps[:, 1:] |= np.linalg.norm(np.diff(points, axis=1), axis=2) > _JUMP_M
    return jumps


def _without_strays(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the measured pixels of a mask without small parts that are apart. Shape (H, W)."""
    measured = mask & np.isfinite(points).all(2)
    parts, count = ndimage.label(measured & ~depth_jumps(points), np.ones((3, 3)))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    kept: np.ndarray = np.isin(parts, np.flatnonzero(sizes >= max(1, _PART * sizes.max())))
    return kept


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


def _rim(points: np.ndarray, box: ObjectGeometry) -> ObjectGeometry | None:
    """Return the box around the rim of a thing, without handles; None where it has none.

    A rim is as wide as the thing, and nothing is as high in its middle.
    """
    high = points[points[:, 2] > box.top - max(_RIM_PART * box.size[2], _RIM_LEAST_M)]
    if len(high) < _LEAST_POINTS:
        return None
    middle, sides, yaw = smallest_rectangle(high[:, :2])
    rim = replace(box, base=np.array([*middle, box.base[2]]), size=np.array([*sides, box.size[2]]),
                  yaw=yaw)  # fmt: skip
    wide = sides.min() > _RIM_WIDTH_M and sides.prod() > _RIM_AREA * box.size[:2].prod()
    turned = _turned_to(high, rim)
    filled = (np.abs(turned) < sides / 2 * _MIDDLE).all(1).mean()
    return rim if wide and filled < _FILLED else None


def _turned_to(points: np.ndarray, box: ObjectGeometry) -> np.ndarray:
    """Return points from the middle of a box, along its sides. Shape (N, 3) to (N, 2), [m]."""
    sine, cosine = np.sin(box.yaw), np.cos(box.yaw)
    return (points[:, :2] - box.base[:2]) @ np.array([[cosine, -sine], [sine, cosine]])


def _inner_height(points: np.ndarray, box: ObjectGeometry) -> float | None:
    """Return how high what is seen in the middle of a box is; None where nothing is."""
    inside = points[(np.abs(_turned_to(points, box)) < box.size[:2] / 2 * _MIDDLE).all(1), 2]
    return float(np.median(inside)) if len(inside) >= _LEAST_POINTS // 3 else None
