"""The judge: whether a task was done, from what physics says and from nothing else."""

from typing import NamedTuple

import numpy as np

from vlm_robot_ros.kinematics.kinematics import wrap_to_pi
from vlm_robot_ros.tasks.objects import RECEPTACLES
from vlm_robot_ros.tasks.scene import Scene
from vlm_robot_ros.tasks.tasks import HOME_POSITION, Task, direction

_CLEAR_DISTANCE_M = 0.05
"""A tool so far from an object has let go of it [m]."""
_HEIGHT_TOLERANCE_M = 0.006
"""How far from its own the height of a thing that stands may be: lying ones are lower [m]."""


class WorldState(NamedTuple):
    """What is true at one moment; the order of things is the scene's."""

    positions: np.ndarray
    """Of all things. Shape (N, 3), base frame [m]."""
    yaws: np.ndarray
    """Their turns about the vertical. Shape (N,), [rad]."""
    tool: np.ndarray
    """Shape (3,), [m]."""
    opening: float
    """Of the gripper, 0 closed to 1 open."""


def is_success(task: Task, scene: Scene, start: WorldState, now: WorldState) -> bool:
    """Tell whether a task that was given at `start` is done.

    - pick: the target is 5 cm or more above where it stood.
    - push: it went 5 cm or more in the asked direction, less sideways than forward, and stands
      as high as before, as for all below.
    - put: it lies inside the receptacle's edge, let go of.
    - place: it stands 7 to 19 cm from the reference on the asked side, less than 6 cm off the
      line, let go of, and the reference did not go farther than 4 cm.
    - stack: it stands on the reference, upright, let go of.
    - rotate: it was turned by 90 degrees, within 20, stands within 6 cm of where it was, let go
      of.
    - arm: the gripper is open or closed and the tool did not go farther than 5 cm; or the tool is
      within 4 cm of its home.
    """
    if task.target is None:
        return _is_arm_done(task, start, now)
    here, there = now.positions[task.target], start.positions[task.target]
    moved = here - there
    if task.family == "pick":
        return bool(moved[2] >= 0.05)
    if task.family == "push":
        along = direction(task.skill)
        assert along is not None
        forward = float(moved[:2] @ along)
        sideways = float(np.linalg.norm(moved[:2] - forward * along))
        return bool(forward >= 0.05 and sideways < forward and abs(moved[2]) < _HEIGHT_TOLERANCE_M)
    if np.linalg.norm(now.tool - here) < _CLEAR_DISTANCE_M:
        return False
    if task.family == "rotate":
        turn = wrap_to_pi(now.yaws[task.target] - start.yaws[task.target])
        asked = np.pi / 2 if task.skill == "turn left" else -np.pi / 2
        stands = np.linalg.norm(moved[:2]) < 0.06 and abs(moved[2]) < _HEIGHT_TOLERANCE_M
        return bool(abs(turn - asked) < np.deg2rad(20) and stands)
    assert task.reference is not None
    gap = here - now.positions[task.reference]
    aside = float(np.linalg.norm(gap[:2]))
    own = scene.things[task.target]
    other = scene.things[task.reference]
    if task.family == "put":
        kind = RECEPTACLES[other.shape]
        return bool(aside < kind.radius and here[2] < kind.height + own.half_height + 0.015)
    if task.family == "stack":
        return bool(
            aside < 0.035
            and abs(gap[2] - other.half_height - own.half_height) < _HEIGHT_TOLERANCE_M
        )
    along = direction(task.skill)
    assert along is not None
    forward = float(gap[:2] @ along)
    sideways = float(np.linalg.norm(gap[:2] - forward * along))
    went = np.linalg.norm(now.positions[task.reference] - start.positions[task.reference])
    stands = abs(float(moved[2])) < _HEIGHT_TOLERANCE_M and float(went) < 0.04
    return 0.07 <= forward <= 0.19 and sideways < 0.06 and stands


def _is_arm_done(task: Task, start: WorldState, now: WorldState) -> bool:
    if task.skill == "home":
        return bool(np.linalg.norm(now.tool - HOME_POSITION) < 0.04)
    stayed = np.linalg.norm(now.tool - start.tool) < 0.05
    return bool(stayed and (now.opening > 0.9 if task.skill == "open" else now.opening < 0.15))
