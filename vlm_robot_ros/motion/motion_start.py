"""How motion begins: from an arm that stands still, and gently for its controller.

What a trajectory controller commands may differ from what is measured, and from what it was sent
last: somebody else may have used it, or the arm droops. A first trajectory brings it to where the
motion begins, and nothing else is sent until it is there.
"""

import math
from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.motion.setpoint_generator import ACCELERATION_FRACTION
from vlm_robot_ros.motion.standstill import Standstill
from vlm_robot_ros.robot.config import RobotConfig

_TIME, _ERROR = 0.2, 0.03
"""Shortest time for a controller to reach the start of the motion [s], from this distance
[rad] within its accelerations."""
_START_VALID_S = 1.0
"""Motion begins within this time after that, or the controller is sent there again [s]."""
_ROUNDING_TOLERANCE = 1e-6
_WAITING_FOR_CONTROLLER = "waiting for the controller to come to where the motion begins"


@dataclass(frozen=True)
class _Start:
    position: np.ndarray
    """Shape (J,), [rad]."""
    ready: float
    """When motion may begin there [s]."""
    measured: np.ndarray
    """Where the arm was when the controller was sent there. Shape (J,), [rad]."""


class MotionStart:
    """Decides when a standing arm may move. Times in seconds of one clock."""

    def __init__(self, robot: RobotConfig, period: float) -> None:
        """Make one for ticks every `period` seconds."""
        self._robot, self._period = robot, period
        self._standstill = Standstill()
        self.reset(moving=False)

    def reset(self, moving: bool) -> None:
        """Begin again.

        Args:
            moving: The arm may still be in motion: it must be seen to stand first.
        """
        self._standstill.reset(moving)
        self._start: _Start | None = None

    def problem(self, now: float, joints: np.ndarray) -> str:
        """Return why motion cannot begin at this tick; empty when it can.

        Args:
            now: [s]
            joints: Measured positions. Shape (J,), [rad].
        """
        if (start := self._start) is not None:
            since = now - start.ready + _ROUNDING_TOLERANCE
            allowed = np.abs(start.position - start.measured) + _ERROR
            if since <= _START_VALID_S and np.all(np.abs(joints - start.measured) <= allowed):
                return _WAITING_FOR_CONTROLLER if since < 0 else ""
            self.reset(moving=True)  # too late, or somebody else moves the arm
        self._standstill.add(now, joints)
        return self._standstill.problem(self._robot.joint_names)

    def adopt_position(self) -> np.ndarray | None:
        """Return where the controller was brought, shape (J,) [rad]; None if it was not."""
        start, self._start = self._start, None
        return start.position if start else None

    def prepare(
        self, now: float, position: np.ndarray, joints: np.ndarray, away: np.ndarray
    ) -> tuple[float, str]:
        """Expect the controller at a position, and wait until it is there.

        Args:
            now: [s]
            position: Where the motion begins. Shape (J,), [rad].
            joints: Measured positions. Shape (J,), [rad].
            away: How far the controller may be from there. Shape (J,), [rad].

        Returns:
            In how many seconds the controller has to be there, and the reason to wait.
        """
        error = np.maximum(away, _ERROR)
        # A cubic from standstill to standstill begins with six times the distance by time squared,
        # and is fastest in its middle, with 1.5 times the mean speed.
        to_accelerate = np.sqrt(
            6 * error / (ACCELERATION_FRACTION * self._robot.acceleration)
        ).max()
        to_travel = (1.5 * error / (ACCELERATION_FRACTION * self._robot.velocity)).max()
        needed = max(float(to_accelerate), float(to_travel), _TIME)
        periods = math.ceil(needed / self._period - _ROUNDING_TOLERANCE)
        # A period more: the first setpoints of the motion are of before its first tick.
        self._start = _Start(position, now + (periods + 1) * self._period, joints)
        return periods * self._period, _WAITING_FOR_CONTROLLER
