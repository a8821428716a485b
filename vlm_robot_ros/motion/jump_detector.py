"""Notices joint states that contradict each other, as where two publishers share one topic."""

import numpy as np

from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.robot.config import RobotConfig

QUARANTINE_S = 0.5
"""After a contradiction states count when there was none for so long [s]."""
_POSITION_NOISE_RAD = 0.05
"""Change of a position from state to state that is always possible [rad]."""
_SPEED_FACTOR = 1.5
"""Part of its speed limit that a joint may seem to have."""
_GAP, _PERIODS = 0.1, 2.0
"""What a joint can reach counts for so long at most [s], or for so many periods of the contract's
joint states: after a gap nobody knows."""
_CLOCK_RESET_S = 1.0
"""A stamp that is earlier by more is one of a clock that was set back [s]."""


def max_joint_travel(robot: RobotConfig, passed: float | np.ndarray) -> np.ndarray:
    """Return how far joints may seem to move within a time. Shape (J,), [rad].

    Args:
        robot: The contract.
        passed: Between two states, or of each joint, shape (J,) [s].
    """
    rate = robot.joint_state_rate
    gap = max(_GAP, _PERIODS / rate if rate else 0.0)
    return _POSITION_NOISE_RAD + _SPEED_FACTOR * robot.velocity * np.minimum(passed, gap)


class JumpDetector:
    """Compares each state of an arm with the one before. Times in seconds of one clock."""

    def __init__(self, robot: RobotConfig) -> None:
        """Watch the joints of a contract."""
        self._robot = robot
        self._last: RobotState | None = None
        self._until = -np.inf
        self._problem = ""

    def problem(self, state: RobotState) -> str:
        """Return why a state cannot be relied on; empty when it can.

        After a jump nobody knows which of the two states is true: none counts until they have
        agreed for `QUARANTINE_S`. Nor does the first one, which is compared with nothing.
        """
        last, self._last = self._last, state
        if last is None:
            return "only one joint state so far"
        if state.time < last.time - _CLOCK_RESET_S:
            self._until = state.time + QUARANTINE_S
            self._problem = "their stamps were set back; they count when they have agreed for "
            self._problem += f"{QUARANTINE_S} s"
            return self._problem
        passed = np.abs(_joint_times(state) - _joint_times(last))
        over = np.abs(state.joints - last.joints) - max_joint_travel(self._robot, passed)
        worst = int(over.argmax())
        if over[worst] > 0.0:
            self._until = max(state.time, last.time) + QUARANTINE_S
            self._problem = (
                f"they contradict each other: {self._robot.joint_names[worst]} was at "
                f"{last.joints[worst]:.3f} rad and {passed[worst]:.3f} s later at "
                f"{state.joints[worst]:.3f}, which it cannot have reached; is there more than one "
                "publisher?"
            )
        return self._problem if state.time < self._until else ""


def _joint_times(state: RobotState) -> np.ndarray:
    if state.joint_times is None:
        return np.full(len(state.joints), state.time)
    return state.joint_times
