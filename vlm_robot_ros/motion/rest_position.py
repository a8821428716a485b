"""Where an arm that is not commanded is: where it was sent last, unless others have moved it."""

from typing import NamedTuple

import numpy as np

from vlm_robot_ros.motion.jump_detector import max_joint_travel
from vlm_robot_ros.robot.config import RobotConfig

ARRIVED_RAD = 0.05
"""An arm this close to where it was sent is there, and droops a little [rad]."""
_EXTERNAL_MOTION_RAD, _SETTLED_AFTER_S = 0.01, 0.5
"""By so much others have moved an arm that stands [rad]; it has come to it after so long [s]."""


class SentPosition(NamedTuple):
    """What an arm was commanded last. Positions of shape (J,), [rad]."""

    expected: np.ndarray | None
    """Where the arm was commanded to be; None: nobody knows."""
    end: np.ndarray | None
    """Where its controller brings it by itself; kept when others move the arm."""
    moved_at: float = -np.inf
    """When it was commanded to move [s]."""
    distance: np.ndarray | None = None
    """How far its controller may be from the end until `arrives` at most."""
    arrives_at: float = -np.inf
    """When its controller has come to the end [s]."""


class RestPosition:
    """Follows an arm while it is not commanded. Times in seconds of one clock."""

    def __init__(self, robot: RobotConfig) -> None:
        """Know nothing of the arm yet."""
        self._robot = robot
        self.sent = SentPosition(None, None)
        self._doubt = ""
        self.restart()
        self.forget_measurements()

    def restart(self) -> None:
        """Expect that the arm has yet to settle."""
        self._settles: float | None = None
        self._settled: np.ndarray | None = None

    def forget_measurements(self) -> None:
        """Expect that others have moved the arm unseen, or that the clock was set back."""
        self._seen: tuple[float, np.ndarray] | None = None
        self.sent = SentPosition(None, self.sent.end)

    def clear_doubt(self) -> None:
        """Take the measured positions for true: somebody has looked, or the arm follows."""
        self._doubt = ""

    def on_command(self, now: float, position: np.ndarray, end: np.ndarray, moves: bool) -> None:
        """Take in what the arm is commanded at `now` [s], and where that ends: (J,), [rad]."""
        self.sent = SentPosition(position, end, now if moves else self.sent.moved_at)

    def on_start_command(self, there: np.ndarray, away: np.ndarray, arrives: float) -> None:
        """Take in that a controller is sent to where a motion begins; see `SentPosition`."""
        self.sent = SentPosition(there, there, self.sent.moved_at, away, arrives)

    def forget_expected(self) -> None:
        """Expect the arm where it is measured."""
        self.sent = self.sent._replace(expected=None)

    def expect_end(self) -> None:
        """Expect the arm at the end of what was commanded last."""
        self.sent = self.sent._replace(expected=self.sent.end)

    def position_near(self, joints: np.ndarray) -> np.ndarray:
        """Return where the arm was commanded to be, if it is there; else where it is measured."""
        expected = self.sent.expected
        near = expected is not None and np.max(np.abs(expected - joints)) < ARRIVED_RAD
        return expected if expected is not None and near else joints

    def max_distance(self, now: float, position: np.ndarray, joints: np.ndarray) -> np.ndarray:
        """Return how far its controller may be from a position at most. Shape (J,), [rad].

        Args:
            now: [s]
            position: Shape (J,), [rad].
            joints: Measured positions. Shape (J,), [rad].
        """
        ends = (joints,) if self.sent.end is None else (joints, self.sent.end)
        far = np.max([np.abs(position - end) for end in ends], axis=0)
        underway = self.sent.distance is not None and now < self.sent.arrives_at
        return far + self.sent.distance if underway else far

    def doubt(self, joints: np.ndarray, measured_at: float) -> str:
        """Return why the arm may not be where it is measured; empty when it is there.

        To be called at every tick. Positions that jump, and stay away from where the arm was sent,
        are false, or were false before. A simulated arm may be put elsewhere while it stands.

        Args:
            joints: Measured positions. Shape (J,), [rad].
            measured_at: When they were there [s].
        """
        before, self._seen = self._seen, (measured_at, joints)
        end = self.sent.end
        if before is None or end is None:
            return self._doubt
        passed = measured_at - before[0]
        over = np.abs(joints - before[1]) - max_joint_travel(self._robot, np.abs(passed))
        worst = int(over.argmax())
        if over[worst] > 0.0 and self._robot.simulated and before[0] > self.sent.moved_at:
            self.sent, self._doubt = SentPosition(None, None), ""
        elif over[worst] > 0.0:
            self._doubt = (
                f"the arm does not follow: {self._robot.joint_names[worst]} is at "
                f"{joints[worst]:.3f} rad, was at {before[1][worst]:.3f} in the joint state "
                f"{passed:.2f} s before, and was commanded to {end[worst]:.3f}; was it moved "
                "unseen, or is there more than one publisher of joint states?"
            )
        elif np.max(np.abs(joints - end)) < ARRIVED_RAD:
            self._doubt = ""
        return self._doubt

    def detect_external_motion(self, now: float, joints: np.ndarray) -> None:
        """Notice when others move an arm that stands: it is no longer where it was sent."""
        if self._settles is None or now < self._settles:
            self._settles = now
        if self._settled is None or now - self._settles < _SETTLED_AFTER_S:
            self._settled = joints
        elif np.max(np.abs(joints - self._settled)) > _EXTERNAL_MOTION_RAD:
            self.forget_expected()
