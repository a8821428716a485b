"""Push left, right, away, closer."""

import numpy as np

from vlm_robot_ros.tasks.carry_skill import HEIGHT_TOLERANCE_M
from vlm_robot_ros.tasks.free_space import is_clear
from vlm_robot_ros.tasks.paraphrases import SEND, Paraphrases
from vlm_robot_ros.tasks.scene import Scene
from vlm_robot_ros.tasks.skill import (
    DIRECTIONS,
    ExpertAction,
    ExpertInput,
    Goal,
    Skill,
    Task,
    WorldState,
)
from vlm_robot_ros.tasks.tool_motion import (
    HOVER,
    PUSH_GAP_M,
    PUSH_HEIGHT_M,
    TOP_STEP,
    TURN_STEP,
    funnel,
    is_behind,
    offset_from_line,
    towards,
)

PUSH_DISTANCE_M = 0.10
"""How far the expert pushes [m]."""
_MIN_PUSH_M = 0.05
_TOUCH_M = 0.038
"""From the object's middle to fingers that do not touch it any more [m]."""
_PUSH_STEP, _LAST_STEP, _BACK_STEP = 0.022, 0.006, 0.015
_ASIDE_TO_TURN = 0.06
"""To turn the hand, the tool keeps as high as from so far aside [m/rad]."""
_VERBS = Paraphrases(("push", "move", "slide", "nudge", "shift"), (), ("shove", "budge", "drag"))
_TEMPLATES = Paraphrases((*SEND.seen, "give {o} a push {d}", "give {o} a nudge {d}"), SEND.held)
_PLACES = {
    "left": Paraphrases(
        ("left", "to the left", "leftwards", "to your left", "to the left side",
         "over to the left", "towards the left", "to your left side", "over to your left",
         "on to the left"),
        ("over on the left", "on to your left", "over to your left side"),
    ),
    "right": Paraphrases(
        ("right", "to the right", "rightwards", "to your right", "to the right side",
         "over to the right", "towards the right", "to your right side", "over to your right",
         "on to the right"),
        ("over on the right", "on to your right", "over to your right side"),
    ),
    "away": Paraphrases(
        ("away", "away from you", "forward", "further away", "forwards", "further forward",
         "further away from you", "forward away from you"),
        ("on forward", "over away from you"),
    ),
    "closer": Paraphrases(
        ("closer", "closer to you", "towards you", "nearer", "nearer to you", "towards yourself",
         "further towards you", "over towards you", "nearer to yourself"),
        ("on towards you", "over nearer to you"),
    ),
}  # fmt: skip


class Push(Skill):
    """Done when the target went 5 cm or more in the asked direction.

    Less sideways than forward, and it stands as high as before.
    """

    family = "push"
    names = ("push left", "push right", "push away", "push closer")
    order = 2
    sentences = _TEMPLATES
    verb_phrases = _VERBS
    pushes = True
    training_weight = 4.0
    time_limit_s = 8.0

    def places(self, name: str, preposition: str = "in") -> Paraphrases:
        """Return the directions."""
        return _PLACES[name.removeprefix("push ")]

    def label(self, name: str, shape: str, receptacle: str = "") -> str:
        """Return the task label."""
        return f"push the {shape} {name.removeprefix('push ')}"

    def direction(self, name: str) -> np.ndarray:
        """Return the unit vector of the push. Shape (2,)."""
        return DIRECTIONS[name.removeprefix("push ")]

    def is_feasible(self, task: Task, scene: Scene) -> bool:
        """Tell whether the target's path and the gripper's behind it are in reach and clear."""
        assert task.target is not None
        along = self.direction(task.skill)
        here = scene.things[task.target].position[:2]
        # The gripper comes down behind the object and sweeps through to where the object will be.
        sweep = here + np.linspace(-0.08, PUSH_DISTANCE_M + 0.03, 12)[:, None] * along
        return is_clear(sweep, scene, [task.target])

    def goal(self, name: str) -> Goal:
        """Return a position in the asked direction from where the target stood."""
        return Goal(of_start=(1, 1, 1), offset=(*(PUSH_DISTANCE_M * self.direction(name)), 0.0))

    def is_done(self, task: Task, scene: Scene, start: WorldState, now: WorldState) -> bool:
        """Tell whether the target was pushed far enough and stands."""
        assert task.target is not None
        moved = now.positions[task.target] - start.positions[task.target]
        along = self.direction(task.skill)
        forward = float(moved[:2] @ along)
        sideways = float(np.linalg.norm(moved[:2] - forward * along))
        stands = abs(moved[2]) < HEIGHT_TOLERANCE_M
        return bool(forward >= _MIN_PUSH_M and sideways < forward and stands)

    def expert_action(
        self, states: ExpertInput, along: np.ndarray, turn: np.ndarray
    ) -> ExpertAction:
        """Return what to do over the next 0.1 s."""
        tool, item, goal = states.tool, states.item, states.goal
        behind_item = item - PUSH_GAP_M * along
        behind_item[:, 2] = PUSH_HEIGHT_M
        aside = np.linalg.norm((tool - behind_item)[:, :2], axis=1)
        # The flat of the fingers pushes; their wide side would tip what is tall.
        flat = np.where(states.yaw < -0.3, -np.pi / 2, np.pi / 2)
        to_flat = np.abs(along[:, 1]) * flat - states.yaw
        aside = aside + _ASIDE_TO_TURN * np.maximum(np.abs(to_flat) - 0.15, 0.0)
        approach = towards(tool, funnel(tool, behind_item, aside, 0.012), TOP_STEP)

        # More and more slowly: what is tall falls over when it is let go of in motion.
        left = np.sum((goal - item) * along, axis=1)
        through = item + 0.05 * along
        through[:, 2] = PUSH_HEIGHT_M
        push = towards(tool, through, _PUSH_STEP)
        push *= np.clip(_LAST_STEP + 0.4 * left, _LAST_STEP, _PUSH_STEP)[:, None] / _PUSH_STEP
        push[:, 2] = np.clip(0.7 * (PUSH_HEIGHT_M - tool[:, 2]), -_PUSH_STEP, _PUSH_STEP)

        done = left <= 0
        # Back before up: fingers that rise along it would take it over.
        behind, off = offset_from_line(tool, item, along)
        beside = (behind > 0) & (off < 0.025) & (tool[:, 2] < 0.09)
        free = np.where(beside, np.clip((behind - _TOUCH_M) / 0.01, 0.0, 1.0), 1.0)
        leave = -_BACK_STEP * (1 - free)[:, None] * along
        leave[:, 2] = free * np.clip(HOVER + 0.04 - tool[:, 2], 0.0, TOP_STEP)
        pushing = is_behind(tool, item, along)
        move = np.where(done[:, None], leave, np.where(pushing[:, None], push, approach))
        # Fingers that come from a grip close where there is room for it.
        closed = np.where((states.opening > 0.3) & (tool[:, 2] < 0.1) & ~pushing, 1.0, 0.0)
        high = closed > 0
        move = np.where(high[:, None], np.array([0.0, 0.0, TOP_STEP]), move)
        turn_now = np.where(done, 0.0, np.clip(to_flat, -TURN_STEP, TURN_STEP))
        return ExpertAction(move, turn_now, closed)
