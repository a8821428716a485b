"""A thing that is pushed along what it stands on, with closed fingers behind it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.manipulation.geometry import (
    Grasp,
    GraspError,
    ObjectGeometry,
    box_overlap,
    half_turn,
    is_over,
    room_around,
)
from vlm_robot_ros.manipulation.transfer import TransferState
from vlm_robot_ros.manipulation.transfer_task import TransferTask

PUSH_M, LEAST_PUSH_M = 0.1, 0.06
"""How far a thing is pushed; where less room is free, at least [m]."""
_FINGER_HALF_M, _BEHIND_M = 0.01, 0.03
"""Half the thickness of the fingers along the way; how far behind a thing they come down [m]."""
_LOW_M, _HIGH_M, _PART = 0.01, 0.045, 0.4
"""How high above its lower side a thing is pushed: at least, at most [m]; part of its height and
of its depth."""
_PACE, _STALLED_TIMES = 0.35, 3
"""How fast things are pushed, in parts of the tool's other ways; how often the tool has stopped
when they are pushed harder."""
_PAST_M, _ABOVE_M, _STRAIGHT_RAD = 0.015, 0.02, 0.15
"""How near the place behind a thing the tool may come down; how high above the thing it comes to
that place [m]; how straight the tool must be [rad]."""
_JAMMED_TIMES = 25
"""How often the tool has stopped when what it pushes does not move."""
_STEP_M, _ON_M = 0.01, 0.015
"""Steps in which a way is looked at; how near the top of another thing one stands that is on it
[m]."""
_BESIDE_M = 0.01
"""How far a pushed thing stays away from others [m]."""


@dataclass
class PushTask(TransferTask):
    """One thing to be pushed; the fingers count as holding it when they are closed behind it."""

    way: tuple[float, float] = (1.0, 0.0)
    """Unit vector in the base frame."""
    far: float = field(default=0.0, init=False)
    """How far it is pushed [m]."""
    _is_behind: bool = field(default=False, init=False)
    """Whether the tool may come down."""

    @property
    def keeps(self) -> bool:
        """It is let go of where it was pushed to."""
        return False

    @property
    def pace(self) -> float:
        """It goes slowly, so that what is high does not fall over, until it gets no further."""
        return _PACE if self.held and self._stopped < _STALLED_TIMES else 1.0

    @property
    def goal(self) -> np.ndarray:
        """Where the tool ends. Shape (3,), [m]."""
        reach = self.far - half_along(self.target, np.array(self.way)) - _FINGER_HALF_M
        return self._at(reach)

    @property
    def travel(self) -> float:
        """How high the tool is on its way: as low as it began [m]."""
        return float(self.grasp.point[2])

    @property
    def expected(self) -> np.ndarray:
        """Where the thing stands, as far as is known. Shape (3,), [m]."""
        return self.expected_end if self.placed else self.target.base

    @property
    def aim(self) -> np.ndarray:
        """Where the tool goes to be behind it: high, until it is past the top. Shape (3,), [m]."""
        point = self.grasp.point.copy()
        if not (self._is_behind or self.held):
            point[2] = max(point[2], self.target.top + _ABOVE_M)
        return point

    def state(self, observation: Observation) -> TransferState:
        """Return what to decide on; a batch of one.

        Raises:
            GraspError: it does not move.
        """
        aside = np.linalg.norm((observation.pose[:3] - self.grasp.point)[:2])
        if aside > 2 * _PAST_M:
            self._is_behind = False
        elif aside < _PAST_M and self._askew < _STRAIGHT_RAD:
            self._is_behind = True
        state = super().state(observation)
        if self.held and self._stopped > _JAMMED_TIMES:
            raise GraspError("it does not move, however hard I push")
        return state

    def see(self, target: ObjectGeometry, tool: np.ndarray) -> None:
        """Take note of where the thing is seen before it is pushed."""
        if not (self.held or self.placed):
            super().see(target, tool)

    def _plan_grasp(self) -> Grasp:
        way = np.array(self.way)
        if any(_holds(other, self.target) for other in self.others):
            raise GraspError("it stands on something, and I push only what stands on the table")
        yaw = half_turn(float(np.arctan2(way[1], way[0])))
        grasp = Grasp(self._at(-half_along(self.target, way) - _BEHIND_M), yaw)
        if room_around(grasp, self.others) < 0.0:
            raise GraspError("there is no room for the hand to push it from")
        self.far = free_push(self.target, self.others, way, yaw)
        for point in (grasp.point, self.goal, self.expected_end):
            self._check_reach(point)
        return grasp

    @property
    def expected_end(self) -> np.ndarray:
        """Where its middle comes to be. Shape (3,), [m]."""
        return self.target.base + self.far * np.array([*self.way, 0.0])

    def _at(self, along: float) -> np.ndarray:
        way = np.array(self.way)
        height = self.target.base[2] + push_height(self.target, way)
        return np.array([*(self.target.base[:2] + along * way), height])

    def _check_reach(self, point: np.ndarray) -> None:
        if self.workspace is None:
            return
        low, high = (np.array(each[:2]) for each in (self.workspace.min, self.workspace.max))
        if ((point[:2] < low) | (point[:2] > high)).any():
            raise GraspError("pushing it that way takes it or the hand out of the workspace")

    def _update_grip(self, opening: float) -> None:
        if self._commanded > 0.5:
            if self.held:
                self.held, self.placed = False, True
            self._closing = 0
            return
        self._closing += 1
        self.held = self.held or (self._has_closed(opening) and not self.placed)


def free_push(
    thing: ObjectGeometry, others: Sequence[ObjectGeometry], way: np.ndarray, yaw: float
) -> float:
    """Return how far a thing can be pushed until it or the hand meets another, up to `PUSH_M`.

    Args:
        thing: That is pushed.
        others: What stands around it.
        way: Unit vector. Shape (2,).
        yaw: Of the tool [rad].

    Raises:
        GraspError: less than `LEAST_PUSH_M`.
    """
    far, reach = 0.0, half_along(thing, way) + _FINGER_HALF_M
    height = push_height(thing, way)
    for step in np.arange(1, round((PUSH_M + _BESIDE_M) / _STEP_M) + 1) * _STEP_M:
        moved = thing.base + step * np.array([*way, 0.0])
        hand = Grasp(moved - reach * np.array([*way, 0.0]) + [0.0, 0.0, height], yaw)
        meets = any(
            box_overlap(thing, moved, other) > max(0.0, box_overlap(thing, thing.base, other))
            for other in others
        )
        if meets or room_around(hand, others) < 0.0:
            break
        far = float(step) - _BESIDE_M
    if far < LEAST_PUSH_M - 1e-6:
        raise GraspError(
            f"{100 * max(far, 0.0):.0f} cm are free that way; pushing needs "
            f"{100 * LEAST_PUSH_M:.0f} cm"
        )
    return far


def _holds(other: ObjectGeometry, thing: ObjectGeometry) -> bool:
    """Tell whether a thing stands on another one, or in it."""
    if not is_over(thing.base, other) or other.size[2] < _LOW_M:
        return False
    return other.hollow or abs(other.top - thing.base[2]) < _ON_M


def push_height(thing: ObjectGeometry, way: np.ndarray) -> float:
    """Return how high above its lower side a thing is pushed [m].

    Pushed higher, what is higher than deep falls over.
    """
    smaller = min(thing.size[2], 2 * half_along(thing, way))
    return float(np.clip(_PART * smaller, _LOW_M, _HIGH_M))


def half_along(thing: ObjectGeometry, way: np.ndarray) -> float:
    """Return how far a thing reaches from its middle along a way [m]."""
    turn = np.arctan2(way[1], way[0]) - thing.yaw
    return float(thing.size[:2] / 2 @ np.abs([np.cos(turn), np.sin(turn)]))
