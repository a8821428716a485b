"""Notices inputs that are missing, stale, frozen or of another clock."""

from collections import deque

from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason

_RATE_WINDOW = 20
"""Messages from which the rate is estimated."""
_RATE_RESET_S = 3.0
"""After a longer gap the rate is estimated again [s]."""
MAX_CLOCK_LEAD_S = 0.03
"""Largest lead of a stamp over the receiver's clock; with more the clocks differ [s]."""
_BEHIND, _ARRIVALS = 0.05, 10
"""Where each of so many messages arrives longer after its stamp [s], the clocks differ, too, or
what comes is always late."""


class StreamMonitor:
    """Monitors one stream of stamped messages. All times in seconds of one clock."""

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
        """What is unusual about messages that can be used; empty if nothing is."""
        self.received = self.refusals = 0
        """Number of messages, and of those that could not be used."""

    def on_message(self, stamp: float, now: float | None = None) -> None:
        """Count a usable message with this stamp [s] that arrived at `now` [s], if known."""
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
        """Count a message that cannot be used, and keep the reason."""
        self.received += 1
        self.refusals += 1
        self._fault = fault

    @property
    def rate(self) -> float:
        """Recent rate by the stamps [Hz]; 0 before two messages have come."""
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
        """Return why the stamps are of another clock than `now`; empty when they are not.

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
