"""From tool velocities to joint speeds at one posture of an arm."""

import numpy as np

from vlm_robot_ros.kinematics.kinematics import Kinematics

_ROTATION_WEIGHT_M = 0.15
"""What a turn counts against a way, where the tool cannot have both [m/rad]."""
_DAMPING, _MORE_DAMPING = 0.02, 0.05
"""Of speeds: anywhere, and besides at a singularity [m/rad]."""
_MIN_SINGULAR_VALUE = 0.1
"""Where a singular value is less, there is one near [m/rad]."""
_MAX_PASSES = 3
"""How often joints that are as fast as they may be are left out of what the others do."""
_POSTURE, _UNHURRIED = 0.5, 0.5
"""How fast joints that the tool does not need return to the home posture [1/s], at most [rad/s]:
the rest of an arm that is far from it shall not sweep about."""
_IDENTITY = np.eye(6)
_WEIGHTS = np.array([1.0, 1.0, 1.0, _ROTATION_WEIGHT_M, _ROTATION_WEIGHT_M, _ROTATION_WEIGHT_M])


class DifferentialIK:
    """Joint speeds for tool velocities, at one posture.

    Damped least squares, more so near a singularity (Nakamura and Hanafusa, 1986).
    """

    def __init__(self, kinematics: Kinematics, positions: np.ndarray) -> None:
        """Look at an arm's joint positions. Shape (J,), [rad]."""
        self.jacobian = kinematics.jacobian(positions)
        """Shape (6, J): linear [m], angular [rad]."""
        self._weighted = _WEIGHTS[:, None] * self.jacobian
        square = self._weighted @ self._weighted.T
        nearest = float(np.linalg.eigvalsh(square)[0])
        more = max(0.0, 1.0 - nearest / _MIN_SINGULAR_VALUE**2)
        self._damping = (_DAMPING**2 + _MORE_DAMPING**2 * more) * _IDENTITY
        self._inverse = self._weighted.T @ np.linalg.inv(square + self._damping)
        pull = _POSTURE * (kinematics.home_near(positions) - positions)
        self._pull = np.clip(pull, -_UNHURRIED, _UNHURRIED)
        self._rest = self._pull - self._inverse @ (self._weighted @ self._pull)

    def joint_rates(self, twist: np.ndarray) -> np.ndarray:
        """Return the joint speeds that a tool velocity takes by itself.

        Args:
            twist: In the base frame. Shape (6,): linear [m/s], angular [rad/s].

        Returns:
            Shape (J,), [rad/s].
        """
        return self._inverse @ (_WEIGHTS * twist)

    def joint_rates_with_posture(self, twist: np.ndarray) -> np.ndarray:
        """Return `ways` of it, with a pull towards the home posture in the null space."""
        return self.joint_rates(twist) + self._rest

    def bounded_joint_rates(
        self, twist: np.ndarray, low: np.ndarray, high: np.ndarray
    ) -> np.ndarray:
        """Return the joint speeds within bounds that move the tool most nearly as wanted.

        Joints that would pass their bounds stay at them, and the others make up for it (as Flacco,
        De Luca and Khatib, 2012).

        Args:
            twist: See `ways`.
            low: The least speeds. Shape (J,), [rad/s].
            high: The greatest. Shape (J,), [rad/s].
        """
        found, free = self.joint_rates_with_posture(twist), np.ones(len(low), bool)
        for _ in range(_MAX_PASSES):
            speeds = np.clip(found, low, high)
            passed = free & (speeds != found)
            if not passed.any():
                return speeds
            free &= ~passed
            own = self._weighted * free
            left = _WEIGHTS * twist - self._weighted @ np.where(free, self._pull, speeds)
            more = own.T @ np.linalg.solve(own @ own.T + self._damping, left)
            found = np.where(free, self._pull + more, speeds)
        return np.clip(found, low, high)
