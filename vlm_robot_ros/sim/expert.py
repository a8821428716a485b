"""The scripted expert: what to do next, as a function of what can be seen, and of nothing else.

It keeps no state, so it can be asked at any state for any instruction: that is what labels the
demonstrations. All arrays are batches over states; positions in the base frame [m].
"""

from typing import NamedTuple

import numpy as np

from vlm_robot_ros.tasks.tasks import DIRECTIONS, FAMILY, SKILLS

STEP_DT = 0.1
"""Time between two expert decisions, and between two steps of a chunk [s]."""

_HOVER = 0.14
_PUSH_HEIGHT = 0.022
_GAP = 0.058  # from the object's middle to where the closed fingers come down behind it
_TOP_STEP = 0.03
_PUSH_STEP = 0.022
_LAST_STEP, _BACK_STEP = 0.006, 0.015
_TOUCH = 0.038  # from the object's middle to fingers that do not touch it any more
_TURN_STEP = 0.14
_ASIDE_TO_TURN = 0.06  # [m/rad]: to turn the hand, keep as high as from so far aside
_HELD_MIN, _HELD_MAX = 0.25, 0.8
_NEAR = 0.035


class ExpertInput(NamedTuple):
    """What the expert decides on."""

    skill: np.ndarray
    """Index into `SKILLS`. Shape (B,)."""
    tool: np.ndarray
    """Tool positions. Shape (B, 3), [m]."""
    yaw: np.ndarray
    """Turn of the tool about the vertical from pointing down straight. Shape (B,), [rad]."""
    opening: np.ndarray
    """Gripper openings, 0 closed to 1 open. Shape (B,)."""
    item: np.ndarray
    """The target's middle. Shape (B, 3), [m]."""
    goal: np.ndarray
    """Where it, or for "home" the tool, shall be: `tasks.goals`. Shape (B, 3), [m]."""
    turned: np.ndarray
    """How far the target was turned since the task was given. Shape (B,), [rad]."""


class ExpertAction(NamedTuple):
    """What the expert does."""

    tool: np.ndarray
    """Displacement. Shape (B, 3), [m]."""
    yaw: np.ndarray
    """Turn. Shape (B,), [rad]."""
    grip: np.ndarray
    """Gripper opening to command. Shape (B,)."""


def expert_action(states: ExpertInput) -> ExpertAction:
    """Return what to do over the next `STEP_DT`."""
    family = _FAMILIES[states.skill]
    carry, push, arm = _decide_carry(states), _decide_push(states), _decide_arm(states)

    def choose(of_carry: np.ndarray, of_push: np.ndarray, of_arm: np.ndarray) -> np.ndarray:
        shape = (-1,) + (1,) * (of_carry.ndim - 1)
        pushes, arms = (family == "push").reshape(shape), (family == "arm").reshape(shape)
        return np.where(pushes, of_push, np.where(arms, of_arm, of_carry))

    return ExpertAction(*(choose(*parts) for parts in zip(carry, push, arm, strict=True)))


def rollout(states: ExpertInput, horizon: int) -> ExpertAction:
    """Return the expert's next `horizon` steps, imagined without physics.

    The tool goes where it is sent, a gripped object goes with it, a pushed one is moved along.

    Returns:
        Tool positions, shape (B, horizon, 3) [m], and yaws, shape (B, horizon) [rad], relative to
        the tool now; and gripper openings, shape (B, horizon).
    """
    origin, first = states.tool, states.yaw
    family = _FAMILIES[states.skill]
    steps = []
    for _ in range(horizon):
        move = expert_action(states)
        held = is_held(states.tool, states.opening, states.item) & (family != "push")
        tool, yaw = states.tool + move.tool, states.yaw + move.yaw
        item = np.where(held[:, None], states.item + move.tool, states.item)
        turned = states.turned + held * move.yaw
        along = ALONG[states.skill]
        behind, _ = _offset_from_line(tool, item, along)
        contact = 0.033
        was_behind = _is_behind(states.tool, states.item, along)
        pushing = (family == "push") & was_behind & (behind < contact)
        item = item + np.where(pushing, contact - behind, 0.0)[:, None] * along
        # Fingers meet the object at about half their opening.
        around = (family != "push") & (np.linalg.norm(tool - item, axis=1) < 0.03)
        change = np.clip(move.grip - states.opening, -0.25, 0.25)
        opening = np.maximum(states.opening + change, around * 0.5)
        states = states._replace(tool=tool, yaw=yaw, item=item, turned=turned, opening=opening)
        steps.append(ExpertAction(tool - origin, yaw - first, move.grip))
    return ExpertAction(*(np.stack(parts, axis=1) for parts in zip(*steps, strict=True)))


def is_held(tool: np.ndarray, opening: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Tell whether fingers are closed around the object. Shape (B,)."""
    near = np.linalg.norm(tool - item, axis=1) < 0.03
    return near & (opening < _HELD_MAX) & (opening > _HELD_MIN)


def _decide_carry(states: ExpertInput) -> ExpertAction:
    """Grip, carry, turn, put down, leave; or grip and lift."""
    _, tool, yaw, opening, item, goal, turned = states
    pick = states.skill == SKILLS.index("pick up")
    turn = _TURN[states.skill]
    left_to_turn = turn - turned * (turn != 0)
    is_turned = np.abs(left_to_turn) < 0.12
    held = is_held(tool, opening, item)

    # Held: over the goal, down, open.
    over = np.linalg.norm((tool - goal)[:, :2], axis=1)
    carried = _funnel(tool, goal, over, 0.006)
    carried[:, 2] += np.where(is_turned, 0.0, 0.05)
    carried[:, :2] = np.where(pick[:, None], tool[:, :2], carried[:, :2])
    carried[:, 2] = np.where(pick, goal[:, 2], carried[:, 2])
    there = ~pick & is_turned & (over < 0.01) & (tool[:, 2] < goal[:, 2] + 0.01)
    high = tool[:, 2] > goal[:, 2] + 0.02
    turning = np.where(high, np.clip(left_to_turn, -_TURN_STEP, _TURN_STEP), 0.0)

    # Not held and at its goal: done, leave upwards. Elsewhere: fetch it.
    aside = np.linalg.norm((item - goal)[:, :2], axis=1)
    done = ~pick & is_turned & (aside < _NEAR) & (item[:, 2] < goal[:, 2] + 0.02)
    leave = np.zeros_like(tool)
    leave[:, 2] = np.clip(goal[:, 2] + 0.15 - tool[:, 2], 0.0, _TOP_STEP)
    apart = np.linalg.norm((tool - item)[:, :2], axis=1)
    fetch = _towards(tool, _funnel(tool, item, apart, 0.006), _TOP_STEP)
    straight = np.clip(-yaw, -_TURN_STEP, _TURN_STEP)
    at_item = (apart < 0.012) & (np.abs(tool[:, 2] - item[:, 2]) < 0.012) & (np.abs(yaw) < 0.15)

    move = np.where(
        held[:, None],
        _towards(tool, carried, _TOP_STEP),
        np.where(done[:, None], leave, fetch),
    )
    move = np.where((held & there)[:, None], 0.0, move)
    turn_now = np.where(held, turning, np.where(done, 0.0, straight))
    grip = np.where(held, there, done | ~at_item).astype(float)
    return ExpertAction(move, turn_now, grip)


def _decide_push(states: ExpertInput) -> ExpertAction:
    tool, item, goal = states.tool, states.item, states.goal
    along = ALONG[states.skill]
    behind_item = item - _GAP * along
    behind_item[:, 2] = _PUSH_HEIGHT
    aside = np.linalg.norm((tool - behind_item)[:, :2], axis=1)
    # The flat of the fingers pushes; their wide side would tip what is tall.
    flat = np.where(states.yaw < -0.3, -np.pi / 2, np.pi / 2)
    turn = np.abs(along[:, 1]) * flat - states.yaw
    aside = aside + _ASIDE_TO_TURN * np.maximum(np.abs(turn) - 0.15, 0.0)
    approach = _towards(tool, _funnel(tool, behind_item, aside, 0.012), _TOP_STEP)

    # More and more slowly: what is tall falls over when it is let go of in motion.
    left = np.sum((goal - item) * along, axis=1)
    through = item + 0.05 * along
    through[:, 2] = _PUSH_HEIGHT
    push = _towards(tool, through, _PUSH_STEP)
    push *= np.clip(_LAST_STEP + 0.4 * left, _LAST_STEP, _PUSH_STEP)[:, None] / _PUSH_STEP
    push[:, 2] = np.clip(0.7 * (_PUSH_HEIGHT - tool[:, 2]), -_PUSH_STEP, _PUSH_STEP)

    done = left <= 0
    # Back before up: fingers that rise along it would take it over.
    behind, off = _offset_from_line(tool, item, along)
    beside = (behind > 0) & (off < 0.025) & (tool[:, 2] < 0.09)
    free = np.where(beside, np.clip((behind - _TOUCH) / 0.01, 0.0, 1.0), 1.0)
    leave = -_BACK_STEP * (1 - free)[:, None] * along
    leave[:, 2] = free * np.clip(_HOVER + 0.04 - tool[:, 2], 0.0, _TOP_STEP)
    pushing = _is_behind(tool, item, along)
    move = np.where(done[:, None], leave, np.where(pushing[:, None], push, approach))
    # Fingers that come from a grip close where there is room for it.
    closed = np.where((states.opening > 0.3) & (tool[:, 2] < 0.1) & ~pushing, 1.0, 0.0)
    high = closed > 0
    move = np.where(high[:, None], np.array([0.0, 0.0, _TOP_STEP]), move)
    turn = np.where(done, 0.0, np.clip(turn, -_TURN_STEP, _TURN_STEP))
    return ExpertAction(move, turn, closed)


def _decide_arm(states: ExpertInput) -> ExpertAction:
    home = states.skill == SKILLS.index("home")
    move = np.where(home[:, None], _towards(states.tool, states.goal, _TOP_STEP), 0.0)
    turn = np.where(home, np.clip(-states.yaw, -_TURN_STEP, _TURN_STEP), 0.0)
    keep = (states.opening > 0.85).astype(float)
    opens = states.skill == SKILLS.index("open")
    return ExpertAction(move, turn, np.where(home, keep, opens.astype(float)))


def _funnel(tool: np.ndarray, goal: np.ndarray, aside: np.ndarray, slack: float) -> np.ndarray:
    """Return a goal raised by the sideways distance, so that the way down is from above."""
    raised = goal.copy()
    raised[:, 2] += np.clip((aside - slack) * 3.0, 0.0, _HOVER)
    # Well below the raised goal: rise before going sideways.
    low = np.clip((raised[:, 2] - tool[:, 2]) / 0.06, 0.0, 1.0)[:, None]
    raised[:, :2] = goal[:, :2] * (1 - low) + tool[:, :2] * low
    return raised


def _is_behind(tool: np.ndarray, item: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Tell whether the tool is low behind the object, ready to push or pushing."""
    behind, off = _offset_from_line(tool, item, along)
    # To begin it must be low; once there it may be lifted a little.
    low = tool[:, 2] < _PUSH_HEIGHT + 0.012 + np.clip(_GAP - behind, 0.0, 0.02)
    return low & (behind > 0.015) & (behind < _GAP + 0.025) & (off < 0.02)


def _offset_from_line(
    tool: np.ndarray, item: np.ndarray, along: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far the tool is behind the object, and to its side. Shape (B,) each, [m]."""
    offset = item - tool
    behind = np.sum(offset * along, axis=1)
    return behind, np.linalg.norm(offset[:, :2] - behind[:, None] * along[:, :2], axis=1)


def _towards(here: np.ndarray, goal: np.ndarray, step: float) -> np.ndarray:
    """Return a move of at most `step` [m] that slows down near the goal."""
    gap = goal - here
    length = np.linalg.norm(gap, axis=1, keepdims=True)
    return gap * np.minimum(0.7, step / np.maximum(length, 1e-9))


_FAMILIES = np.array([FAMILY[skill] for skill in SKILLS])
_TURN = (
    np.array([{"turn left": 1, "turn right": -1}.get(skill, 0) for skill in SKILLS]) * np.pi / 2
)
ALONG = np.zeros((len(SKILLS), 3))
"""Unit vectors of the pushes by skill, zero for all others. Shape (K, 3)."""
for _number, _skill in enumerate(SKILLS):
    if FAMILY[_skill] == "push":
        ALONG[_number, :2] = DIRECTIONS[_skill.split()[1]]
