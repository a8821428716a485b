"""Whether a step is done, by what the policy itself sees and feels."""

import numpy as np
import torch
from torch import Tensor

from vlm_robot_ros.policies.grounded.task_state import DIRECTIONS, TaskState

_MIN_LIFT_M, _MIN_PUSH_M, _NEAR_M, _CLEAR_M = 0.06, 0.055, 0.035, 0.06
"""How far a target is lifted, pushed at least; how near its goal it is; how far the tool is from
what it has let go of [m]."""
_MIN_TURN_RAD = np.deg2rad(75)
_OPEN, _CLOSED = 0.9, 0.1
_STILL_M = 0.012
"""What the tool moves over a whole chunk if the policy goes nowhere [m]."""


def is_step_done(memory: TaskState, tool: Tensor, opening: float, moves: np.ndarray) -> bool:
    """Tell whether the step that runs is done.

    Args:
        memory: What is known of it.
        tool: Shape (1, 3), base frame [m].
        opening: Of the gripper, 0 closed to 1 open.
        moves: Where the policy moves the tool next, relative to where it is. Shape (H, 3), [m].
    """
    family, _, way = memory.step.skill.partition(" ")
    still = float(np.abs(moves).max()) < _STILL_M
    if family in ("open", "close"):
        if family == "open":
            return opening > _OPEN
        # Fingers that something stops are closed on it.
        return opening < _CLOSED or (memory.fingers_still and opening < _OPEN)
    if family == "home":
        return still
    if memory.start is None or memory.target.point is None:
        return False
    point, start = memory.target.point, memory.start
    if family == "pick":
        return memory.held and float(tool[0, 2] - start[0, 2]) > _MIN_LIFT_M and still
    if family == "push":
        along = torch.tensor([*DIRECTIONS[way], 0.0]).to(point)
        far = _MIN_PUSH_M if memory.nudge is None else 0.6 * float(memory.nudge.norm())
        return float((point - start)[0] @ along) > far and still
    if memory.held or memory.goal is None or opening < _OPEN:
        return False
    apart = float((tool - point).norm()) > _CLEAR_M
    if family == "turn":
        return apart and abs(memory.turned) > _MIN_TURN_RAD
    return apart and float((point - memory.goal)[0, :2].norm()) < _NEAR_M and memory.was_held
