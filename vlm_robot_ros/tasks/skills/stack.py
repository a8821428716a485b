"""Stack on another object."""

import numpy as np

from vlm_robot_ros.tasks.carry_skill import HEIGHT_TOLERANCE_M, STAND_OFFSET_M, CarrySkill
from vlm_robot_ros.tasks.objects import SHAPES
from vlm_robot_ros.tasks.paraphrases import SEND, Paraphrases
from vlm_robot_ros.tasks.scene import Scene
from vlm_robot_ros.tasks.skill import Goal, Task, WorldState

_VERBS = Paraphrases(("stack", "put", "place", "set"), (), ("pile", "balance"))
_PLACES = Paraphrases(("on top of {r}", "on {r}", "onto {r}", "up on {r}", "on the top of {r}"),
("over on top of {r}", "up on top of {r}"))  # fmt: skip


class Stack(CarrySkill):
    """Done when the target stands on the reference, upright, let go of."""

    family = "stack"
    names = ("stack",)
    order = 5
    sentences = SEND
    verb_phrases = _VERBS
    reference = "object"
    training_weight = 2.0

    def places(self, name: str, preposition: str = "in") -> Paraphrases:
        """Return the places."""
        return _PLACES

    def label(self, name: str, shape: str, receptacle: str = "") -> str:
        """Return the task label."""
        return f"stack the {shape} on another object"

    def is_feasible(self, task: Task, scene: Scene) -> bool:
        """Tell whether the reference is flat above and the target below."""
        assert task.target is not None
        assert task.reference is not None
        target, reference = scene.things[task.target], scene.things[task.reference]
        if not reference.movable:
            return False
        return SHAPES[reference.shape].flat_top and SHAPES[target.shape].flat_base

    def goal(self, name: str) -> Goal:
        """Return a position on the reference."""
        return Goal((0, 0, 1), (1, 1, 2), (0, 0, STAND_OFFSET_M))

    def is_arranged(self, task: Task, scene: Scene, start: WorldState, now: WorldState) -> bool:
        """Tell whether the target stands on the reference."""
        assert task.target is not None
        assert task.reference is not None
        gap = now.positions[task.target] - now.positions[task.reference]
        own, other = scene.things[task.target], scene.things[task.reference]
        above = abs(gap[2] - other.half_height - own.half_height)
        return bool(float(np.linalg.norm(gap[:2])) < 0.035 and above < HEIGHT_TOLERANCE_M)
