"""Whether an arm stands still, so that its motion can begin from where it is measured."""

from collections import deque

import numpy as np

WINDOW_S = 0.2
"""An arm that has not moved for this time stands still [s]."""
TOLERANCE_RAD = 0.01
"""Largest change of a joint position within `WINDOW_S` of an arm that stands still [rad]."""


class Standstill:
    """Monitors the measured positions of an arm that gets no commands."""

    def __init__(self) -> None:
        self._measured: deque[tuple[float, np.ndarray]] = deque()
        self._moving_at: float | None = None

    def reset(self, moving: bool) -> None:
        """Forget what was measured.

        Args:
            moving: The arm may still be in motion: it must be seen to stand for `WINDOW_S`.
        """
        self._measured.clear()
        # Once in motion, an arm has to be seen to stand.
        moving = moving or self._moving_at is not None
        self._moving_at = -np.inf if moving else None

    def add(self, now: float, joints: np.ndarray) -> None:
        """Add measured positions of time `now` [s]. Shape (J,), [rad]."""
        if self._measured and now < self._measured[-1][0]:
            self._measured.clear()  # the clock was set back
        if self._moving_at == -np.inf:
            self._moving_at = now
        self._measured.append((now, joints))
        while len(self._measured) > 1 and now - self._measured[1][0] >= WINDOW_S:
            self._measured.popleft()

    def problem(self, names: tuple[str, ...]) -> str:
        """Return why the arm cannot be said to stand still; empty when it stands.

        Args:
            names: Of the joints.
        """
        if not self._measured:
            return ""
        positions = np.array([joints for _, joints in self._measured])
        spread = np.ptp(positions, axis=0)
        worst = int(spread.argmax())
        if spread[worst] > TOLERANCE_RAD:
            return (
                f"waiting until the arm stands still: {names[worst]} moved {spread[worst]:.3f} "
                f"rad within {WINDOW_S} s"
            )
        since = self._moving_at
        if since is not None and 0 <= self._measured[-1][0] - since < WINDOW_S - 1e-9:
            return f"waiting until the arm has stood still for {WINDOW_S} s"
        self._moving_at = None
        return ""
