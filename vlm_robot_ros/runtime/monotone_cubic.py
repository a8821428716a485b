"""A smooth curve through steps that are evenly spaced in time."""

import numpy as np


class MonotoneCubic:
    """A cubic from step to step that never goes past one: PCHIP of Fritsch and Butland (1984).

    scipy's `PchipInterpolator` is the same curve, and takes three to six times as long to be made
    (0.16 ms); an arm waits for it.
    """

    def __init__(self, start: float, step: float, places: np.ndarray) -> None:
        """Lay a curve.

        Args:
            start: When it is at the first place [s].
            step: From one place to the next [s], above 0.
            places: Shape (N, D), at least two.
        """
        self._start, self._last = start, len(places) - 2
        self.step = step
        """From one place to the next [s]."""
        self.end = start + step * (len(places) - 1)
        """When it is at the last place [s]."""
        rise = np.diff(places, axis=0)
        slope = np.empty_like(places)
        if len(rise) == 1:
            slope[:] = rise
        else:
            both = rise[:-1] * rise[1:]
            turns = both <= 0
            # The harmonic mean; where the curve turns it is flat.
            slope[1:-1] = np.where(turns, 0.0, 2 * both) / np.where(
                turns, 1.0, rise[:-1] + rise[1:]
            )
            slope[[0, -1]] = _at_end(rise[[0, -1]], rise[[1, -2]])
        before, after = slope[:-1], slope[1:]
        # Of each step the factors of 1, u, u^2 and u^3, with u from 0 to 1. Shape (N - 1, 4, D).
        self._factors = np.stack(
            [places[:-1], before, 3 * rise - 2 * before - after, before + after - 2 * rise], 1
        )

    def at(self, time: float) -> np.ndarray:
        """Return where it is, and how fast [1/s]; beyond its ends as it is there. Shape (2, D)."""
        along = (time - self._start) / self.step
        step = int(min(max(along, 0.0), self._last))
        u = along - step
        slopes = [0.0, 1 / self.step, 2 * u / self.step, 3 * u**2 / self.step]
        return np.array([[1.0, u, u**2, u**3], slopes]) @ self._factors[step]


def _at_end(nearest: np.ndarray, next_one: np.ndarray) -> np.ndarray:
    """Return the slope at ends, each of three points, without overshoot. Shape (2, D)."""
    slope = 1.5 * nearest - 0.5 * next_one
    slope = np.where(slope * nearest <= 0, 0.0, slope)
    steep = (nearest * next_one <= 0) & (np.abs(slope) > 3 * np.abs(nearest))
    return np.where(steep, 3 * nearest, slope)
