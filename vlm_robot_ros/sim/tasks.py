"""The tasks of the table: what can be asked, and what counts as done."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from vlm_robot_ros.sim.scene import Scene

SKILLS = ("pick up", "push left", "push right", "push away", "push closer")
"""Task labels by id. Directions are the robot's own: left is +y, away is +x (REP 103)."""
DIRECTIONS = {
    "push left": np.array([0.0, 1.0]),
    "push right": np.array([0.0, -1.0]),
    "push away": np.array([1.0, 0.0]),
    "push closer": np.array([-1.0, 0.0]),
}
"""Unit vectors of the pushes. Shape (2,), base frame."""
TOOL_DOWN = Rotation.from_quat([1.0, 0.0, 0.0, 0.0])
"""The tool's orientation in all tasks: pointing down."""
PUSH_DISTANCE = 0.10
"""How far the expert pushes [m]."""

_LIFTED = 0.05
_PUSHED = 0.05
_REACH_MIN, _REACH_MAX = np.array([0.30, -0.34]), np.array([0.74, 0.34])
_CLEARANCE = 0.075


@dataclass(frozen=True)
class Task:
    """One thing to do to one object of a scene."""

    skill: str
    target: int
    """Index of the object in the scene."""


def is_done(task: Task, start: np.ndarray, now: np.ndarray) -> bool:
    """Judge a task from true object positions.

    Picked up: the target is 5 cm or more above where it stood. Pushed: it went 5 cm or more in the
    asked direction, with less sideways than forward motion, and it still stands on the table.

    Args:
        task: What was asked.
        start: Object positions when it was asked. Shape (N, 3), [m].
        now: Object positions at the end. Shape (N, 3), [m].
    """
    moved = now[task.target] - start[task.target]
    if task.skill == "pick up":
        return bool(moved[2] >= _LIFTED)
    along = DIRECTIONS[task.skill]
    forward = float(moved[:2] @ along)
    sideways = float(np.linalg.norm(moved[:2] - forward * along))
    return forward >= _PUSHED and sideways < forward and abs(float(moved[2])) < 0.03


def is_feasible(task: Task, scene: Scene) -> bool:
    """Tell whether the gripper can get at the target, and a push stays in reach and clear."""
    if task.skill == "pick up":
        return True
    along = DIRECTIONS[task.skill]
    here = scene.objects[task.target].position[:2]
    # The gripper comes down behind the object and sweeps through to where the object will be.
    sweep = here + np.linspace(-0.07, PUSH_DISTANCE + 0.02, 10)[:, None] * along
    ends = sweep[[0, -1]]
    if np.any(ends < _REACH_MIN) or np.any(ends > _REACH_MAX):
        return False
    others = [o.position[:2] for i, o in enumerate(scene.objects) if i != task.target]
    gaps = np.linalg.norm(sweep[:, None] - np.array(others)[None], axis=-1)
    return bool(np.all(gaps >= _CLEARANCE))


def sample_task(rng: np.random.Generator, scene: Scene, skill: str | None = None) -> Task | None:
    """Return a random feasible task, of one skill if given; None if the scene has none."""
    skills = [skill] if skill else list(SKILLS)
    for name in rng.permutation(skills):
        for target in rng.permutation(len(scene.objects)):
            task = Task(str(name), int(target))
            if is_feasible(task, scene):
                return task
    return None
