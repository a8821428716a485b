"""What the controllers are sent at one tick, and what they execute between messages.

joint_trajectory_controller plays the last message by its stamps, with a cubic Hermite polynomial
between two points. So the command at any time follows from the message alone, as long as that time
lies between two of its points.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.motion.setpoint_generator import Setpoint
from vlm_robot_ros.motion.target_tracker import SetpointPreview

_PAST_DURATION_S = 0.04
"""Past that each trajectory repeats [s]; at least two setpoints."""
_COMMITTED_DURATION_S = 0.03
"""Start of the last trajectory that each new one keeps [s], at least one period: a trajectory
that is late by less is joined without a jump."""
_ROUNDING_TOLERANCE = 1e-6


class SentTrajectory:
    """Setpoints at growing times [s of one clock], with a standstill before and after them."""

    def __init__(self, times: Sequence[float], setpoints: Sequence[Setpoint]) -> None:
        """Keep a trajectory of one setpoint per time; the last one is a standstill."""
        self._times, self._setpoints = list(times), list(setpoints)

    @property
    def end(self) -> float:
        """When the arm stands still at the last setpoint [s]."""
        return self._times[-1]

    def at(self, time: float) -> Setpoint:
        """Return the command at a time [s]; before and after the trajectory that of its ends."""
        index = bisect_right(self._times, time + 1e-9)
        if index == 0:
            return self._setpoints[0]
        start, since = self._setpoints[index - 1], time - self._times[index - 1]
        if index == len(self._times) or abs(since) < 1e-9:
            return start
        end, duration = self._setpoints[index], self._times[index] - self._times[index - 1]
        return _hermite(start, end, duration, since)

    def sample(self, now: float, period: float, ticks: Iterable[int]) -> tuple[Setpoint, ...]:
        """Return the commands of some ticks, counted from `now` in periods [s]."""
        return tuple(self.at(now + tick * period) for tick in ticks)


def _hermite(start: Setpoint, end: Setpoint, duration: float, since: float) -> Setpoint:
    """Return the command `since` seconds after `start` on the cubic that ends in `end`."""
    slope = (end.position - start.position) / duration
    second = (3 * slope - 2 * start.velocity - end.velocity) / duration
    third = (start.velocity + end.velocity - 2 * slope) / duration**2
    position = start.position + since * (start.velocity + since * (second + since * third))
    velocity = start.velocity + since * (2 * second + 3 * since * third)
    return Setpoint(position, velocity, np.asarray(2 * second + 6 * since * third))


STANDSTILL_DURATION_S = 0.5
"""Duration of the standstill at the end of a trajectory [s]: controllers refuse a trajectory
that is over when it arrives."""


@dataclass(frozen=True)
class MotionCommand:
    """What an arm is commanded at one tick."""

    time: float
    """When the tick is due [s]."""
    period: float
    """Between setpoints [s]."""
    preview: SetpointPreview
    pose: np.ndarray
    """Of the tool at the first setpoint: a transform in the base frame. Shape (4, 4), [m]."""
    twist: np.ndarray
    """That takes the tool there, in the base frame. Shape (6,): linear [m/s], angular [rad/s]."""
    gripper: float
    """0 closed, 1 open."""
    past_setpoints: tuple[Setpoint, ...] = ()
    """The commands until `time`, one per period; the last is due at `time`."""
    first_offset: float = 0.0
    """Seconds from `time` to the first setpoint of the path; 0: one period."""

    def points(self) -> list[tuple[float, Setpoint]]:
        """Return the trajectory: seconds after `time` (negative: before), and the setpoint then.

        It ends with a standstill. The past setpoints are there for joint_trajectory_controller,
        which joins a trajectory that begins in the future from a state of its own: from the
        measured one, or from its last command at the wrong time. With a point before and one after
        the present it uses neither.
        """
        path, count = self.preview, len(self.preview.setpoints)
        first = self.first_offset or self.period
        times = [first + number * self.period for number in range(count)]
        stand = times[-1] + max(path.stop_time, self.period)
        ends = [(stand, path.end), (stand + STANDSTILL_DURATION_S, path.end)]
        before = [-number * self.period for number in reversed(range(len(self.past_setpoints)))]
        return [
            *zip(before, self.past_setpoints, strict=True),
            *zip(times, path.setpoints, strict=True),
            *ends,
        ]

    def sent_trajectory(self) -> SentTrajectory:
        """Return the trajectory by the clock of `time`."""
        times, setpoints = zip(*self.points(), strict=True)
        return SentTrajectory([self.time + time for time in times], setpoints)


def overlap_ticks(period: float) -> tuple[int, int]:
    """Return how many setpoints each trajectory keeps of the last one, and repeats of the past.

    Args:
        period: Between setpoints [s].
    """
    kept = math.ceil(_COMMITTED_DURATION_S / period - _ROUNDING_TOLERANCE)
    return kept, max(2, math.ceil(_PAST_DURATION_S / period - _ROUNDING_TOLERANCE))
