"""The trajectory that a controller executes: the last one sent, as the controller interpolates it.

joint_trajectory_controller plays the last message by its stamps, with a cubic Hermite polynomial
between two points. So the command at any time follows from the message alone, as long as that time
lies between two of its points.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import numpy as np

from vlm_robot_ros.motion.setpoint_generator import Setpoint


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
