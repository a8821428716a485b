"""ros2_control's joint_trajectory_controller, as its source has it: position commands, splines.

What counts is from which state it joins a new trajectory, for which time it samples it, what it
refuses, and what it does when it is late (ros2_controllers 4.42 to 6.9, `update` and `sample`).
Tolerances, goals of its action and partial trajectories are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class ControllerSettings:
    """How a controller is set up, and what lies between it, the node and the hardware."""

    rate: float = 500.0
    """Updates per second [Hz]."""
    interpolate_from_desired_state: bool = False
    """Join a new trajectory from the last command instead of from the measured state."""
    velocity_states: bool = True
    """Whether the hardware reports velocities."""
    offset: float = 0.0
    """Of each measured position from the true one [rad]."""
    delay: float = 0.0
    """From sending a trajectory to its arrival [s]."""
    jitter: float = 0.0
    """Of the delay: so much is added at random at most [s]."""
    speed_scaling: float = 1.0
    """At what part of its speed a trajectory is executed."""


@dataclass(frozen=True)
class Trajectory:
    """Points in the order of the controller's joints."""

    times: np.ndarray
    """By the controller's clock. Shape (P,), [s]."""
    positions: np.ndarray
    """Shape (P, J), [rad]."""
    velocities: np.ndarray
    """Shape (P, J), [rad/s]."""


def parse_trajectory(
    names: Sequence[str],
    stamp: float,
    points: Sequence[tuple[float, ArrayLike, ArrayLike]],
    joints: Sequence[str],
    now: float,
) -> Trajectory:
    """Return a trajectory in the order of an arm's joints.

    Args:
        names: Of the joints, in the order of the points.
        stamp: From which on times count [s]; 0 for now.
        points: Time from the start [s], positions [rad] and velocities [rad/s] of each.
        joints: The controller's.
        now: [s]

    Raises:
        ValueError: what the controller refuses; says what was given, what is valid.
    """
    if sorted(names) != sorted(joints):
        raise ValueError(f"joints {', '.join(names) or 'none'}; valid: {', '.join(joints)}")
    if not points:
        raise ValueError("a trajectory without points; valid: one or more")
    times = np.array([time for time, _, _ in points])
    if np.any(np.diff(times) <= 0):
        raise ValueError(f"times {times.tolist()}; valid: ones that grow from point to point")
    order = [list(names).index(name) for name in joints]
    rows = []
    for number, (_, positions, velocities) in enumerate(points):
        row = []
        for what, given in (("positions", positions), ("velocities", velocities)):
            values = np.atleast_1d(given)
            if values.shape != (len(joints),):
                raise ValueError(
                    f"{values.size} {what} at point {number}; valid: one for each of "
                    f"{', '.join(joints)}"
                )
            row.append(values[order])
        rows.append(row)
    table = np.array(rows, float)
    if not np.all(np.isfinite(table)):  # the controller takes them: so this one is stricter
        raise ValueError("a trajectory with numbers that are not finite")
    if np.any(np.abs(table[-1, 1]) > np.finfo(np.float32).eps):
        raise ValueError(f"a last point with velocities {table[-1, 1].tolist()}; valid: zeros")
    start = stamp or now
    if start + times[-1] < now:
        raise ValueError(f"a trajectory that ended {now - start - times[-1]:.2f} s ago")
    return Trajectory(start + times, table[:, 0], table[:, 1])


class JointTrajectoryController:
    """Executes one trajectory at a time; to be updated once per period. Times in seconds."""

    def __init__(self, settings: ControllerSettings, position: np.ndarray) -> None:
        """Activate a controller whose hardware was commanded to a position. Shape (J,), [rad]."""
        self._settings, self._period = settings, 1.0 / settings.rate
        still = np.zeros(len(position))
        self._command = position.astype(float), still
        self._command_time: float | None = None
        self._trajectory: Trajectory | None = None
        self._before: tuple[float, np.ndarray, np.ndarray] | None = None
        self._time = 0.0
        self.joined = False
        """Whether the last update joined a trajectory from a state of the controller's own."""

    @property
    def command(self) -> np.ndarray:
        """The last command. Shape (J,), [rad]."""
        return self._command[0]

    def receive(self, trajectory: Trajectory) -> None:
        """Take a trajectory, which replaces the one before at the next update."""
        self._trajectory, self._before = trajectory, None

    def update(self, now: float, measured: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Return the command of one period later.

        Args:
            now: [s]
            measured: Joint positions, shape (J,) [rad].
            velocity: Of them, shape (J,) [rad/s].
        """
        self.joined = False
        if self._trajectory is None:
            return self.command
        if self._before is None:
            self._before, self._time = self._join_start(now, measured, velocity), now
        else:
            self._time += self._period * self._settings.speed_scaling
        self._command, self._command_time = self._sample(self._time + self._period), now
        return self.command

    def _join_start(
        self, now: float, measured: np.ndarray, velocity: np.ndarray
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Return time, position and velocity from which a new trajectory is joined."""
        if self._settings.interpolate_from_desired_state:
            # The command is of the period that begins now; its time is that of the last update.
            time = now if self._command_time is None else self._command_time
            return time, *self._command
        position = measured + self._settings.offset
        return (
            now,
            position,
            velocity if self._settings.velocity_states else np.zeros_like(velocity),
        )

    def _sample(self, time: float) -> tuple[np.ndarray, np.ndarray]:
        """Return position and velocity of a time."""
        path = self._trajectory
        assert path is not None
        assert self._before is not None
        if time < path.times[0]:
            self.joined = True
            end = (float(path.times[0]), path.positions[0], path.velocities[0])
            return _hermite(self._before, end, time)
        index = int(np.searchsorted(path.times, time, side="right")) - 1
        if index + 1 >= len(path.times):
            return path.positions[-1], np.zeros(path.positions.shape[1])
        start, end = (
            (float(path.times[i]), path.positions[i], path.velocities[i])
            for i in (index, index + 1)
        )
        return _hermite(start, end, time)


_State = tuple[float, np.ndarray, np.ndarray]


def _hermite(start: _State, end: _State, time: float) -> tuple[np.ndarray, np.ndarray]:
    """Return position and velocity at a time on the cubic between two states."""
    duration, since = end[0] - start[0], max(time - start[0], 0.0)
    slope = (end[1] - start[1]) / duration
    second = (3 * slope - 2 * start[2] - end[2]) / duration
    third = (start[2] + end[2] - 2 * slope) / duration**2
    position = start[1] + since * (start[2] + since * (second + since * third))
    return position, start[2] + since * (2 * second + 3 * since * third)
