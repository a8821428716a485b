"""Things as boxes: where a gripper takes one, and where it lets go of it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vlm_robot_ros.robot.config import Workspace

GRIPPER_WIDTH_M = 0.08
"""How far the fingers open."""
_MOST_RIM_M = 0.25
"""How wide a thing is at most that is carried by its rim: larger ones tilt."""
_FINGER_M = 0.012
"""Room that a finger needs beside what it grips [m]."""
_FINGER_DEPTH_M = 0.025
"""How far below the top of a thing the fingers reach: then the hand is on it [m]."""
_RIM_DEPTH_M, _SHALLOW_RIM_DEPTH_M, _SHALLOW_M = 0.02, 0.008, 0.025
"""How far below a rim the fingers reach; of things that are no higher than the last."""
_WALL_M = 0.006
"""From the outside of a rim to the middle of what the fingers grip [m]."""
_LOW_M = 0.008
"""How near what a thing stands on the fingertips come [m]."""
_CLEAR_M = 0.08
"""How much higher than start and goal a thing is carried [m]."""
_CLEAR_OF_RIM_M = 0.05
"""How much higher than a rim the lower side of a thing is carried [m]."""
_DROP_M = 0.01
"""How far above its place a thing is let go of [m]."""
_ALIKE_M = 0.004
"""Sides that differ by less are equally good to grip [m]."""
_ENOUGH_M = 0.02
"""Room beyond which the narrower sides are better to grip than more room [m]."""
_LIKE_M, _LIKE_RAD = 0.02, 0.4
"""How near each other grasps are that are alike."""
_HAND_HALF_M, _HAND_ABOVE_M = 0.105, 0.035
"""How far the hand reaches along the way that its fingers close, and how far it is above their
tips [m]."""
_PARTS = ((GRIPPER_WIDTH_M / 2 + _FINGER_M, 0.01, 0.0), (_HAND_HALF_M, 0.03, _HAND_ABOVE_M))
"""Of open fingers and of the hand: how far they reach along that way, how far aside, how far they
are above the fingertips [m]."""


class GraspError(ValueError):
    """A thing that cannot be gripped: says why."""


@dataclass(frozen=True)
class ObjectGeometry:
    """A thing as the box around it."""

    base: np.ndarray
    """The middle of its lower side. Shape (3,), base frame [m]."""
    size: np.ndarray
    """Along its own x and y, and its height. Shape (3,), [m]."""
    yaw: float = 0.0
    """Turn of its own x about the vertical [rad]."""
    hollow: bool = False
    """Whether it is open above, so that its rim can be gripped."""
    spot: np.ndarray | None = None
    """From its base to where a thing comes to rest on it, or in it. Shape (3,), base frame [m];
    None: in the middle of its top."""

    @property
    def top(self) -> float:
        """Height of its upper side [m]."""
        return float(self.base[2] + self.size[2])

    @property
    def place(self) -> np.ndarray:
        """Where the base of what is put on or in it comes to be. Shape (3,), [m]."""
        return self.base + ([0.0, 0.0, self.size[2]] if self.spot is None else self.spot)


@dataclass(frozen=True)
class Grasp:
    """Where the tool is when the fingers close; it points down."""

    point: np.ndarray
    """Shape (3,), base frame [m]."""
    yaw: float
    """Turn of the tool about the vertical; at 0 the fingers close along y [rad]."""


@dataclass(frozen=True)
class Place:
    """Where a thing is to be put."""

    point: np.ndarray
    """Where its base is to come to be. Shape (3,), base frame [m]."""
    rim: float = -np.inf
    """Height of the upper side of what it is put into, or on [m]."""


def place_on(thing: ObjectGeometry) -> Place:
    """Return the place on a thing, or in it."""
    return Place(thing.place, thing.top if thing.hollow or thing.spot is None else -np.inf)


def plan_grasp(
    thing: ObjectGeometry,
    others: Sequence[ObjectGeometry] = (),
    place: Place | None = None,
    workspace: Workspace | None = None,
    failed: Sequence[Grasp] = (),
) -> Grasp:
    """Return where a thing is gripped: at its sides, or at its rim; where there is most room.

    Args:
        thing: What is to be gripped.
        others: What stands around it, and around its place.
        place: Where it is put, if it is.
        workspace: Of the tool: grasps inside are better than others.
        failed: Grasps that did not hold it: others are better.

    Raises:
        GraspError: the fingers do not open far enough; says by how much.
    """
    candidates, enough = _side_grasps(thing), _ENOUGH_M
    widest = max(thing.size[:2])
    if not candidates and thing.hollow and widest > _MOST_RIM_M:
        raise GraspError(
            f"{100 * widest:.0f} cm wide, and the gripper carries things by their rims that are "
            f"{100 * _MOST_RIM_M:.0f} cm wide at most"
        )
    if not candidates and thing.hollow:
        candidates, enough = _rim_grasps(thing), np.inf
    if not candidates:
        raise GraspError(
            f"{100 * min(thing.size[:2]):.1f} cm wide, and the gripper takes "
            f"{100 * (GRIPPER_WIDTH_M - _FINGER_M):.1f} cm"
        )
    candidates = [each for each in candidates if not _is_like(each, failed)] or candidates
    best, most = candidates[0], -np.inf
    # What it stands in, or is put into, is no obstacle: the hand stays above the rim.
    beside = [other for other in others if not is_over(thing.base, other)]
    around = [other for other in others if place and not is_over(place.point, other)]
    for grasp in candidates:
        room = room_around(grasp, beside)
        points = [grasp.point]
        if place is not None:
            points.append(grasp.point + place.point - thing.base)
            room = min(room, room_around(replace(grasp, point=points[1]), around))
        if workspace is not None:
            inside = [np.minimum(point[:2] - workspace.min[:2], workspace.max[:2] - point[:2])
                      for point in points]  # fmt: skip
            room = min(room, float(np.min(inside)))
        room = min(room, enough)
        if room > most + _ALIKE_M:
            best, most = grasp, room
    return best


def tool_goal(thing: ObjectGeometry, grasp: Grasp, place: Place) -> np.ndarray:
    """Return where the tool is when it lets go of a thing above a place. Shape (3,), [m].

    Args:
        thing: As it was when it was gripped.
        grasp: How it was gripped.
        place: Where it is put; the hand stays above the rim, if there is one.
    """
    goal = place.point + (grasp.point - thing.base) + np.array([0.0, 0.0, _DROP_M])
    goal[2] = max(goal[2], place.rim - _FINGER_DEPTH_M)
    return goal


def travel_height(thing: ObjectGeometry, grasp: Grasp, place: Place) -> float:
    """Return how high the tool is on its way with a thing [m]."""
    above = float((grasp.point - thing.base)[2])
    highest = max(thing.base[2], place.point[2])
    travel = above + max(highest + _CLEAR_M, place.rim + _CLEAR_OF_RIM_M)
    return max(travel, highest + hanging(thing) + _CLEAR_OF_RIM_M)


def hanging(thing: ObjectGeometry) -> float:
    """Return how far a thing that is lifted hangs below where it is gripped [m].

    What is flat and is gripped at its edge swings down; else it is 0.
    """
    return float(max(thing.size[:2])) if _is_flat(thing) else 0.0


def _is_like(grasp: Grasp, others: Sequence[Grasp]) -> bool:
    return any(
        np.linalg.norm(grasp.point - other.point) < _LIKE_M
        and abs(half_turn(grasp.yaw - other.yaw)) < _LIKE_RAD
        for other in others
    )


def _side_grasps(thing: ObjectGeometry) -> list[Grasp]:
    """Return grasps of two opposite sides: of the narrower pair first, in the middle first."""
    widths, found = thing.size[:2], list[Grasp]()
    up = np.array([0.0, 0.0, _grasp_height(thing)])
    for axis in [1, 0] if widths[1] <= widths[0] + _ALIKE_M else [0, 1]:
        if widths[axis] > GRIPPER_WIDTH_M - _FINGER_M:
            continue
        way = thing.yaw + (0.0 if axis == 1 else np.pi / 2)
        along = max(widths[1 - axis] / 2 - _FINGER_M, 0.0) / 2
        found += [
            Grasp(thing.base + up + part * along * np.array([np.cos(way), np.sin(way), 0.0]),
                  half_turn(way))
            for part in ((0, 1, -1) if along > _ALIKE_M else (0,))
        ]  # fmt: skip
    return found


def _rim_grasps(thing: ObjectGeometry) -> list[Grasp]:
    depth = _SHALLOW_RIM_DEPTH_M if _is_flat(thing) else _RIM_DEPTH_M
    found = []
    for axis, turn in ((1, 0.0), (0, np.pi / 2)):
        way = thing.yaw + (np.pi / 2 if axis == 1 else 0.0)
        out = (thing.size[axis] / 2 - _WALL_M) * np.array([np.cos(way), np.sin(way), 0.0])
        up = np.array([0.0, 0.0, thing.size[2] - depth])
        found += [
            Grasp(thing.base + sign * out + up, half_turn(thing.yaw + turn)) for sign in (1, -1)
        ]
    return found


def _is_flat(thing: ObjectGeometry) -> bool:
    """Tell whether a thing is open above and hardly higher than its rim, as a plate."""
    return thing.hollow and thing.size[2] < _SHALLOW_M


def _grasp_height(thing: ObjectGeometry) -> float:
    """Return how far above its base a thing is gripped: in its middle, or as low as can be."""
    height = float(thing.size[2])
    deepest = max(height - _FINGER_DEPTH_M, _LOW_M)
    return max(deepest, min(height / 2, height - _LOW_M))


def room_around(grasp: Grasp, others: Sequence[ObjectGeometry]) -> float:
    """Return how far fingers and hand are from what stands around; negative where they meet it.

    No more than half the width of the hand counts.
    """
    across = np.array([-np.sin(grasp.yaw), np.cos(grasp.yaw)])
    least = _HAND_HALF_M
    for other in others:
        for reach, thick, above in _PARTS:
            height = grasp.point[2] + above
            if other.top < height or other.base[2] > height + _HAND_ABOVE_M:
                continue
            along = np.linspace(-reach, reach, 9)[:, None] * across
            gap = np.abs(_turned(grasp.point[:2] + along - other.base[:2], other.yaw))
            gap = gap - other.size[:2] / 2 - thick
            outside = np.linalg.norm(gap.clip(0.0), axis=1)
            inside = np.minimum(gap.max(1), 0.0)
            least = min(least, float((outside + inside).min()))
    return least


def box_overlap(thing: ObjectGeometry, base: np.ndarray, other: ObjectGeometry) -> float:
    """Return how deep a thing that stands at `base` is in another one, seen from above [m].

    Negative: how far apart they are along the axis that parts them most.
    """
    if other.top < base[2] + _LOW_M or other.base[2] > base[2] + thing.size[2]:
        return -np.inf
    deepest, gap = np.inf, other.base[:2] - base[:2]
    for yaw in (thing.yaw, thing.yaw + np.pi / 2, other.yaw, other.yaw + np.pi / 2):
        axis = np.array([np.cos(yaw), np.sin(yaw)])
        half = sum(
            box.size[:2] / 2 @ np.abs([np.cos(yaw - box.yaw), np.sin(yaw - box.yaw)])
            for box in (thing, other)
        )
        deepest = min(deepest, float(half - abs(axis @ gap)))
    return deepest


def corners(thing: ObjectGeometry) -> np.ndarray:
    """Return the corners of a box. Shape (8, 3), base frame [m]."""
    ends = np.array(list(itertools.product((-0.5, 0.5), (-0.5, 0.5), (0.0, 1.0)))) * thing.size
    sine, cosine = np.sin(thing.yaw), np.cos(thing.yaw)
    ends[:, :2] = ends[:, :2] @ np.array([[cosine, sine], [-sine, cosine]])
    return thing.base + ends


def is_over(point: np.ndarray, thing: ObjectGeometry) -> bool:
    """Tell whether a point is above or in a thing."""
    aside = np.abs(_turned(point[None, :2] - thing.base[:2], thing.yaw)[0])
    return bool(np.all(aside < thing.size[:2] / 2))


def _turned(points: np.ndarray, yaw: float) -> np.ndarray:
    """Return points, shape (N, 2), in axes that are turned by `yaw`."""
    sine, cosine = np.sin(yaw), np.cos(yaw)
    return points @ np.array([[cosine, -sine], [sine, cosine]])


def half_turn(yaw: float) -> float:
    """Return a turn that is the same to two fingers, and to a box: at most a quarter [rad]."""
    return float((yaw + np.pi / 2) % np.pi - np.pi / 2)
