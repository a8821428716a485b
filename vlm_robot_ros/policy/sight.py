"""Pictures that show nothing: a covered lens, a camera that repeats itself."""

import numpy as np

_BLANK = 4.0
"""Standard deviation of the brightness below which a picture shows nothing, of 255."""
_MOVED = 0.015
"""Way of the tool on which some pixel must have changed [m]."""


class PictureWatch:
    """Tells whether a picture can be trusted to show what is there now."""

    def __init__(self) -> None:
        self._last: np.ndarray | None = None
        self._tool = np.zeros(3)

    def problem(self, picture: np.ndarray, tool: np.ndarray) -> str:
        """Return what is wrong with a picture, or nothing.

        Args:
            picture: Shape (H, W, 3), uint8.
            tool: Where the tool was when it was taken. Shape (3,), [m].
        """
        if float(picture[::3, ::3].std()) < _BLANK:
            self._last = None
            return "the picture is blank"
        if self._last is None or not np.array_equal(picture, self._last):
            self._last, self._tool = picture.copy(), np.array(tool)
            return ""
        moved = float(np.linalg.norm(tool - self._tool))
        if moved < _MOVED:
            return ""
        return f"the picture is frozen: no pixel changed while the tool moved {moved:.2f} m"
