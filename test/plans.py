"""Plans for the tests of the control core."""

import numpy as np

from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode

HOME = np.array([0.5, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0])
"""The pose where a plan begins."""


def plan(end, steps=8, mode=ActionMode.END_EFFECTOR_POSE, **changes):
    """A straight plan from HOME to `end` (shape (3,), [m]) in steps of 0.1 s."""
    places = HOME[:3] + np.linspace(0, 1, steps + 1)[1:, None] * (np.array(end) - HOME[:3])
    fields = {
        "mode": mode,
        "values": np.hstack([places, np.tile(HOME[3:], (steps, 1))]),
        "gripper": np.zeros(steps),
        "step_dt": 0.1,
        "label": "pick up",
        "scores": {"pick up": 1.0},
        "confidence": 1.0,
        "hold": "",
    }
    return ActionChunk(**{**fields, **changes})
