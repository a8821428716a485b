"""What became of a scene, whatever was asked for."""

from collections.abc import Iterable

import numpy as np

from vlm_robot_ros.sim.simulator import Simulator
from vlm_robot_ros.tasks.scene import Scene
from vlm_robot_ros.tasks.skill import Task, WorldState
from vlm_robot_ros.tasks.tasks import SKILL, SKILLS, feasible_tasks, is_done


def disturbance(sim: Simulator, scene: Scene, tasks: Iterable[Task | None]) -> float:
    """Return how far a thing went that no task is about [m]."""
    named = {index for task in tasks if task for index in (task.target, task.reference)}
    others = [i for i in scene.objects if i not in named]
    first = np.array([scene.things[i].position for i in others]).reshape(-1, 3)
    ways = np.linalg.norm(sim.positions[others] - first, axis=1) if others else np.zeros(1)
    return round(float(ways.max()), 4)


def other_task_done(sim: Simulator, scene: Scene, asked: Task, start: WorldState) -> str:
    """Return the first other thing that was done, or "nothing"."""
    now = sim.world_state
    if is_done(asked, scene, start, now):
        return "not lasting"
    for skill in SKILLS:
        if not SKILL[skill].has_target:
            continue  # an open gripper is not a deed
        for task in feasible_tasks(scene, skill):
            if is_done(task, scene, start, now):
                return skill if skill != asked.skill else f"{skill}, other thing"
    return "nothing"
