"""Pick up."""

import numpy as np

from vlm_robot_ros.tasks.carry_skill import fetch_action
from vlm_robot_ros.tasks.paraphrases import Paraphrases
from vlm_robot_ros.tasks.scene import Scene
from vlm_robot_ros.tasks.skill import ExpertAction, ExpertInput, Goal, Skill, Task, WorldState
from vlm_robot_ros.tasks.tool_motion import TOP_STEP, is_held, towards

_LIFT_M, _MIN_LIFT_M = 0.18, 0.05
_VERBS = Paraphrases(
    ("pick up", "grab", "lift", "take", "grasp", "get", "raise", "lift up"),
    (),
    ("fetch", "hoist", "seize"),
)
_TEMPLATES = Paraphrases(
    ("{v} {o}", "{v} {o}", "take {o} and {v} it", "{o} {v} it", "i want {o} up", "pick {o} up",
     "lift {o} up", "{v} {o} off the table", "{o} is what you should {v}", "you should {v} {o}",
     "what you should {v} is {o}", "the thing to {v} is {o}", "hold {o} up", "{o} must go up",
     "grab {o} and hold it up", "get {o} off the table", "you must {v} {o}",
     "let me see you {v} {o}", "grab it i mean {o}", "it is {o} that you should {v}",
     "{o} is the one to {v}", "what i want is {o} up", "see {o} and {v} it", "go and {v} {o}",
     "{o} should go up"),
    ("the one to {v} is {o}", "{o} is the thing to {v}", "you see {o} now {v} it",
     "can you see {o} {v} it", "i must see {o} go up", "let {o} go up"),
)  # fmt: skip


class Pick(Skill):
    """Done when the target is 5 cm or more above where it stood."""

    family = "pick"
    names = ("pick up",)
    order = 1
    sentences = _TEMPLATES
    verb_phrases = _VERBS
    training_weight = 2.0
    time_limit_s = 8.0

    def label(self, name: str, shape: str, receptacle: str = "") -> str:
        """Return the task label."""
        return f"pick up the {shape}"

    def is_feasible(self, task: Task, scene: Scene) -> bool:
        """Tell whether the gripper gets at the target: always."""
        return True

    def goal(self, name: str) -> Goal:
        """Return a position above where the target stood."""
        return Goal(of_start=(1, 1, 1), offset=(0, 0, _LIFT_M))

    def is_done(self, task: Task, scene: Scene, start: WorldState, now: WorldState) -> bool:
        """Tell whether the target was lifted."""
        assert task.target is not None
        return bool((now.positions[task.target] - start.positions[task.target])[2] >= _MIN_LIFT_M)

    def expert_action(
        self, states: ExpertInput, along: np.ndarray, turn: np.ndarray
    ) -> ExpertAction:
        """Return what to do over the next 0.1 s: grip and lift."""
        tool, goal = states.tool, states.goal
        held = is_held(tool, states.opening, states.item)
        lifted = np.column_stack([tool[:, :2], goal[:, 2]])
        fetch, straight, at_item = fetch_action(tool, states.yaw, states.item)
        move = np.where(held[:, None], towards(tool, lifted, TOP_STEP), fetch)
        return ExpertAction(move, np.where(held, 0.0, straight), (~held & ~at_item).astype(float))
