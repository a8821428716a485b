"""Compares measured with commanded positions. All times in seconds of one clock."""

from bisect import bisect_right
from collections import deque

import numpy as np

from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.robot.config import RobotConfig

_TRACKING_TOLERANCES = ((0.25, 0.1, 0.5), (0.05, 0.02, 3.0))
"""Tracking tolerances: joint [rad], tool [m], duration [s].

Much for a moment: something is in the way. A little for long: nobody follows.
"""

_STANDS_STILL, _COMMANDED = 0.004, 0.012
"""An arm stalls when no joint moves this far while one is commanded to [rad]."""
_STALL_END_RAD = 0.02
"""A stall ends when a joint has moved this far from where the arm stalled [rad]."""
_MEASUREMENT_NOISE_RAD = 5e-4
"""Largest change of a measured position from tick to tick that is noise [rad]."""
_LAG, _MOST_LAG, _LAG_FILTER = 0.1, 0.2, 0.2
"""Expected lag of an arm before one was seen, the largest that is accepted, and the time constant
with which it is estimated [s]."""


class TrackingErrorMonitor:
    """Measures how long the arm has been how far from its commands."""

    def __init__(self, robot: RobotConfig, kinematics: Kinematics, by_tool: bool) -> None:
        """Compare the tool's position, or else the joints'."""
        self._robot, self._kinematics, self._by_tool = robot, kinematics, by_tool
        self.reset()

    def reset(self) -> None:
        """Forget how long an error has lasted."""
        self._since: list[float | None] = [None] * len(_TRACKING_TOLERANCES)

    def problem(self, now: float, joints: np.ndarray, told: np.ndarray) -> str:
        """Return what is wrong; empty when nothing is.

        Args:
            now: [s]
            joints: Measured. Shape (J,), [rad].
            told: Of where it was told to be lately, where it is nearest to. Shape (J,), [rad].
        """
        what, unit, way = self._tracking_error(joints, told)
        for number, (joint, tool, seconds) in enumerate(_TRACKING_TOLERANCES):
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

    def _tracking_error(self, joints: np.ndarray, told: np.ndarray) -> tuple[str, str, float]:
        """Return the joint or tool with the largest error, its unit and its error."""
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
        self.clear()
        self.reset()

    @property
    def repetitions(self) -> bool:
        """Whether no joint has moved between the last two stalls."""
        return self._stalls > 1

    def clear(self) -> None:
        """Forget earlier stalls."""
        self._stalls, self._stalled_at = 0, np.zeros(0)

    def reset(self) -> None:
        """Forget the motion, but neither earlier stalls nor how much the arm lags."""
        self._commands: deque[tuple[float, np.ndarray]] = deque()
        self._measured: tuple[float, np.ndarray] | None = None
        self._offset = np.zeros(0)
        self._stood: tuple[np.ndarray, np.ndarray, float] | None = None
        """Where the arm has stood since when [s], and was commanded to be then."""

    def problem(
        self, now: float, command: np.ndarray, measured: np.ndarray, measured_at: float
    ) -> str:
        """Return what is wrong; empty when nothing is. To be called at every tick in motion.

        Args:
            now: [s]
            command: Where the joints are commanded to be now. Shape (J,), [rad].
            measured: Joint positions. Shape (J,), [rad].
            measured_at: When they were there [s].
        """
        self._commands.append((now, command))
        before, self._measured = self._measured, (measured_at, measured)
        if before is None:
            self._offset = command - measured
            self._stood = measured, command, measured_at
            return ""
        if measured_at <= before[0]:  # nothing new is known of the arm
            return ""
        self._estimate_lag(before)
        # An arm that follows has been by now wherever it was commanded to be until then.
        until = measured_at - 1.5 * self._lag - 0.02
        while self._commands[0][0] < measured_at - 1.5 * _MOST_LAG - 0.1:
            self._commands.popleft()
        assert self._stood is not None
        if np.max(np.abs(measured - self._stood[0])) > _STANDS_STILL:
            self._stood = measured, self._command_at(measured_at), measured_at
        if self._stalls and np.max(np.abs(measured - self._stalled_at)) > _STALL_END_RAD:
            self.clear()
        ways = np.abs(self._command_at(until) - self._stood[1])
        worst = int(ways.argmax())
        if until <= self._stood[2] or ways[worst] <= _COMMANDED:
            return ""
        self._stalls, self._stalled_at = self._stalls + 1, measured
        return (
            f"the arm does not follow: it stands while {self._names[worst]} is commanded to move; "
            "is its controller active?"
        )

    def _command_at(self, time: float) -> np.ndarray:
        """Return the newest command of a time or earlier; the oldest there is of one before."""
        index = bisect_right(self._commands, time + 1e-6, key=lambda each: each[0])
        return self._commands[max(index - 1, 0)][1]

    def _estimate_lag(self, before: tuple[float, np.ndarray]) -> None:
        """Filter the delay by which the measured joints follow the commands (least squares)."""
        assert self._measured is not None
        time, measured = self._measured
        period, command = time - before[0], self._command_at(time)
        speed = (command - self._command_at(before[0])) / period
        moved = np.max(np.abs(measured - before[1]))
        if moved > _MEASUREMENT_NOISE_RAD and speed @ speed > 0.01:
            error = command - measured - self._offset
            lag = float(np.clip(speed @ error / (speed @ speed), 0.0, _MOST_LAG))
            self._lag += min(1.0, period / _LAG_FILTER) * (lag - self._lag)


class ArmCheck:
    """Whether an arm follows its commands: `TrackingErrorMonitor` and `StallDetector` as one."""

    def __init__(self, robot: RobotConfig, kinematics: Kinematics, by_tool: bool) -> None:
        """Compare the tool's position, or else the joints'."""
        self._tracking = TrackingErrorMonitor(robot, kinematics, by_tool)
        self._stall = StallDetector(robot.joint_names)

    def reset(self) -> None:
        """Forget the motion; see `StallDetector.reset`."""
        self._tracking.reset()
        self._stall.reset()

    def reset_tracking(self) -> None:
        """Forget how long an error has lasted."""
        self._tracking.reset()

    def clear(self) -> None:
        """Forget earlier stalls."""
        self._stall.clear()

    def problem(
        self,
        now: float,
        joints: np.ndarray,
        measured_at: float,
        nearest: np.ndarray,
        command: np.ndarray | None,
    ) -> tuple[str, bool]:
        """Return why the arm must trip, empty when it need not; and whether it has stalled.

        Args:
            now: [s]
            joints: Measured positions. Shape (J,), [rad].
            measured_at: When they were measured [s].
            nearest: The recent command that is nearest to them. Shape (J,), [rad].
            command: Where a trajectory commands the joints to be now; None if there is none.
        """
        problem = self._tracking.problem(now, joints, nearest)
        if command is None:
            return problem, False
        stalled = self._stall.problem(now, command, joints, measured_at)
        if stalled and self._stall.repetitions:
            problem = problem or stalled
        return problem, bool(stalled)
