"""The scripted expert: what to do next, as a function of what can be seen, and of nothing else.

It keeps no state, so it can be asked at any state for any instruction: that is what labels the
demonstrations. Each skill says what its expert does. All arrays are batches over states; positions
in the base frame [m].
"""

import numpy as np

from vlm_robot_ros.tasks.skill import ExpertAction, ExpertInput
from vlm_robot_ros.tasks.tasks import FAMILY, SKILL, SKILL_FAMILIES, SKILLS
from vlm_robot_ros.tasks.tool_motion import is_behind, is_held, offset_from_line

STEP_DT = 0.1
"""Time between two expert decisions, and between two steps of a chunk [s]."""
_CONTACT_M = 0.033
"""From a pushed object's middle to the fingers that push it [m]."""


def expert_action(states: ExpertInput) -> ExpertAction:
    """Return what to do over the next `STEP_DT`."""
    count = len(states.skill)
    action = ExpertAction(np.zeros((count, 3)), np.zeros(count), np.zeros(count))
    family = _FAMILIES[states.skill]
    for name, skill in SKILL_FAMILIES.items():
        (rows,) = np.nonzero(family == name)
        if len(rows):
            some = ExpertInput(*(part[rows] for part in states))
            found = skill.expert_action(some, ALONG[some.skill], TURN[some.skill])
            for whole, part in zip(action, found, strict=True):
                whole[rows] = part
    return action


def rollout(states: ExpertInput, horizon: int) -> ExpertAction:
    """Return the expert's next `horizon` steps, imagined without physics.

    The tool goes where it is sent, a gripped object goes with it, a pushed one is moved along.

    Returns:
        Tool positions, shape (B, horizon, 3) [m], and yaws, shape (B, horizon) [rad], relative to
        the tool now; and gripper openings, shape (B, horizon).
    """
    origin, first = states.tool, states.yaw
    pushes = _PUSHES[states.skill]
    steps = []
    for _ in range(horizon):
        move = expert_action(states)
        held = is_held(states.tool, states.opening, states.item) & ~pushes
        tool, yaw = states.tool + move.tool, states.yaw + move.yaw
        item = np.where(held[:, None], states.item + move.tool, states.item)
        turned = states.turned + held * move.yaw
        along = ALONG[states.skill]
        behind, _ = offset_from_line(tool, item, along)
        was_behind = is_behind(states.tool, states.item, along)
        pushing = pushes & was_behind & (behind < _CONTACT_M)
        item = item + np.where(pushing, _CONTACT_M - behind, 0.0)[:, None] * along
        # Fingers meet the object at about half their opening.
        around = ~pushes & (np.linalg.norm(tool - item, axis=1) < 0.03)
        change = np.clip(move.grip - states.opening, -0.25, 0.25)
        opening = np.maximum(states.opening + change, around * 0.5)
        states = states._replace(tool=tool, yaw=yaw, item=item, turned=turned, opening=opening)
        steps.append(ExpertAction(tool - origin, yaw - first, move.grip))
    return ExpertAction(*(np.stack(parts, axis=1) for parts in zip(*steps, strict=True)))


_FAMILIES = np.array([FAMILY[skill] for skill in SKILLS])
_PUSHES = np.array([SKILL[skill].pushes for skill in SKILLS])
TURN = np.array([SKILL[skill].turn(skill) for skill in SKILLS])
"""Turns of the target by skill. Shape (K,), [rad]."""
ALONG = np.zeros((len(SKILLS), 3))
"""Unit vectors of the pushes by skill, zero for all others. Shape (K, 3)."""
for _number, _skill in enumerate(SKILLS):
    _along = SKILL[_skill].direction(_skill)
    if SKILL[_skill].pushes and _along is not None:
        ALONG[_number, :2] = _along
