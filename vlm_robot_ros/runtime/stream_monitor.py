"""Is an input still there, fresh and moving?"""

from collections import deque

from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason

_RATE_WINDOW = 20
"""Messages by which it is told how often they come."""
_RATE_RESET_S = 3.0
"""Of a stream that was away longer, it is told anew [s]."""
MAX_CLOCK_LEAD_S = 0.03
"""A stamp may be so much ahead of the receiver's clock; more, and the clocks differ [s]."""
_BEHIND, _ARRIVALS = 0.05, 10
"""Where each of so many messages arrives longer after its stamp [s], the clocks differ, too, or
what comes is always late."""


class StreamMonitor:
    """Watches one stream of stamped messages. All times in seconds of one clock."""

    fault_code = HoldCode.INPUT_INVALID
    """Code of what `on_rejected` notes."""

    def __init__(self, name: str, timeout: float, rate: float, ahead: float | None = None) -> None:
        """Watch a stream.

        Args:
            name: What it is called.
            timeout: How old its newest stamp may be [s].
            rate: How often it ought to come [Hz].
            ahead: How far its stamps may be ahead of the clock [s]; None: as old as they may be,
                for simulated time, which arrives as late as everything else.
        """
        self.name, self.expected_rate = name, rate
        self._timeout = timeout
        self._ahead = timeout if ahead is None else ahead
        self._delays: deque[float] = deque(maxlen=_ARRIVALS)
        self._stamps: deque[float] = deque(maxlen=_RATE_WINDOW)
        self._stamp: float | None = None
        self._repeated = 0
        self._fault = ""
        self.note = ""
        """What is unusual about the messages, though they can be used; empty if nothing is."""
        self.received = self.refusals = 0
        """How many messages came, and how many of them could not be used."""

    def on_message(self, stamp: float, now: float | None = None) -> None:
        """Note a good message with this stamp, which arrived at `now` [s], if that is known."""
        self.received += 1
        if now is not None:
            self._delays.append(now - stamp)
        self._fault = ""
        self._repeated = self._repeated + 1 if stamp == self._stamp else 0
        if self._stamp is not None and abs(stamp - self._stamp) > _RATE_RESET_S:
            self._stamps.clear()
        if not self._repeated:
            self._stamps.append(stamp)
        self._stamp = stamp

    def on_rejected(self, fault: str) -> None:
        """Note a message that could not be used, and why."""
        self.received += 1
        self.refusals += 1
        self._fault = fault

    @property
    def rate(self) -> float:
        """How often it came of late, by its stamps [Hz]; 0 before two have come."""
        try:
            return (len(self._stamps) - 1) / (max(self._stamps) - min(self._stamps))
        except (ValueError, ZeroDivisionError):
            return 0.0

    def problem(self, now: float) -> HoldReason:
        """Return why the stream cannot be relied on; empty when it can."""
        if self._fault:
            return HoldReason(self.fault_code, f"{self.name}: {self._fault}")
        if self._stamp is None:
            return HoldReason(HoldCode.INPUT_MISSING, f"{self.name}: nothing received yet")
        age = now - self._stamp
        if ahead := self._stamped_ahead(now):
            return ahead
        if age > self._timeout:
            if self._repeated:
                return HoldReason(
                    HoldCode.INPUT_FROZEN,
                    f"{self.name}: the stamp is frozen, {age:.2f} s old, "
                    f"and came {self._repeated + 1} times",
                )
            return HoldReason(
                HoldCode.INPUT_STALE,
                f"{self.name}: {age:.2f} s old, at most {self._timeout:.2f} s allowed",
            )
        return MAY_MOVE

    def clock_problem(self, now: float) -> HoldReason:
        """Return why its stamps cannot be of the clock that `now` is of; empty when they can.

        Stricter than `problem`: for a controller that executes what it is sent by the stamps.
        """
        if ahead := self._stamped_ahead(now):
            return ahead
        late = min(self._delays, default=0.0)
        if len(self._delays) < _ARRIVALS or late <= _BEHIND or self.problem(now):
            return MAY_MOVE
        return HoldReason(
            HoldCode.CLOCK_MISMATCH,
            f"{self.name}: they arrive {late:.2f} s and more after their stamps, at most "
            f"{_BEHIND} s allowed; do the clocks of both machines differ?",
        )

    def _stamped_ahead(self, now: float) -> HoldReason:
        if self._stamp is None:
            return MAY_MOVE
        # A tick is due before it is called: what arrived meanwhile is not of the future.
        ahead = -self._delays[-1] if self._delays else self._stamp - now
        if ahead <= self._ahead:
            return MAY_MOVE
        return HoldReason(
            HoldCode.CLOCK_MISMATCH,
            f"{self.name}: stamped {ahead:.2f} s ahead of this node's clock, at most "
            f"{self._ahead:g} s allowed; do the clocks of both machines differ, and is "
            "use_sim_time the same on both sides?",
        )
