"""The action of one control step."""

from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.interfaces.action import NO_STEP, ActionMode, StepInfo
from vlm_robot_ros.interfaces.hold import HoldReason
from vlm_robot_ros.interfaces.instruction import Instruction


@dataclass(frozen=True)
class ActionCommand:
    """What the arm is told."""

    mode: ActionMode
    values: np.ndarray
    """Shape (J,) of joints, (7,) of a tool; see `ActionMode`."""
    gripper: float
    """0 closed, 1 open."""
    stamp: float
    """Of the camera frame it was computed from; of now on a hold [s]."""
    confidence: float
    hold_reason: HoldReason
    """Empty when it moves."""
    instruction: Instruction
    is_stop: bool = False
    """It is a hold at which the gripper shall not finish what it was told either."""
    step: StepInfo = NO_STEP
    """Which step of the instruction is done."""
