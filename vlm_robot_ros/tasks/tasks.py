"""The tasks of the table: what can be asked, where it leads, and whether a scene allows it."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.tasks.objects import RECEPTACLES, SHAPES
from vlm_robot_ros.tasks.scene import Scene, SceneObject

FAMILIES = {
    "pick": ("pick up",),
    "push": ("push left", "push right", "push away", "push closer"),
    "put": ("put",),
    "place": ("place left", "place right", "place in front", "place behind"),
    "stack": ("stack",),
    "rotate": ("turn left", "turn right"),
    "arm": ("open", "close", "home"),
}
"""The skills of each family. Directions are the robot's own: left is +y, away is +x (REP 103); in
front of an object is where the robot is, behind it is away from the robot. To turn left is
counterclockwise seen from above, by 90 degrees."""
SKILLS = tuple(skill for skills in FAMILIES.values() for skill in skills)
"""All skills by number."""
FAMILY = {skill: family for family, skills in FAMILIES.items() for skill in skills}
DIRECTIONS = {
    "left": np.array([0.0, 1.0]),
    "right": np.array([0.0, -1.0]),
    "away": np.array([1.0, 0.0]),
    "closer": np.array([-1.0, 0.0]),
    "in front": np.array([-1.0, 0.0]),
    "behind": np.array([1.0, 0.0]),
}
"""Unit vectors. Shape (2,), base frame."""
HOME_POSITION = np.array([0.507, 0.0, 0.327])
"""Where the tool waits. Shape (3,), base frame [m]."""
PUSH_DISTANCE = 0.10
"""How far the expert pushes [m]."""
PLACE_DISTANCE = 0.13
"""From the reference's middle to the placed object's [m]."""

_LIFT = 0.18
_REACH_MIN, _REACH_MAX = np.array([0.31, -0.34]), np.array([0.73, 0.34])
_CLEARANCE, _RECEPTACLE_CLEARANCE = 0.08, 0.115


@dataclass(frozen=True)
class Task:
    """One thing to do in a scene; indices into its things, None where the skill needs none."""

    skill: str
    target: int | None = None
    reference: int | None = None

    @property
    def family(self) -> str:
        """The family of the skill."""
        return FAMILY[self.skill]


def direction(skill: str) -> np.ndarray | None:
    """Return the unit vector of a push or a placing, shape (2,), or None."""
    family, _, where = skill.partition(" ")
    return DIRECTIONS[where] if family in ("push", "place") else None


def task_label(skill: str, shape: str, receptacle: str = "") -> str:
    """Return the label of a skill done to a kind of object; `config/tasks.yaml` lists them all."""
    if FAMILY[skill] == "arm":
        return {"open": "open the gripper", "close": "close the gripper", "home": "go home"}[skill]
    if skill == "put":
        kind = RECEPTACLES[receptacle]
        return f"put the {shape} {kind.preposition} the {receptacle}"
    verb, _, where = skill.partition(" ")
    if verb == "place":
        return f"place the {shape} {where if where == 'behind' else where + ' of'} another object"
    if verb == "stack":
        return f"stack the {shape} on another object"
    return f"{verb} {where} the {shape}" if verb == "pick" else f"{verb} the {shape} {where}"


def all_labels() -> list[str]:
    """Return every task label, in the order of `config/tasks.yaml`."""
    labels = []
    for skill in SKILLS:
        for shape in (*SHAPES, "object"):
            kinds = list(RECEPTACLES) if skill == "put" else [""]
            labels += [task_label(skill, shape, kind) for kind in kinds]
    return [*dict.fromkeys(labels), "stop"]


def goal_table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how a task's goal follows from where its things are.

    Returns:
        For each skill and axis the weight of the target's first position, the weight of the
        reference's position, and an offset [m]; see `goals`. Shape (K, 3) each.
    """
    count = len(SKILLS)
    of_start, of_reference, offset = (np.zeros((count, 3)) for _ in range(3))
    for number, skill in enumerate(SKILLS):
        family = FAMILY[skill]
        if family in ("pick", "push", "rotate"):
            of_start[number] = 1
        elif family != "arm":
            of_start[number], of_reference[number, :2] = [0, 0, 1], 1
        along = direction(skill)
        if along is not None:
            length = PUSH_DISTANCE if family == "push" else PLACE_DISTANCE
            offset[number, :2] = length * along
        offset[number, 2] = {"pick": _LIFT, "put": 0.012, "push": 0.0}.get(family, 0.004)
        # A reference's height is that of a receptacle's rim, but of an object's middle.
        of_reference[number, 2] = {"put": 1, "stack": 2}.get(family, 0)
    offset[SKILLS.index("home")] = HOME_POSITION
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
    """Tell whether the gripper gets at the target, and the way and the goal are in reach and free.

    A task that is fulfilled already is not feasible.
    """
    if task.target is None:
        return task.family == "arm"
    target = scene.things[task.target]
    reference = scene.things[task.reference] if task.reference is not None else None
    if not target.movable or task.target == task.reference:
        return False
    if task.family in ("pick", "push"):
        return task.family == "pick" or _is_pushable(task, scene)
    if task.family == "rotate":
        return SHAPES[target.shape].turnable
    if reference is None:
        return False
    if task.family == "put":
        inside = np.linalg.norm(target.position[:2] - reference.position[:2])
        return not reference.movable and float(inside) > RECEPTACLES[reference.shape].radius + 0.03
    if not reference.movable:
        return False
    if task.family == "stack":
        return SHAPES[reference.shape].flat_top and SHAPES[target.shape].flat_base
    return _is_placeable(task, scene, target, reference)


def _is_pushable(task: Task, scene: Scene) -> bool:
    along = direction(task.skill)
    assert along is not None
    assert task.target is not None
    here = scene.things[task.target].position[:2]
    # The gripper comes down behind the object and sweeps through to where the object will be.
    sweep = here + np.linspace(-0.08, PUSH_DISTANCE + 0.03, 12)[:, None] * along
    return _is_clear(sweep, scene, [task.target])


def _is_placeable(task: Task, scene: Scene, target: SceneObject, reference: SceneObject) -> bool:
    along = direction(task.skill)
    assert along is not None
    assert task.target is not None
    goal = reference.position[:2] + PLACE_DISTANCE * along
    if np.linalg.norm(goal - target.position[:2]) < 0.09:
        return False
    return _is_clear(goal[None], scene, [task.target])


def _is_clear(places: np.ndarray, scene: Scene, but: list[int]) -> bool:
    """Tell whether places (shape (P, 2)) are in reach and clear of all things `but` some."""
    if np.any(places < _REACH_MIN) or np.any(places > _REACH_MAX):
        return False
    others = [thing for index, thing in enumerate(scene.things) if index not in but]
    return all(
        np.min(np.linalg.norm(places - thing.position[:2], axis=1))
        >= (_CLEARANCE if thing.movable else _RECEPTACLE_CLEARANCE)
        for thing in others
    )


def feasible_tasks(scene: Scene, skill: str, target: int | None = None) -> list[Task]:
    """Return all feasible tasks of a skill, with one target if given."""
    if FAMILY[skill] == "arm":
        return [Task(skill)]
    references: list[int | None] = [None]
    if skill == "put":
        references = list(scene.receptacles)
    elif FAMILY[skill] in ("place", "stack"):
        references = list(scene.objects)
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
