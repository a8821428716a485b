"""Where an arm that is not commanded is: where it was sent last, unless others have moved it."""

import numpy as np

from vlm_robot_ros.contract.robot import Robot

_NEAR = 0.05
"""An arm this close to where it was sent stands there, and droops a little [rad]."""
_MOVED, _SETTLED = 0.01, 0.5
"""By so much others have moved an arm that stands [rad]; it has come to it after so long [s]."""
_LEAP = 0.25
"""A measured position that changes by more from tick to tick is no motion [rad]."""


class RestPosition:
    """Follows an arm while it is not commanded. Times in seconds of one clock."""

    def __init__(self, robot: Robot) -> None:
        """Know nothing of the arm yet."""
        self._robot = robot
        self.expected: np.ndarray | None = None
        """Where the arm was commanded to be last; None: nobody knows. Shape (J,), [rad]."""
        self._end: np.ndarray | None = None
        self._commanded_at = -np.inf
        self._seen: tuple[float, np.ndarray] | None = None
        self.restart()

    def restart(self) -> None:
        """Expect that the arm has yet to settle."""
        self._settles: float | None = None
        self._settled: np.ndarray | None = None

    def commanded(self, now: float, position: np.ndarray, end: np.ndarray) -> None:
        """Take in what the arm was commanded at `now` [s], and where that ends. Shape (J,)."""
        self._commanded_at, self.expected, self._end = now, position, end

    def of(self, joints: np.ndarray) -> np.ndarray:
        """Return where the arm was commanded to be, if it is there; else where it is measured."""
        expected = self.expected
        near = expected is not None and np.max(np.abs(expected - joints)) < _NEAR
        return expected if expected is not None and near else joints

    def distance(self, position: np.ndarray, joints: np.ndarray) -> np.ndarray:
        """Return how far its controller may be from a position at most. Shape (J,), [rad].

        Args:
            position: Shape (J,), [rad].
            joints: Measured positions. Shape (J,), [rad].
        """
        ends = (joints,) if self._end is None else (joints, self._end)
        return np.max([np.abs(position - end) for end in ends], axis=0)

    def leap(self, joints: np.ndarray, measured_at: float) -> str:
        """Return why the measured position cannot be true; empty when it can.

        To be called at every tick. A simulated arm may be put elsewhere while it is not commanded.
        A real one cannot be where it has not moved to: of two publishers one is wrong.

        Args:
            joints: Measured positions. Shape (J,), [rad].
            measured_at: When they were there [s].
        """
        before, self._seen = self._seen, (measured_at, joints)
        if before is None or self._end is None:
            return ""
        if self._robot.simulated and before[0] > self._commanded_at:
            return ""
        leaps = np.minimum(np.abs(joints - before[1]), np.abs(joints - self._end))
        worst = int(leaps.argmax())
        if leaps[worst] <= _LEAP:
            return ""
        return (
            f"the arm does not follow: {self._robot.joint_names[worst]} is at {joints[worst]:.3f} "
            f"rad, was at {before[1][worst]:.3f} in the joint state before, and was commanded to "
            f"{self._end[worst]:.3f}; is there more than one publisher of joint states?"
        )

    def notice(self, now: float, joints: np.ndarray) -> None:
        """Notice when others move an arm that stands: it is no longer where it was sent."""
        if self._settles is None or now < self._settles:
            self._settles = now
        if self._settled is None or now - self._settles < _SETTLED:
            self._settled = joints
        elif np.max(np.abs(joints - self._settled)) > _MOVED:
            self.expected = self._end = None
