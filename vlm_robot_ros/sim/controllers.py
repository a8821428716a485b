"""What the simulated arm's controllers make of commands, as the real ones do.

The trajectory follows ros2_control's joint_trajectory_controller with
`interpolate_from_desired_state`, in what it refuses and in how it interpolates; the twist follows
MoveIt Servo, which comes to a halt when nothing new is said, with the smoothing that its example
for the Panda has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicHermiteSpline

TWIST_TIMEOUT = 0.1
"""How long a twist is followed [s]."""
_NO_WAY = 1e-9
"""A joint that has less to go stands [rad]."""


@dataclass(frozen=True)
class JointPath:
    """Points that joints shall pass."""

    start: float
    """From which on the times count [s]."""
    times: np.ndarray
    """Shape (P,), [s]."""
    positions: np.ndarray
    """Shape (P, J), [rad]."""
    velocities: np.ndarray
    """Shape (P, J), [rad/s]."""


def joint_path(
    names: Sequence[str],
    start: float,
    points: Sequence[tuple[float, ArrayLike, ArrayLike]],
    joints: Sequence[str],
    now: float,
) -> JointPath:
    """Return a trajectory in the order of an arm's joints.

    Args:
        names: Of the joints, in the order of the points.
        start: From which on times count [s]; 0 for now.
        points: Time from the start [s], positions [rad] and velocities [rad/s] of each.
        joints: The arm's.
        now: [s]

    Raises:
        ValueError: what joint_trajectory_controller refuses; says what was given, what is valid.
    """
    if sorted(names) != sorted(joints):
        raise ValueError(f"joints {', '.join(names) or 'none'}; valid: {', '.join(joints)}")
    if not points:
        raise ValueError("a trajectory without points; valid: one or more")
    times = np.array([time for time, _, _ in points])
    if np.any(np.diff(times, prepend=0.0) <= 0) and len(times) > 1:
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
    if not np.all(np.isfinite(table)):
        raise ValueError("a trajectory with numbers that are not finite")
    if np.any(np.abs(table[-1, 1]) > np.finfo(np.float32).eps):
        raise ValueError(f"a last point with velocities {table[-1, 1].tolist()}; valid: zeros")
    start = start or now
    if start + times[-1] < now:
        raise ValueError(f"a trajectory that ended {now - start - times[-1]:.2f} s ago")
    return JointPath(start, times, table[:, 0], table[:, 1])


class PathFollower:
    """Plays one path from where the joints were told to be when it came."""

    def __init__(
        self, path: JointPath, now: float, position: np.ndarray, velocity: np.ndarray
    ) -> None:
        """Go on from a position [rad] and a velocity [rad/s] at `now` [s]. Shape (J,) each."""
        times = path.start + path.times
        coming = times > now + 1e-9
        if not coming.any():
            coming[-1] = True
            times[-1] = now + 1e-6
        self._end = float(times[-1])
        self._spline = CubicHermiteSpline(
            np.concatenate([[now], times[coming]]),
            np.concatenate([position[None], path.positions[coming]]),
            np.concatenate([velocity[None], path.velocities[coming]]),
        )

    def at(self, time: float) -> tuple[np.ndarray, np.ndarray]:
        """Return position [rad] and velocity [rad/s] at a time [s]. Shape (J,) each."""
        position = self._spline(min(time, self._end))
        velocity = self._spline(time, 1) if time < self._end else np.zeros_like(position)
        return position, velocity


def accelerated(
    here: np.ndarray, speed: np.ndarray, wanted: np.ndarray, limits: np.ndarray, period: float
) -> np.ndarray:
    """Return the next joint positions on a straight way, as the accelerations allow.

    As MoveIt's AccelerationLimitedPlugin: as far on the way as can be, and where no point of it
    can be reached in time, slower in the direction of the motion.

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
