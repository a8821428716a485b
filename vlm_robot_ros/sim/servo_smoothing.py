"""The smoothing plugins of MoveIt Servo, as their sources have them."""

from abc import ABC, abstractmethod

import numpy as np

from vlm_robot_ros.robot.config import RobotConfig

_COEFFICIENT = 1.5
"""`butterworth_filter_coeff`; more smooths more, and is later."""
_NO_WAY = 1e-9
"""A joint that has less to go stands [rad]."""
_SAME = 1e-4
"""Norm of a change of positions [rad], and of velocities [rad/s], that is not followed."""


class Smoothing(ABC):
    """Smooths the joint positions of one state after the other."""

    def __init__(self, robot: RobotConfig, period: float) -> None:
        """Smooth states every `period` seconds."""
        self._limits, self._period = robot.acceleration, period

    @abstractmethod
    def reset(self, positions: np.ndarray, velocities: np.ndarray) -> None:
        """Begin from a state. Shape (J,) each, [rad], [rad/s]."""

    @abstractmethod
    def apply(
        self, positions: np.ndarray, velocities: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what becomes of a state. Shape (J,) each, [rad], [rad/s]."""


class NoSmoothing(Smoothing):
    """`use_smoothing: false`."""

    def reset(self, positions: np.ndarray, velocities: np.ndarray) -> None:
        """See `Smoothing.reset`."""

    def apply(
        self, positions: np.ndarray, velocities: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `Smoothing.apply`."""
        return positions, velocities


class Butterworth(Smoothing):
    """`online_signal_smoothing::ButterworthFilterPlugin`: a low pass; the velocities stay."""

    def reset(self, positions: np.ndarray, velocities: np.ndarray) -> None:
        """See `Smoothing.reset`."""
        self._before = self._filtered = positions

    def apply(
        self, positions: np.ndarray, velocities: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `Smoothing.apply`."""
        feedback = (1.0 - _COEFFICIENT) * self._filtered
        self._filtered = (self._before + positions - feedback) / (1.0 + _COEFFICIENT)
        self._before = positions
        return self._filtered, velocities


class AccelerationLimited(Smoothing):
    """`online_signal_smoothing::AccelerationLimitedPlugin`."""

    def reset(self, positions: np.ndarray, velocities: np.ndarray) -> None:
        """See `Smoothing.reset`."""
        self._positions, self._velocities = positions, velocities

    def apply(
        self, positions: np.ndarray, velocities: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `Smoothing.apply`."""
        here, speed = self._positions, self._velocities
        if np.linalg.norm(here - positions) < _SAME and np.linalg.norm(speed - velocities) < _SAME:
            return here, speed
        there = limit_acceleration(here, speed, positions, self._limits, self._period)
        self._positions, self._velocities = there, (there - here) / self._period
        return self._positions, self._velocities


SMOOTHING: dict[str, type[Smoothing]] = {
    "none": NoSmoothing,
    "butterworth": Butterworth,
    "acceleration_limited": AccelerationLimited,
}


def limit_acceleration(
    here: np.ndarray, speed: np.ndarray, wanted: np.ndarray, limits: np.ndarray, period: float
) -> np.ndarray:
    """Return the next joint positions on a straight way, as the accelerations allow.

    As far on the way as can be, and where no point of it can be reached in time, slower in the
    direction of the motion.

    Args:
        here: Shape (J,), [rad].
        speed: Now. Shape (J,), [rad/s].
        wanted: Shape (J,), [rad].
        limits: Of the accelerations. Shape (J,), [rad/s^2].
        period: To the next positions [s].
    """
    way, spare = wanted - here, limits * period**2
    nearest, farthest = speed * period - spare, speed * period + spare
    moves = np.abs(way) > _NO_WAY
    ends = np.stack([nearest[moves], farthest[moves]]) / way[moves]
    least, most = np.max(ends.min(0), initial=0.0), np.min(ends.max(0), initial=1.0)
    if least <= most and np.all(np.abs(speed * period)[~moves] <= spare[~moves]):
        return here + most * way
    fastest = float(np.max(np.abs(speed) / limits)) / period
    return here + speed * period * (1.0 - 1.0 / max(fastest, 1.0))
