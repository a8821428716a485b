"""At what part of its speed a controller executes trajectories, as a driver publishes it."""

import math

from vlm_robot_ros.interfaces.hold import HoldCode
from vlm_robot_ros.runtime.stream_monitor import StreamMonitor

_FULL_SPEED_PERCENT = 99.0
"""A slower controller falls behind the stamps of a trajectory, and jumps at the next one [%]."""
_TIMEOUT, _RATE = 1.0, 10.0
"""How old the newest value may be [s], and how often it ought to come [Hz]."""


class SpeedScaling(StreamMonitor):
    """Watches speed scaling: the arm holds below 100 %. Times in seconds of one clock."""

    fault_code = HoldCode.SPEED_SCALING

    def __init__(self, topic: str) -> None:
        """Watch what is published on a topic."""
        super().__init__("speed scaling", _TIMEOUT, _RATE)
        self._topic = topic

    def update(self, percent: float, now: float) -> None:
        """Take a value [%] that arrived at `now` [s]."""
        if math.isfinite(percent) and percent >= _FULL_SPEED_PERCENT:
            self.on_message(now)
        else:
            self.on_rejected(
                f"{percent:g} % on '{self._topic}', and the controller falls behind trajectories: "
                "raise the speed slider to 100 %; to move slower say 'slower'"
            )
