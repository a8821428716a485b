"""Checks of what the simulated arm is commanded."""

from typing import Any

import numpy as np


def finite_array(value: Any, what: str) -> np.ndarray:
    """Return a command as an array.

    Raises:
        ValueError: it is not finite; `what` names it.
    """
    array = np.asarray(value, float)
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{what} must be finite, got {array.tolist()}")
    return array
