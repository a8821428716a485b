"""Put in, put on: into a receptacle."""

import numpy as np

from vlm_robot_ros.tasks.carry_skill import CarrySkill
from vlm_robot_ros.tasks.objects import RECEPTACLES
from vlm_robot_ros.tasks.paraphrases import SEND, Paraphrases
from vlm_robot_ros.tasks.scene import Scene
from vlm_robot_ros.tasks.skill import Goal, Task, WorldState

_DROP_OFFSET_M = 0.012
_VERBS = Paraphrases(("put", "place", "drop", "set", "move"), (), ("toss", "deposit"))
_PLACES = {
    "in": Paraphrases(("in {r}", "into {r}", "inside {r}", "down into {r}", "over into {r}"),
    ("over inside {r}", "on into {r}")),
    "on": Paraphrases(("on {r}", "onto {r}", "down on {r}", "over onto {r}"),
    ("over on {r}", "over down on {r}")),
}  # fmt: skip
"""By the receptacle's preposition."""


class Put(CarrySkill):
    """Done when the target lies inside the receptacle's edge, let go of."""

    family = "put"
    names = ("put",)
    order = 3
    sentences = SEND
    verb_phrases = _VERBS
    reference = "receptacle"
    training_weight = 2.0

    def places(self, name: str, preposition: str = "in") -> Paraphrases:
        """Return the places."""
        return _PLACES[preposition]

    def label(self, name: str, shape: str, receptacle: str = "") -> str:
        """Return the task label."""
        return f"put the {shape} {RECEPTACLES[receptacle].preposition} the {receptacle}"

    def is_feasible(self, task: Task, scene: Scene) -> bool:
        """Tell whether the target is outside the receptacle."""
        assert task.target is not None
        assert task.reference is not None
        target, reference = scene.things[task.target], scene.things[task.reference]
        inside = np.linalg.norm(target.position[:2] - reference.position[:2])
        return not reference.movable and float(inside) > RECEPTACLES[reference.shape].radius + 0.03

    def goal(self, name: str) -> Goal:
        """Return a position above the receptacle's rim."""
        return Goal((0, 0, 1), (1, 1, 1), (0, 0, _DROP_OFFSET_M))

    def is_arranged(self, task: Task, scene: Scene, start: WorldState, now: WorldState) -> bool:
        """Tell whether the target is in the receptacle."""
        assert task.target is not None
        assert task.reference is not None
        here = now.positions[task.target]
        aside = float(np.linalg.norm((here - now.positions[task.reference])[:2]))
        kind = RECEPTACLES[scene.things[task.reference].shape]
        half_height = scene.things[task.target].half_height
        return bool(aside < kind.radius and here[2] < kind.height + half_height + 0.015)
