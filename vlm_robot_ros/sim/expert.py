"""The scripted expert: what to do next, as a function of what can be seen, and of nothing else.

It keeps no state, so it can be asked at any state for any instruction: that is what labels the
demonstrations. All arrays are batches over states; positions in the base frame [m].
"""

import numpy as np

from vlm_robot_ros.sim.tasks import DIRECTIONS, PUSH_DISTANCE, SKILLS

STEP_DT = 0.1
"""Time between two expert decisions, and between two steps of a chunk [s]."""

_HOVER = 0.13
_LIFT = 0.20
_PUSH_HEIGHT = 0.025
_GAP = 0.055  # from the object's middle to where the closed fingers come down behind it
_CONTACT = 0.033  # from the object's middle to the tool when the fingers touch it
_TOP_STEP = 0.028
_PUSH_STEP = 0.02


def decide(
    skill: np.ndarray, tool: np.ndarray, opening: np.ndarray, item: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the tool's next displacement and the gripper's command.

    Args:
        skill: Index into `SKILLS`. Shape (B,).
        tool: Tool positions. Shape (B, 3), [m].
        opening: Gripper openings, 0 closed to 1 open. Shape (B,).
        item: Positions of the target object. Shape (B, 3), [m].
        start: Positions of the target when the task was given. Shape (B, 3), [m].

    Returns:
        Displacement over the next `STEP_DT`, shape (B, 3) [m], and gripper opening, shape (B,).
    """
    pick, close = _decide_pick(tool, opening, item, start)
    push = _decide_push(skill, tool, item, start)
    is_pick = skill == 0
    return np.where(is_pick[:, None], pick, push), np.where(is_pick, close, 0.0)


def plan(
    skill: np.ndarray,
    tool: np.ndarray,
    opening: np.ndarray,
    item: np.ndarray,
    start: np.ndarray,
    horizon: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the expert's next `horizon` steps, imagined without physics.

    The tool goes where it is sent, a gripped object goes with it, a pushed one is moved along.

    Returns:
        Tool positions relative to the tool now, shape (B, horizon, 3) [m], and gripper openings,
        shape (B, horizon).
    """
    tool, opening, item = tool.copy(), opening.copy(), item.copy()
    origin = tool.copy()
    along = _along(skill)
    places, grips = [], []
    for _ in range(horizon):
        move, grip = decide(skill, tool, opening, item, start)
        held = _is_held(tool, opening, item)
        tool = tool + move
        item = np.where(held[:, None], item + move, item)
        behind = np.sum((item - tool) * along, axis=1)
        pushing = (skill > 0) & _is_behind(tool, item, along) & (behind < _CONTACT)
        item = item + np.where(pushing, _CONTACT - behind, 0.0)[:, None] * along
        # Fingers meet the object at about half their opening.
        around = (skill == 0) & (np.linalg.norm(tool - item, axis=1) < 0.03)
        opening = np.maximum(opening + np.clip(grip - opening, -0.25, 0.25), around * 0.45)
        places.append(tool - origin)
        grips.append(grip)
    return np.stack(places, axis=1), np.stack(grips, axis=1)


def _decide_pick(
    tool: np.ndarray, opening: np.ndarray, item: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    held = _is_held(tool, opening, item)
    grip_point = item.copy()
    aside = np.linalg.norm((tool - item)[:, :2], axis=1)
    at_item = (aside < 0.012) & (np.abs(tool[:, 2] - item[:, 2]) < 0.012)
    lifted = start + np.array([0.0, 0.0, _LIFT])
    goal = np.where(held[:, None], lifted, _funnel(tool, grip_point, aside, 0.006))
    # Straight up first: the lift keeps its place above the table.
    goal[:, :2] = np.where(held[:, None], tool[:, :2], goal[:, :2])
    return _towards(tool, goal, _TOP_STEP), np.where(held | at_item, 0.0, 1.0)


def _decide_push(
    skill: np.ndarray, tool: np.ndarray, item: np.ndarray, start: np.ndarray
) -> np.ndarray:
    along = _along(skill)
    behind_item = item - _GAP * along
    behind_item[:, 2] = _PUSH_HEIGHT
    aside = np.linalg.norm((tool - behind_item)[:, :2], axis=1)
    approach = _towards(tool, _funnel(tool, behind_item, aside, 0.012), _TOP_STEP)

    through = item + 0.05 * along
    through[:, 2] = _PUSH_HEIGHT
    push = _towards(tool, through, _PUSH_STEP)
    push[:, 2] = np.clip(0.7 * (_PUSH_HEIGHT - tool[:, 2]), -_PUSH_STEP, _PUSH_STEP)

    done = np.sum((item - start) * along, axis=1) >= PUSH_DISTANCE
    leave = np.zeros_like(tool)
    leave[:, 2] = np.clip(_HOVER + 0.04 - tool[:, 2], 0.0, _TOP_STEP)
    pushing = _is_behind(tool, item, along)
    return np.where(done[:, None], leave, np.where(pushing[:, None], push, approach))


def _funnel(tool: np.ndarray, goal: np.ndarray, aside: np.ndarray, slack: float) -> np.ndarray:
    """Return a goal raised by the sideways distance, so that the way down is from above."""
    raised = goal.copy()
    raised[:, 2] += np.clip((aside - slack) * 3.0, 0.0, _HOVER)
    # Well below the raised goal: rise before going sideways.
    low = np.clip((raised[:, 2] - tool[:, 2]) / 0.06, 0.0, 1.0)[:, None]
    raised[:, :2] = goal[:, :2] * (1 - low) + tool[:, :2] * low
    return raised


def _is_held(tool: np.ndarray, opening: np.ndarray, item: np.ndarray) -> np.ndarray:
    return (np.linalg.norm(tool - item, axis=1) < 0.03) & (opening < 0.68) & (opening > 0.25)


def _is_behind(tool: np.ndarray, item: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Tell whether the tool is low behind the object, ready to push or pushing."""
    offset = tool - item
    forward = np.sum(offset * along, axis=1)
    sideways = np.linalg.norm(offset[:, :2] - forward[:, None] * along[:, :2], axis=1)
    # To begin it must be as low as the object's middle; once there it may be lifted a little.
    low = tool[:, 2] < _PUSH_HEIGHT + 0.01 + np.clip(forward + _GAP, 0.0, 0.02)
    return low & (forward < -0.015) & (forward > -_GAP - 0.02) & (sideways < 0.02)


def _along(skill: np.ndarray) -> np.ndarray:
    table = np.zeros((len(SKILLS), 3))
    for name, direction in DIRECTIONS.items():
        table[SKILLS.index(name), :2] = direction
    return table[skill]


def _towards(here: np.ndarray, goal: np.ndarray, step: float) -> np.ndarray:
    """Return a move of at most `step` [m] that slows down near the goal."""
    gap = goal - here
    length = np.linalg.norm(gap, axis=1, keepdims=True)
    return gap * np.minimum(0.7, step / np.maximum(length, 1e-9))
