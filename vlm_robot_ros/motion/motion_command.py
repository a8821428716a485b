"""What the controllers are sent at one tick."""

from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.motion.sent_trajectory import SentTrajectory
from vlm_robot_ros.motion.setpoint_generator import Setpoint
from vlm_robot_ros.motion.target_tracker import SetpointPreview

STANDSTILL_DURATION_S = 0.5
"""Duration of the standstill at the end of a trajectory [s]: controllers refuse a trajectory
that is over when it arrives."""


@dataclass(frozen=True)
class MotionCommand:
    """What an arm is commanded at one tick."""

    time: float
    """When the tick is due [s]."""
    period: float
    """Between setpoints [s]."""
    preview: SetpointPreview
    pose: np.ndarray
    """Of the tool at the first setpoint: a transform in the base frame. Shape (4, 4), [m]."""
    twist: np.ndarray
    """That takes the tool there, in the base frame. Shape (6,): linear [m/s], angular [rad/s]."""
    gripper: float
    """0 closed, 1 open."""
    past_setpoints: tuple[Setpoint, ...] = ()
    """The commands until `time`, one per period; the last is due at `time`."""
    first_offset: float = 0.0
    """Seconds from `time` to the first setpoint of the path; 0: one period."""

    def points(self) -> list[tuple[float, Setpoint]]:
        """Return the trajectory: seconds after `time` (negative: before), and the setpoint then.

        It ends with a standstill. The past setpoints are there for joint_trajectory_controller,
        which joins a trajectory that begins in the future from a state of its own: from the
        measured one, or from its last command at the wrong time. With a point before and one after
        the present it uses neither.
        """
        path, count = self.preview, len(self.preview.setpoints)
        first = self.first_offset or self.period
        times = [first + number * self.period for number in range(count)]
        stand = times[-1] + max(path.stop_time, self.period)
        ends = [(stand, path.end), (stand + STANDSTILL_DURATION_S, path.end)]
        before = [-number * self.period for number in reversed(range(len(self.past_setpoints)))]
        return [
            *zip(before, self.past_setpoints, strict=True),
            *zip(times, path.setpoints, strict=True),
            *ends,
        ]

    def sent_trajectory(self) -> SentTrajectory:
        """Return the trajectory by the clock of `time`."""
        times, setpoints = zip(*self.points(), strict=True)
        return SentTrajectory([self.time + time for time in times], setpoints)
