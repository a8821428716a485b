"""Evenly spaced ticks, however late the calls come."""

import math


class TickSchedule:
    """The times at which ticks are due.

    A timer that is late once is not late for ever: the next call comes so much sooner. What is
    told for one period each has to be told for the times that are due, not for those of the calls,
    or an arm is hurried along a whole period's way in a part of it.
    """

    def __init__(self, period: float) -> None:
        """Make a schedule with a tick every `period` seconds."""
        self._period = period
        self.next = -math.inf
        """When the next tick is due [s]; the first is due when it comes."""

    def due_time(self, now: float) -> float:
        """Return when the tick that comes at `now` is due [s].

        Whole periods that were missed are left out. It is later than `now` by at most a period,
        where the first call was late; a clock that was set back begins a new beat.
        """
        begins = self.next == -math.inf or now < self.next - self._period
        due = now if begins else self.next
        due += max(math.floor((now - due) / self._period), 0) * self._period
        self.next = due + self._period
        return due
