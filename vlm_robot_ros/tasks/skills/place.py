"""Place left of, right of, in front of, behind another object."""

import numpy as np

from vlm_robot_ros.tasks.carry_skill import HEIGHT_TOLERANCE_M, STAND_OFFSET_M, CarrySkill
from vlm_robot_ros.tasks.free_space import is_clear
from vlm_robot_ros.tasks.paraphrases import SEND, Paraphrases
from vlm_robot_ros.tasks.scene import Scene
from vlm_robot_ros.tasks.skill import DIRECTIONS, Goal, Task, WorldState

_DISTANCE_M = 0.13
"""From the reference's middle to the placed object's [m]."""
_VERBS = Paraphrases(("put", "place", "set", "move"), (), ("arrange", "lay"))
_PLACES = {
    "left": Paraphrases(
        ("to the left of {r}", "left of {r}", "on the left of {r}", "on the left side of {r}",
         "to the left side of {r}", "left from {r}", "at the left side of {r}",
         "over to the left of {r}"),
        ("over on the left side of {r}", "by the left of {r}"),
    ),
    "right": Paraphrases(
        ("to the right of {r}", "right of {r}", "on the right of {r}",
         "on the right side of {r}", "to the right side of {r}", "right from {r}",
         "at the right side of {r}", "over to the right of {r}"),
        ("over on the right side of {r}", "by the right of {r}"),
    ),
    "in front": Paraphrases(
        ("in front of {r}", "before {r}", "at the front of {r}", "to the front of {r}",
         "on the front side of {r}", "over in front of {r}"),
        ("over at the front of {r}", "over to the front of {r}"),
    ),
    "behind": Paraphrases(
        ("behind {r}", "in back of {r}", "at the back of {r}", "to the back of {r}",
         "on the back side of {r}", "over behind {r}"),
        ("over at the back of {r}", "over to the back of {r}"),
    ),
}  # fmt: skip


class Place(CarrySkill):
    """Done when the target stands next to the reference, let go of.

    It is 7 to 19 cm from the reference on the asked side, less than 6 cm off the line, stands as
    high as before, and the reference did not go farther than 4 cm.
    """

    family = "place"
    names = ("place left", "place right", "place in front", "place behind")
    order = 4
    sentences = SEND
    verb_phrases = _VERBS
    reference = "object"
    training_weight = 4.0

    def places(self, name: str, preposition: str = "in") -> Paraphrases:
        """Return the places."""
        return _PLACES[name.removeprefix("place ")]

    def label(self, name: str, shape: str, receptacle: str = "") -> str:
        """Return the task label."""
        side = name.removeprefix("place ")
        side = side if side == "behind" else side + " of"
        return f"place the {shape} {side} another object"

    def direction(self, name: str) -> np.ndarray:
        """Return the unit vector from the reference to the goal. Shape (2,)."""
        return DIRECTIONS[name.removeprefix("place ")]

    def is_feasible(self, task: Task, scene: Scene) -> bool:
        """Tell whether the goal is in reach, clear, and not where the target is."""
        assert task.target is not None
        assert task.reference is not None
        target, reference = scene.things[task.target], scene.things[task.reference]
        if not reference.movable:
            return False
        goal = reference.position[:2] + _DISTANCE_M * self.direction(task.skill)
        if np.linalg.norm(goal - target.position[:2]) < 0.09:
            return False
        return is_clear(goal[None], scene, [task.target])

    def goal(self, name: str) -> Goal:
        """Return a position next to the reference."""
        along = _DISTANCE_M * self.direction(name)
        return Goal((0, 0, 1), (1, 1, 0), (*along, STAND_OFFSET_M))

    def is_arranged(self, task: Task, scene: Scene, start: WorldState, now: WorldState) -> bool:
        """Tell whether the target stands where it was asked to be."""
        assert task.target is not None
        assert task.reference is not None
        here, reference = now.positions[task.target], now.positions[task.reference]
        along = self.direction(task.skill)
        gap = here - reference
        forward = float(gap[:2] @ along)
        sideways = float(np.linalg.norm(gap[:2] - forward * along))
        went = np.linalg.norm(reference - start.positions[task.reference])
        rose = abs(float((here - start.positions[task.target])[2]))
        stands = rose < HEIGHT_TOLERANCE_M and float(went) < 0.04
        return 0.07 <= forward <= 0.19 and sideways < 0.06 and stands
