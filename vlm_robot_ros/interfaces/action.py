"""What is asked of an arm: single actions and chunks of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from vlm_robot_ros.interfaces.hold import HoldCode, HoldReason
from vlm_robot_ros.interfaces.instruction import MIN_PACE

POSE_NAMES = ("x", "y", "z", "qx", "qy", "qz", "qw")
"""Names of the seven values of an end-effector action."""
_MAX_STEPS = 1000
"""Steps of a chunk: more take longer to be read than an arm may wait."""
_NORM_TOLERANCE = 0.2
"""What networks write as a quaternion has about the norm 1."""
_MAX_VALUE = 1e3
"""No plan leads so far [m or rad]."""


class ActionMode(IntEnum):
    """What the values of an action are; the numbers are those of `VlmAction`.

    Those of joints are one for each joint of the robot, from the base outwards; those of a tool
    are seven.
    """

    JOINT_POSITION = 0
    """Joint positions [rad]."""
    JOINT_DELTA = 1
    """Change of the joint positions over one step [rad]."""
    END_EFFECTOR_DELTA = 2
    """Change of the tool pose over one step, in the base frame: x, y, z [m], then a quaternion."""
    END_EFFECTOR_POSE = 3
    """Tool pose in the base frame: x, y, z [m], then a quaternion qx, qy, qz, qw."""


class StepInfo(NamedTuple):
    """Which step of an instruction is done."""

    number: int = 0
    """From 0."""
    of: int = 0
    """How many steps the instruction has; 0 where nothing is known of any."""
    text: str = ""
    """The step in plain words."""
    done: bool = False
    """Whether it is the last step, and done."""

    def label(self) -> str:
        """Return what is done: "step 2 of 3: go home"; empty where nothing is known of it."""
        return f"step {self.number + 1} of {self.of}: {self.text}" if self.of else ""


NO_STEP = StepInfo()


@dataclass(frozen=True)
class ActionChunk:
    """What to do next: step k is to be reached `(k + 1) * step_dt` after the camera frame."""

    mode: ActionMode
    values: np.ndarray
    """Shape (H, J) of joints, (H, 7) of a tool; see `ActionMode`."""
    gripper: np.ndarray
    """Gripper openings: 0 closed, 1 open. Shape (H,)."""
    step_dt: float
    """[s]"""
    label: str
    """Most likely task; empty if none is asked for."""
    scores: dict[str, float]
    """Probability of each task."""
    confidence: float
    """0..1: that the words ask for something, times that of the task."""
    hold: str
    """Why the arm is to hold; empty when it is to move. A `HoldReason` has a code, too."""
    step: StepInfo = NO_STEP
    """What is done, where the policy does instructions step by step."""
    gripper_at_once: bool = False
    """Whether the gripper does at once what was decided for the state that was seen, the first of
    `gripper`, until the next chunk comes; else each of `gripper` has the time of its step. At once
    is right for a policy that answers at every image: fingers that follow the plan of an arm that
    lags close too early."""
    pace: float = 1.0
    """Speed as a part of what the robot's contract allows, `MIN_PACE` to 1."""
    others: Mapping[str, "ActionChunk"] = field(default_factory=dict)
    """Of a robot of several arms: what the arms but the first do, by their names."""


def chunk_of_arm(chunk: ActionChunk, arm: str) -> ActionChunk:
    """Return what a policy that moves several arms wants of one that is not the first.

    Hold, label, scores, confidence, step and pace are those of the whole.
    """
    if arm not in chunk.others:
        named = ", ".join(chunk.others) or "none"
        text = f"the policy says nothing of the {arm} arm; it names: {named}"
        return replace(chunk, hold=chunk.hold or HoldReason(HoldCode.INVALID_CHUNK, text))
    own = chunk.others[arm]
    return replace(chunk, mode=own.mode, values=own.values, gripper=own.gripper,
                   step_dt=own.step_dt, hold=chunk.hold or own.hold,
                   gripper_at_once=own.gripper_at_once, others={})  # fmt: skip


def validate_chunk(chunk: ActionChunk) -> ActionChunk:
    """Return a chunk whose fields have the types that they are said to have: anybody makes them.

    Raises:
        TypeError: texts are none, or numbers are none.
        ValueError: the mode is unknown, a number cannot be read, the time of a step or the pace is
            out of range, or the label has no score.
    """
    if not isinstance(chunk, ActionChunk):
        raise TypeError(f"an answer is an ActionChunk, got {type(chunk).__name__}")
    for name, texts in (("label", [chunk.label]), ("hold", [chunk.hold]), ("score", chunk.scores)):
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"a chunk's {name} has a str, got {text!r}")
    if chunk.label and chunk.label not in chunk.scores:
        raise ValueError(f"a chunk's label '{chunk.label}' has no score; {len(chunk.scores)} have")
    if not 0 < float(chunk.step_dt) < math.inf:
        raise ValueError(f"a chunk's step_dt is {chunk.step_dt}; valid: above 0 [s]")
    pace = float(chunk.pace)
    if not MIN_PACE <= pace <= 1.0:
        raise ValueError(f"a chunk's pace is {pace}; valid: {MIN_PACE} to 1")
    return replace(
        chunk,
        mode=ActionMode(chunk.mode),
        values=np.asarray(chunk.values, float),
        gripper=np.asarray(chunk.gripper, float),
        step_dt=float(chunk.step_dt),
        label=str(chunk.label),
        scores={str(name): float(score) for name, score in chunk.scores.items()},
        confidence=float(chunk.confidence),
        hold=HoldReason.of(chunk.hold, HoldCode.POLICY_HOLD),
        step=StepInfo(
            int(chunk.step[0]), int(chunk.step[1]), str(chunk.step[2]), bool(chunk.step[3])
        ),
        gripper_at_once=bool(chunk.gripper_at_once),
        pace=pace,
        others={str(arm): validate_chunk(other) for arm, other in chunk.others.items()},
    )


def check_chunk(chunk: ActionChunk, joints: int) -> None:
    """Raise ValueError where a chunk cannot be played; says what was given and what is valid.

    Args:
        chunk: Anybody's.
        joints: Of the robot.
    """
    values, gripper = np.asarray(chunk.values), np.asarray(chunk.gripper)
    if chunk.mode not in (ActionMode.JOINT_POSITION, ActionMode.END_EFFECTOR_POSE):
        raise ValueError(f"a chunk of {chunk.mode.name} has no clock to be played by")
    is_pose = chunk.mode == ActionMode.END_EFFECTOR_POSE
    width = len(POSE_NAMES) if is_pose else joints
    if values.ndim != 2 or values.shape[1] != width or not len(values):
        what = "a pose" if is_pose else f"{joints} joints"
        raise ValueError(f"a chunk of {what} has values of shape (H, {width}), got {values.shape}")
    if len(values) > _MAX_STEPS:
        raise ValueError(f"a chunk has {_MAX_STEPS} steps at most, got {len(values)}")
    if gripper.shape != (len(values),):
        raise ValueError(f"a chunk of {len(values)} steps has as many grips, got {gripper.shape}")
    if not (np.all(np.isfinite(values)) and np.all(np.isfinite(gripper))):
        raise ValueError("the plan has numbers that are not finite")
    if (most := float(max(np.abs(values).max(), np.abs(gripper).max()))) > _MAX_VALUE:
        raise ValueError(
            f"the plan has a number of {most:.3g}; at most {_MAX_VALUE:g} m or rad is one"
        )
    if not chunk.step_dt > 0:
        raise ValueError(f"step_dt is {chunk.step_dt}; it must be above 0")
    if is_pose:
        norms = np.linalg.norm(values[:, 3:], axis=1)
        if np.any(np.abs(norms - 1) > _NORM_TOLERANCE):
            raise ValueError(
                f"the plan's quaternions have norms {norms.round(3).tolist()}; valid: 1, within "
                f"{_NORM_TOLERANCE}"
            )
