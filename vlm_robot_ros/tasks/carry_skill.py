"""Skills that grip their target, carry it and let it go."""

import numpy as np

from vlm_robot_ros.tasks.scene import Scene
from vlm_robot_ros.tasks.skill import ExpertAction, ExpertInput, Skill, Task, WorldState
from vlm_robot_ros.tasks.tool_motion import TOP_STEP, TURN_STEP, funnel, is_held, towards

STAND_OFFSET_M = 0.004
"""Height above its goal at which the target is let go of [m]."""
HEIGHT_TOLERANCE_M = 0.006
"""How far from its own the height of a thing that stands may be: lying ones are lower [m]."""
_CLEAR_DISTANCE_M = 0.05
"""A tool so far from an object has let go of it [m]."""
_NEAR_GOAL_M = 0.035


class CarrySkill(Skill):
    """Grips, carries, turns, puts down, leaves."""

    def is_done(self, task: Task, scene: Scene, start: WorldState, now: WorldState) -> bool:
        """Tell whether the target is let go of and where it shall be."""
        assert task.target is not None
        here = now.positions[task.target]
        if np.linalg.norm(now.tool - here) < _CLEAR_DISTANCE_M:
            return False
        return self.is_arranged(task, scene, start, now)

    def is_arranged(self, task: Task, scene: Scene, start: WorldState, now: WorldState) -> bool:
        """Tell whether the target is where it shall be."""
        raise NotImplementedError

    def expert_action(
        self, states: ExpertInput, along: np.ndarray, turn: np.ndarray
    ) -> ExpertAction:
        """Return what to do over the next 0.1 s."""
        _, tool, yaw, opening, item, goal, turned = states
        left_to_turn = turn - turned * (turn != 0)
        is_turned = np.abs(left_to_turn) < 0.12
        held = is_held(tool, opening, item)

        # Held: over the goal, down, open.
        over = np.linalg.norm((tool - goal)[:, :2], axis=1)
        carried = funnel(tool, goal, over, 0.006)
        carried[:, 2] += np.where(is_turned, 0.0, 0.05)
        there = is_turned & (over < 0.01) & (tool[:, 2] < goal[:, 2] + 0.01)
        high = tool[:, 2] > goal[:, 2] + 0.02
        turning = np.where(high, np.clip(left_to_turn, -TURN_STEP, TURN_STEP), 0.0)

        # Not held and at its goal: done, leave upwards. Elsewhere: fetch it.
        aside = np.linalg.norm((item - goal)[:, :2], axis=1)
        done = is_turned & (aside < _NEAR_GOAL_M) & (item[:, 2] < goal[:, 2] + 0.02)
        leave = np.zeros_like(tool)
        leave[:, 2] = np.clip(goal[:, 2] + 0.15 - tool[:, 2], 0.0, TOP_STEP)
        fetch, straight, at_item = fetch_action(tool, yaw, item)

        move = np.where(
            held[:, None],
            towards(tool, carried, TOP_STEP),
            np.where(done[:, None], leave, fetch),
        )
        move = np.where((held & there)[:, None], 0.0, move)
        turn_now = np.where(held, turning, np.where(done, 0.0, straight))
        grip = np.where(held, there, done | ~at_item).astype(float)
        return ExpertAction(move, turn_now, grip)


def fetch_action(
    tool: np.ndarray, yaw: np.ndarray, item: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how an open gripper comes to an object.

    Returns:
        Displacement of the tool, shape (B, 3) [m]; its turn, shape (B,) [rad]; whether it is
        there, shape (B,).
    """
    apart = np.linalg.norm((tool - item)[:, :2], axis=1)
    fetch = towards(tool, funnel(tool, item, apart, 0.006), TOP_STEP)
    straight = np.clip(-yaw, -TURN_STEP, TURN_STEP)
    at_item = (apart < 0.012) & (np.abs(tool[:, 2] - item[:, 2]) < 0.012) & (np.abs(yaw) < 0.15)
    return fetch, straight, at_item
