"""Notices that an arm does not go where it is told to. All times in seconds of one clock."""

from collections import deque

import numpy as np

from vlm_robot_ros.contract.kinematics import Kinematics
from vlm_robot_ros.contract.robot import Robot

_APART = ((0.25, 0.1, 0.5), (0.05, 0.02, 3.0))
"""How far a joint [rad], the tool [m] may be from where it was told to be lately; how long [s].

Much for a moment: something is in the way. A little for long: nobody follows.
"""

_STANDS_STILL, _COMMANDED = 0.004, 0.02
"""An arm stalls when no joint moves farther while one is commanded to move so far [rad]."""
_MOVES = 5e-4
"""A measured position that changes by more from tick to tick is not noise [rad]."""
_LAG, _MOST_LAG, _LAG_FILTER = 0.1, 0.2, 0.2
"""Expected lag of an arm before one was seen, the largest that is accepted, and the time constant
with which it is estimated [s]."""


class Following:
    """How long an arm has been how far from where it was told to be."""

    def __init__(self, robot: Robot, kinematics: Kinematics, by_tool: bool) -> None:
        """Look at the tool's place, or else at the joints'."""
        self._robot, self._kinematics, self._by_tool = robot, kinematics, by_tool
        self.forget()

    def forget(self) -> None:
        """Begin anew: nobody knows how long anything has lasted."""
        self._since: list[float | None] = [None] * len(_APART)

    def problem(self, now: float, joints: np.ndarray, told: np.ndarray) -> str:
        """Return what is wrong; empty when nothing is.

        Args:
            now: [s]
            joints: Measured. Shape (J,), [rad].
            told: Of where it was told to be lately, where it is nearest to. Shape (J,), [rad].
        """
        what, unit, way = self._apart(joints, told)
        for number, (joint, tool, seconds) in enumerate(_APART):
            most, since = (tool if self._by_tool else joint), self._since[number]
            if way <= most:
                self._since[number] = None
            elif since is None:
                self._since[number] = now
            elif now - since > seconds:
                return (
                    f"the arm does not follow: for {seconds} s {what} was more than {most} {unit} "
                    "from where it was told to be; is its controller active?"
                )
        return ""

    def _apart(self, joints: np.ndarray, told: np.ndarray) -> tuple[str, str, float]:
        """Return what is farthest from where it was told to be, in which unit, and how far."""
        if self._by_tool:
            places = [self._kinematics.forward(q)[:3, 3] for q in (joints, told)]
            return "the tool", "m", float(np.linalg.norm(places[0] - places[1]))
        ways = np.abs(joints - told)
        worst = int(ways.argmax())
        return self._robot.joint_names[worst], "rad", float(ways[worst])


class StallDetector:
    """Notices an arm that stands still while it is commanded to move. Times in seconds."""

    def __init__(self, names: tuple[str, ...]) -> None:
        """Watch joints of these names."""
        self._names, self._lag = names, _LAG
        self.reset()

    def reset(self) -> None:
        """Forget the motion, but not how much the arm lags."""
        self._commands: deque[tuple[float, np.ndarray]] = deque()
        self._stood: tuple[np.ndarray, np.ndarray] | None = None
        self._offset = self._before = np.zeros(0)

    def problem(self, now: float, measured: np.ndarray, command: np.ndarray) -> str:
        """Return what is wrong; empty when nothing is. To be called at every tick in motion.

        Args:
            now: [s]
            measured: Joint positions. Shape (J,), [rad].
            command: Where the joints are commanded to be now. Shape (J,), [rad].
        """
        if not self._commands:
            self._offset, self._before = command - measured, measured
        else:
            self._estimate_lag(now, measured, command)
        self._commands.append((now, command))
        while len(self._commands) > 1 and now - self._commands[1][0] >= 1.5 * self._lag + 0.02:
            self._commands.popleft()
        delayed = self._commands[0][1]
        if self._stood is None or np.max(np.abs(measured - self._stood[0])) > _STANDS_STILL:
            self._stood = measured, delayed
        ways = np.abs(delayed - self._stood[1])
        worst = int(ways.argmax())
        if ways[worst] <= _COMMANDED:
            return ""
        return (
            f"the arm does not follow: it stands while {self._names[worst]} is commanded to move; "
            "is its controller active?"
        )

    def _estimate_lag(self, now: float, measured: np.ndarray, command: np.ndarray) -> None:
        """Filter the delay by which the measured joints follow the commands (least squares)."""
        then, last = self._commands[-1]
        moved, self._before = np.max(np.abs(measured - self._before)), measured
        period = max(now - then, 1e-6)
        speed, error = (command - last) / period, command - measured - self._offset
        if moved > _MOVES and speed @ speed > 0.01:
            lag = float(np.clip(speed @ error / (speed @ speed), 0.0, _MOST_LAG))
            self._lag += min(1.0, period / _LAG_FILTER) * (lag - self._lag)
