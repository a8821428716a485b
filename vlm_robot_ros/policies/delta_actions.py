"""Changes of joint positions and of tool poses, added up to where they lead."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.interfaces.observation import ArmObservation, Observation

DELTA_MODES = (ActionMode.JOINT_DELTA, ActionMode.END_EFFECTOR_DELTA)
"""Modes whose values are changes."""


def add_joint_deltas(
    joints: np.ndarray | None, deltas: np.ndarray, from_start: bool = False
) -> np.ndarray:
    """Return the joint positions that changes lead to. Shape (H, J), [rad].

    Args:
        joints: Where the arm is. Shape (J,), [rad]; None where that is not known.
        deltas: Shape (H, J), [rad].
        from_start: Whether each change is from `joints`; else from the step before.

    Raises:
        ValueError: there is not one change for each joint, or nobody knows where the joints are.
    """
    if joints is None:
        raise ValueError("the positions of the joints are not known")
    if deltas.ndim != 2 or deltas.shape[1] != len(joints):
        raise ValueError(f"changes of {len(joints)} joints have shape (H, {len(joints)}), "
                         f"got {deltas.shape}")  # fmt: skip
    return joints + (deltas if from_start else np.cumsum(deltas, 0))


def add_pose_deltas(
    pose: np.ndarray,
    moves: np.ndarray,
    turns: Rotation,
    from_start: bool = False,
    in_tool_frame: bool = False,
) -> np.ndarray:
    """Return the tool poses that changes lead to, in the base frame. Shape (H, 7).

    Args:
        pose: Where the tool is. Shape (7,).
        moves: Translations. Shape (H, 3), [m].
        turns: As many rotations.
        from_start: Whether each change is from `pose`; else from the step before.
        in_tool_frame: Whether the changes are in the frame of the tool; else in that of the base.
    """
    start, poses = Rotation.from_quat(pose[3:]), np.empty((len(moves), 7))
    place, rotation = pose[:3], start
    for row, move, turn in zip(poses, moves, turns, strict=True):
        if from_start:
            place, rotation = pose[:3], start
        place = place + (rotation.apply(move) if in_tool_frame else move)
        rotation = rotation * turn if in_tool_frame else turn * rotation
        row[:3], row[3:] = place, rotation.as_quat()
    return poses


def has_deltas(chunk: object) -> bool:
    """Tell whether an answer has changes, of any arm."""
    if not isinstance(chunk, ActionChunk):
        return False
    return chunk.mode in DELTA_MODES or any(map(has_deltas, chunk.others.values()))


def to_absolute(chunk: ActionChunk, observation: Observation) -> ActionChunk:
    """Return a chunk whose changes are joint positions or tool poses, of each arm.

    Each change is from the step before, that of the first step from the observed state; see
    `ActionMode` for the frames and units.

    Raises:
        ValueError: the chunk has not one change for each joint, or no moves and quaternions.
    """
    others = {
        arm: _to_absolute(other, observation.others[arm]) if arm in observation.others else other
        for arm, other in chunk.others.items()
    }
    return replace(_to_absolute(chunk, observation), others=others)


def _to_absolute(chunk: ActionChunk, seen: Observation | ArmObservation) -> ActionChunk:
    if chunk.mode not in DELTA_MODES:
        return chunk
    values = np.asarray(chunk.values, float)
    if chunk.mode == ActionMode.JOINT_DELTA:
        positions = add_joint_deltas(seen.joints, values)
        return replace(chunk, mode=ActionMode.JOINT_POSITION, values=positions)
    if values.ndim != 2 or values.shape[1] != 7:
        raise ValueError(f"changes of the tool's pose have shape (H, 7), got {values.shape}")
    poses = add_pose_deltas(seen.pose, values[:, :3], Rotation.from_quat(values[:, 3:]))
    return replace(chunk, mode=ActionMode.END_EFFECTOR_POSE, values=poses)
