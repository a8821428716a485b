"""Where on the table there is room."""

from collections.abc import Collection

import numpy as np

from vlm_robot_ros.tasks.scene import Scene

_REACH_MIN, _REACH_MAX = np.array([0.31, -0.34]), np.array([0.73, 0.34])
_CLEARANCE, _RECEPTACLE_CLEARANCE = 0.08, 0.115


def is_clear(positions: np.ndarray, scene: Scene, but: Collection[int | None]) -> bool:
    """Tell whether positions are in reach and clear of things `but` some. Shape (P, 2), [m]."""
    if np.any(positions < _REACH_MIN) or np.any(positions > _REACH_MAX):
        return False
    others = [thing for index, thing in enumerate(scene.things) if index not in but]
    return all(
        np.min(np.linalg.norm(positions - thing.position[:2], axis=1))
        >= (_CLEARANCE if thing.movable else _RECEPTACLE_CLEARANCE)
        for thing in others
    )
