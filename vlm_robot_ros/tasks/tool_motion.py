"""How the scripted expert moves the tool; positions in the base frame [m]."""

import numpy as np

HOVER = 0.14
"""How high above its goal the tool moves sideways [m]."""
TOP_STEP = 0.03
"""Longest move of the tool in one step of the expert [m]."""
TURN_STEP = 0.14
"""Largest turn of the tool in one step of the expert [rad]."""
PUSH_HEIGHT_M = 0.022
"""Height of the tool that pushes [m]."""
PUSH_GAP_M = 0.058
"""From the object's middle to where the closed fingers come down behind it [m]."""
_HELD_MIN, _HELD_MAX = 0.25, 0.8


def funnel(tool: np.ndarray, goal: np.ndarray, aside: np.ndarray, slack: float) -> np.ndarray:
    """Return a goal raised by the sideways distance, so that the tool comes from above."""
    raised = goal.copy()
    raised[:, 2] += np.clip((aside - slack) * 3.0, 0.0, HOVER)
    # Well below the raised goal: rise before going sideways.
    low = np.clip((raised[:, 2] - tool[:, 2]) / 0.06, 0.0, 1.0)[:, None]
    raised[:, :2] = goal[:, :2] * (1 - low) + tool[:, :2] * low
    return raised


def towards(here: np.ndarray, goal: np.ndarray, step: float) -> np.ndarray:
    """Return a move of at most `step` [m] that slows down near the goal."""
    gap = goal - here
    length = np.linalg.norm(gap, axis=1, keepdims=True)
    return gap * np.minimum(0.7, step / np.maximum(length, 1e-9))


def is_held(tool: np.ndarray, opening: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Tell whether fingers are closed around the object. Shape (B,)."""
    near = np.linalg.norm(tool - item, axis=1) < 0.03
    return near & (opening < _HELD_MAX) & (opening > _HELD_MIN)


def offset_from_line(
    tool: np.ndarray, item: np.ndarray, along: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far the tool is behind the object, and to its side. Shape (B,) each, [m]."""
    offset = item - tool
    behind = np.sum(offset * along, axis=1)
    return behind, np.linalg.norm(offset[:, :2] - behind[:, None] * along[:, :2], axis=1)


def is_behind(tool: np.ndarray, item: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Tell whether the tool is low behind the object, ready to push or pushing. Shape (B,)."""
    behind, off = offset_from_line(tool, item, along)
    # To begin it must be low; once there it may be lifted a little.
    low = tool[:, 2] < PUSH_HEIGHT_M + 0.012 + np.clip(PUSH_GAP_M - behind, 0.0, 0.02)
    return low & (behind > 0.015) & (behind < PUSH_GAP_M + 0.025) & (off < 0.02)
