"""What the simulated arm makes of twists, as MoveIt Servo does.

It comes to a halt when nothing new is said, with the smoothing of Servo's example for the Panda.
"""

import numpy as np

TWIST_TIMEOUT = 0.1
"""How long a twist is followed [s]."""
_NO_WAY = 1e-9
"""A joint that has less to go stands [rad]."""


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
