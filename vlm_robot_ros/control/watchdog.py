"""Is an input still there, fresh and moving?"""


class StreamWatch:
    """Watches one stream of stamped messages. All times in seconds of one clock."""

    def __init__(self, name: str, timeout: float) -> None:
        """Watch the stream called `name`, whose newest stamp may be `timeout` old."""
        self._name = name
        self._timeout = timeout
        self._stamp: float | None = None
        self._repeated = 0
        self._fault = ""

    def saw(self, stamp: float) -> None:
        """Note a good message with this stamp."""
        self._fault = ""
        self._repeated = self._repeated + 1 if stamp == self._stamp else 0
        self._stamp = stamp

    def refused(self, fault: str) -> None:
        """Note a message that could not be used, and why."""
        self._fault = fault

    def problem(self, now: float) -> str:
        """Return why the stream cannot be relied on; empty when it can."""
        if self._fault:
            return f"{self._name}: {self._fault}"
        if self._stamp is None:
            return f"{self._name}: nothing received yet"
        age = now - self._stamp
        if age < -self._timeout:
            return (
                f"{self._name}: stamped {-age:.1f} s ahead of this node's clock; "
                "is use_sim_time the same on both sides?"
            )
        if age > self._timeout:
            if self._repeated:
                return (
                    f"{self._name}: the stamp is frozen, {age:.2f} s old, "
                    f"and came {self._repeated + 1} times"
                )
            return f"{self._name}: {age:.2f} s old, at most {self._timeout:.2f} s allowed"
        return ""
