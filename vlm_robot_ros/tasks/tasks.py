"""The tasks of the table: all skills, and the tasks of a scene."""

from collections.abc import Collection

import numpy as np

from vlm_robot_ros import plugins
from vlm_robot_ros.tasks.objects import RECEPTACLES, SHAPES
from vlm_robot_ros.tasks.scene import Scene
from vlm_robot_ros.tasks.skill import Skill, Task, WorldState


def _skills() -> list[Skill]:
    kinds = plugins.built_ins("vlm_robot_ros.tasks.skills", Skill)  # type: ignore[type-abstract]
    names = plugins.plugin_names(plugins.SKILLS)
    kinds += [plugins.load_plugin(plugins.SKILLS, name) for name in names]
    return sorted((kind() for kind in kinds), key=lambda skill: (skill.order, skill.family))


SKILL_FAMILIES = {skill.family: skill for skill in _skills()}
"""The families of skills by name."""
FAMILIES = {family: skill.names for family, skill in SKILL_FAMILIES.items()}
"""The names of the skills of each family."""
SKILLS = tuple(name for names in FAMILIES.values() for name in names)
"""All skills by number."""
FAMILY = {name: family for family, names in FAMILIES.items() for name in names}
SKILL = {name: SKILL_FAMILIES[family] for name, family in FAMILY.items()}
"""The family of each skill."""


def task_label(skill: str, shape: str, receptacle: str = "") -> str:
    """Return the label of a skill done to a kind of object."""
    return SKILL[skill].label(skill, shape, receptacle)


def all_labels() -> list[str]:
    """Return every task label."""
    labels = []
    for skill in SKILLS:
        for shape in (*SHAPES, "object"):
            kinds = list(RECEPTACLES) if SKILL[skill].reference == "receptacle" else [""]
            labels += [task_label(skill, shape, kind) for kind in kinds]
    return [*dict.fromkeys(labels), "stop"]


def goal_table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the `Goal` of each skill as three tables. Shape (K, 3) each; see `goal_positions`."""
    goals = [SKILL[skill].goal(skill) for skill in SKILLS]
    of_start, of_reference, offset = (np.array(part, float) for part in zip(*goals, strict=True))
    return of_start, of_reference, offset


def goal_positions(skill: np.ndarray, start: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return where the targets shall be, or for "home" the tool. Shape (B, 3), [m].

    Args:
        skill: Index into `SKILLS`. Shape (B,).
        start: Targets when the task was given. Shape (B, 3), [m].
        reference: Things that the tasks refer to; anything where there is none. Shape (B, 3).
    """
    of_start, of_reference, offset = goal_table()
    return of_start[skill] * start + of_reference[skill] * reference + offset[skill]


def is_feasible(task: Task, scene: Scene) -> bool:
    """Tell whether a task can be done in a scene, and is not done yet."""
    skill = SKILL[task.skill]
    if task.target is None:
        return not skill.has_target
    if not scene.things[task.target].movable or task.target == task.reference:
        return False
    if skill.reference and task.reference is None:
        return False
    return skill.is_feasible(task, scene)


def is_done(task: Task, scene: Scene, start: WorldState, now: WorldState) -> bool:
    """Tell whether a task that was given at `start` is done, by what physics says."""
    return SKILL[task.skill].is_done(task, scene, start, now)


def feasible_tasks(scene: Scene, skill: str, target: int | None = None) -> list[Task]:
    """Return all feasible tasks of a skill, with one target if given."""
    kind = SKILL[skill]
    if not kind.has_target:
        return [Task(skill)]
    references: list[int | None] = [None]
    if kind.reference:
        of_kind = scene.receptacles if kind.reference == "receptacle" else scene.objects
        references = list(of_kind)
    targets = scene.objects if target is None else [target]
    tasks = [Task(skill, one, other) for one in targets for other in references]
    return [task for task in tasks if is_feasible(task, scene)]


def refers_to(task: Task, scene: Scene, pairs: Collection[tuple[str, str]]) -> bool:
    """Tell whether a task's target or reference is of one of some pairs of colour and shape."""
    things = [scene.things[i] for i in (task.target, task.reference) if i is not None]
    return any((thing.colour, thing.shape) in pairs for thing in things)


def sample_task(rng: np.random.Generator, scene: Scene, skill: str | None = None) -> Task | None:
    """Return a random feasible task, of one skill if given; None if the scene has none.

    Families are equally likely, and then the skills of a family.
    """
    if skill is None:
        family = str(rng.choice(list(FAMILIES)))
        skill = str(rng.choice(FAMILIES[family]))
    tasks = feasible_tasks(scene, skill)
    return tasks[int(rng.integers(len(tasks)))] if tasks else None
