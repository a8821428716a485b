"""From joint-state messages to states of the robot, and the state at a given time."""

import time
from bisect import bisect
from collections import deque
from collections.abc import Sequence

import numpy as np

from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.motion.limits import limit_violation
from vlm_robot_ros.robot.config import RobotConfig

_OPENING_CHANGE_BY_HAND = 0.04
"""Largest excess over a full turn before a continuous joint counts as moved by hand [rad]."""


class JointStateAssembler:
    """Assembles the state of arm and gripper from messages with some of the joints each.

    Who drives the arm and who drives its gripper often publish on one topic each its own; joints
    of others may be among them.
    """

    def __init__(self, robot: RobotConfig, timeout: float) -> None:
        """Expect the joints of a contract, none of them older than `timeout` [s]."""
        self._robot, self._timeout = robot, timeout
        feedback = robot.gripper.feedback_timeout
        self._gripper_timeout = timeout if feedback is None else feedback
        """How old the gripper's state may be; 0: none is expected [s]."""
        fingers = [robot.gripper.joint] if self._gripper_timeout else []
        self._wanted = [*robot.joint_names, *fingers]
        self.commanded_opening = 1.0
        """Opening of a gripper without feedback: the commanded one; 0 closed, 1 open."""
        self._known: dict[str, tuple[float, float]] = {}
        """Time and position of each joint."""
        self._last: np.ndarray | None = None
        self._heard = -np.inf
        """When all joints were known last, by the monotonic clock [s]."""

    def read(
        self, named: Sequence[str], positions: Sequence[float], stamp: float
    ) -> RobotState | None:
        """Return the state; None if a message has nothing new about the arm itself.

        The state is of the time of the arm's joint that was heard of longest ago.

        Args:
            named: The joints of a message.
            positions: Of each [rad], of a gripper's in its own unit.
            stamp: Of the message [s].

        Raises:
            ValueError: a joint of the contract is missing or there twice, or a position is not
                finite.
        """
        arrived = time.monotonic()
        if set(self._wanted).isdisjoint(named) and arrived - self._heard <= self._timeout:
            return None  # of others, whose clock may be any
        if not len(positions) and len(named):
            return None  # velocities or efforts alone
        if len(named) != len(positions):
            raise ValueError(f"{len(named)} names for {len(positions)} positions")
        given = dict(zip(named, positions, strict=True))
        if len(given) < len(named):
            twice = [name for name in self._wanted if list(named).count(name) > 1]
            if twice:
                raise ValueError(f"more than one position of {', '.join(twice)} in one message")
        values = [given[name] for name in self._wanted if name in given]
        if not np.all(np.isfinite(values)):
            raise ValueError(f"positions that are not finite: {values}")
        self._known.update((name, (stamp, given[name])) for name in self._wanted if name in given)
        missing = [name for name in self._wanted if not self._is_fresh(name, stamp)]
        if missing:
            raise ValueError(
                f"no position of {', '.join(missing)}; given: {', '.join(given) or 'nothing'}"
                + (
                    "; of a gripper that reports rarely or never the contract says so by "
                    "gripper.feedback_timeout"
                    if missing == [self._robot.gripper.joint]
                    else ""
                )
            )
        self._heard = arrived
        names = self._robot.joint_names
        if given.keys().isdisjoint(names):
            return None
        times, joints = np.transpose([self._known[name] for name in names])
        self._last = self._robot.unwrap_continuous_joints(
            joints, joints if self._last is None else self._last
        )
        if np.any(
            limit_violation(self._last, self._robot.lower, self._robot.upper)
            > _OPENING_CHANGE_BY_HAND
        ):
            # Turned by hand out of the turns that a contract allows: those are all alike.
            self._last = self._robot.unwrap_continuous_joints(
                joints, (self._robot.lower + self._robot.upper) / 2
            )
        return RobotState(float(times.min()), self._last, self._opening(), times)

    def _opening(self) -> float:
        if not self._gripper_timeout:
            return self.commanded_opening
        return self._robot.gripper.fraction(self._known[self._robot.gripper.joint][1])

    def _is_fresh(self, name: str, now: float) -> bool:
        then, _ = self._known.get(name, (-np.inf, 0.0))
        finger = name == self._robot.gripper.joint
        return abs(now - then) <= (self._gripper_timeout if finger else self._timeout)


class RobotStateBuffer:
    """The latest states of the arm, so that each image meets the state of its time."""

    def __init__(self, length: int = 100) -> None:
        self._states: deque[RobotState] = deque(maxlen=length)

    def add(self, state: RobotState) -> None:
        """Add a state; one older than the last clears the buffer."""
        if self._states and state.time < self._states[-1].time:
            self._states.clear()
        self._states.append(state)

    @property
    def newest(self) -> RobotState | None:
        """The last state, if any."""
        return self._states[-1] if self._states else None

    def at(self, time: float) -> RobotState | None:
        """Return the state nearest to `time` [s]."""
        after = bisect([state.time for state in self._states], time)
        near = list(self._states)[max(0, after - 1) : after + 1]
        return min(near, key=lambda state: abs(state.time - time), default=None)
