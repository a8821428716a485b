"""What joint-state messages say about the arm, and what it was like at a given time."""

from bisect import bisect
from collections import deque
from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import JointState

from vlm_robot_ros.contract.robot import Robot


@dataclass(frozen=True)
class ArmState:
    """The arm at one time."""

    time: float
    """[s]"""
    joints: np.ndarray
    """Shape (J,), [rad]."""
    opening: float
    """0 closed, 1 open."""


def read_joints(message: JointState, robot: Robot) -> tuple[np.ndarray, float]:
    """Return the arm's joint positions (shape (J,), [rad]) and its gripper's opening.

    Raises:
        ValueError: a joint of the contract is missing, or a position is not finite.
    """
    if len(message.name) != len(message.position):
        raise ValueError(f"{len(message.name)} names for {len(message.position)} positions")
    given = dict(zip(message.name, message.position, strict=True))
    wanted = [*robot.joint_names, robot.gripper.joint]
    missing = [name for name in wanted if name not in given]
    if missing:
        raise ValueError(
            f"no position of {', '.join(missing)}; given: {', '.join(given) or 'nothing'}"
        )
    values = np.array([given[name] for name in wanted])
    if not np.all(np.isfinite(values)):
        raise ValueError(f"positions that are not finite: {values.tolist()}")
    return values[:-1], robot.gripper.fraction(values[-1])


class ArmHistory:
    """The last few states of the arm, so that a picture is paired with the arm of its time."""

    def __init__(self, length: int = 100) -> None:
        self._states: deque[ArmState] = deque(maxlen=length)

    def add(self, state: ArmState) -> None:
        """Note a state; one from before the last one starts the history anew."""
        if self._states and state.time < self._states[-1].time:
            self._states.clear()
        self._states.append(state)

    @property
    def newest(self) -> ArmState | None:
        """The last state, if any."""
        return self._states[-1] if self._states else None

    def at(self, time: float) -> ArmState | None:
        """Return the state nearest to `time` [s]."""
        after = bisect([state.time for state in self._states], time)
        near = list(self._states)[max(0, after - 1) : after + 1]
        return min(near, key=lambda state: abs(state.time - time), default=None)
