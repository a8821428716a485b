"""Turn left, turn right: by 90 degrees, left is counterclockwise seen from above."""

import numpy as np

from vlm_robot_ros.kinematics.kinematics import wrap_to_pi
from vlm_robot_ros.tasks.carry_skill import HEIGHT_TOLERANCE_M, STAND_OFFSET_M, CarrySkill
from vlm_robot_ros.tasks.objects import SHAPES
from vlm_robot_ros.tasks.paraphrases import SEND, Paraphrases
from vlm_robot_ros.tasks.scene import Scene
from vlm_robot_ros.tasks.skill import Goal, Task, WorldState

_VERBS = Paraphrases(("turn", "rotate", "spin"), (), ("twist", "swivel"))
# Without its verb, to go to the left is to be pushed there.
_TEMPLATES = Paraphrases(
    (*(text for text in SEND.seen if "{v}" in text),
     "give {o} a turn {d}", "give {o} a quarter turn {d}"),
    tuple(text for text in SEND.held if "{v}" in text),
)  # fmt: skip
_PLACES = {
    "left": Paraphrases(
        ("left", "to the left", "counterclockwise", "anticlockwise", "left by 90 degrees",
         "90 degrees to the left", "counterclockwise by 90 degrees", "ninety degrees left",
         "by a quarter to the left", "a quarter left", "by ninety degrees to the left",
         "a quarter counterclockwise", "by 90 degrees left"),
        ("by a quarter turn left", "ninety degrees to the left",
         "by ninety degrees counterclockwise"),
    ),
    "right": Paraphrases(
        ("right", "to the right", "clockwise", "right by 90 degrees", "90 degrees to the right",
         "clockwise by 90 degrees", "ninety degrees right", "by a quarter to the right",
         "a quarter right", "by ninety degrees to the right", "a quarter clockwise",
         "by 90 degrees right"),
        ("by a quarter turn right", "ninety degrees to the right",
         "by ninety degrees clockwise"),
    ),
}  # fmt: skip


class Rotate(CarrySkill):
    """Done when the target was turned by 90 degrees, within 20, and let go of.

    It stands as high as before and within 6 cm of where it was.
    """

    family = "rotate"
    names = ("turn left", "turn right")
    order = 6
    sentences = _TEMPLATES
    verb_phrases = _VERBS
    training_weight = 4.0

    def places(self, name: str, preposition: str = "in") -> Paraphrases:
        """Return the directions."""
        return _PLACES[name.removeprefix("turn ")]

    def label(self, name: str, shape: str, receptacle: str = "") -> str:
        """Return the task label."""
        return f"turn the {shape} {name.removeprefix('turn ')}"

    def turn(self, name: str) -> float:
        """Return 90 degrees, counterclockwise to the left [rad]."""
        return np.pi / 2 if name == "turn left" else -np.pi / 2

    def is_feasible(self, task: Task, scene: Scene) -> bool:
        """Tell whether it can be seen that the target was turned."""
        assert task.target is not None
        return SHAPES[scene.things[task.target].shape].turnable

    def goal(self, name: str) -> Goal:
        """Return where the target stood."""
        return Goal(of_start=(1, 1, 1), offset=(0, 0, STAND_OFFSET_M))

    def is_arranged(self, task: Task, scene: Scene, start: WorldState, now: WorldState) -> bool:
        """Tell whether the target is turned and stands."""
        assert task.target is not None
        moved = now.positions[task.target] - start.positions[task.target]
        turned = wrap_to_pi(now.yaws[task.target] - start.yaws[task.target])
        stands = np.linalg.norm(moved[:2]) < 0.06 and abs(moved[2]) < HEIGHT_TOLERANCE_M
        return bool(abs(turned - self.turn(task.skill)) < np.deg2rad(20) and stands)
