"""Open, close, home: what the arm does without an object."""

import numpy as np

from vlm_robot_ros.tasks.paraphrases import Paraphrases
from vlm_robot_ros.tasks.scene import Scene
from vlm_robot_ros.tasks.skill import ExpertAction, ExpertInput, Goal, Skill, Task, WorldState
from vlm_robot_ros.tasks.tool_motion import TOP_STEP, TURN_STEP, towards

HOME_POSITION = np.array([0.507, 0.0, 0.327])
"""Where the tool waits. Shape (3,), base frame [m]."""
_LABELS = {"open": "open the gripper", "close": "close the gripper", "home": "go home"}
_TEMPLATES = {
    "open": Paraphrases(
        ("open the gripper", "open your hand", "open the fingers", "let go", "open up",
         "open your gripper", "let it go", "open the hand", "you should open your hand",
         "make the gripper open", "open your fingers", "open up your hand",
         "you must open the gripper"),
        ("open the fingers up", "go and open your hand", "i want the gripper open"),
        ("release", "unclench"),
    ),
    "close": Paraphrases(
        ("close the gripper", "close your hand", "close the fingers", "shut the gripper",
         "close your gripper", "shut your hand", "you should close your hand",
         "make the gripper close", "close your fingers", "shut the fingers",
         "you must close the gripper"),
        ("i want the gripper shut", "go and close your hand", "shut your fingers"),
        ("clench", "clamp"),
    ),
    "home": Paraphrases(
        ("go home", "move home", "return home", "go back home", "home",
         "go to the home position", "return to the start", "move back to the home position",
         "you should go home", "go to the start", "move back home",
         "return to the home position", "you must go home"),
        ("i want you back home", "let me see you go home", "now back to the start"),
        ("retreat home", "park"),
    ),
}  # fmt: skip


class Arm(Skill):
    """Done when the gripper is open or closed, or the tool within 4 cm of its home.

    The tool does not go farther than 5 cm while the gripper opens or closes.
    """

    family = "arm"
    names = ("open", "close", "home")
    order = 7
    has_target = False
    training_weight = 1.5
    time_limit_s = 5.0

    def templates(self, name: str) -> Paraphrases:
        """Return sentences."""
        return _TEMPLATES[name]

    def label(self, name: str, shape: str, receptacle: str = "") -> str:
        """Return the task label."""
        return _LABELS[name]

    def is_feasible(self, task: Task, scene: Scene) -> bool:
        """Tell whether it can be done: always."""
        return True

    def goal(self, name: str) -> Goal:
        """Return the tool's home, which counts for "home" only."""
        if name == "home":
            return Goal(offset=tuple(HOME_POSITION))
        return Goal(offset=(0, 0, 0.004))

    def is_done(self, task: Task, scene: Scene, start: WorldState, now: WorldState) -> bool:
        """Tell whether the gripper or the tool is where it shall be."""
        if task.skill == "home":
            return bool(np.linalg.norm(now.tool - HOME_POSITION) < 0.04)
        stayed = np.linalg.norm(now.tool - start.tool) < 0.05
        return bool(stayed and (now.opening > 0.9 if task.skill == "open" else now.opening < 0.15))

    def expert_action(
        self, states: ExpertInput, along: np.ndarray, turn: np.ndarray
    ) -> ExpertAction:
        """Return what to do over the next 0.1 s."""
        from vlm_robot_ros.tasks.tasks import SKILLS

        home = states.skill == SKILLS.index("home")
        move = np.where(home[:, None], towards(states.tool, states.goal, TOP_STEP), 0.0)
        turn_now = np.where(home, np.clip(-states.yaw, -TURN_STEP, TURN_STEP), 0.0)
        keep = (states.opening > 0.85).astype(float)
        opens = states.skill == SKILLS.index("open")
        return ExpertAction(move, turn_now, np.where(home, keep, opens.astype(float)))
