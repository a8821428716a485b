"""Actions of a policy of somebody else as action chunks of a robot."""

from dataclasses import replace
from typing import Any

import numpy as np

from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.policies.delta_actions import add_joint_deltas, add_pose_deltas
from vlm_robot_ros.policies.remote.policy_map import (
    JOINT_MODES,
    ActionMap,
    GripperMap,
    action_columns,
    action_width,
    arm_actions,
)
from vlm_robot_ros.policies.remote.rotations import read_rotation
from vlm_robot_ros.robot.config import RobotConfig

_MAX_STEPS, _MAX_VALUES = 1000, 100_000
_BEYOND_GRIPPER = 0.25
"""Part of the gripper's way by which a value may lie outside of it."""


def find_actions(actions: ActionMap, answer: dict[str, Any]) -> np.ndarray:
    """Return the actions of an answer. Shape (H, D), float.

    Raises:
        ValueError: the answer has no actions, or they are not a table of finite numbers.
    """
    if actions.tables:
        tables = [_table(answer, name) for name in actions.tables]
        lengths = {len(table) for table in tables}
        if len(lengths) > 1:
            raise ValueError(f"the tables {', '.join(actions.tables)} have {lengths} steps")
        table = np.concatenate(tables, 1)
    else:
        table = _table(answer, actions.key)
    if not np.isfinite(table).all():
        raise ValueError("some actions are not finite")
    return table


def _table(answer: dict[str, Any], key: str | list[str]) -> np.ndarray:
    """Return a table of an answer. Shape (H, D), float."""
    found: Any = answer
    for name in [key] if isinstance(key, str) else key:
        if not isinstance(found, dict) or name not in found:
            has = ", ".join(map(str, found)) if isinstance(found, dict) else type(found).__name__
            raise ValueError(f"the answer has no '{name}'; it has: {has}"[:300])
        found = found[name]
    if isinstance(found, np.ndarray) and found.size > _MAX_VALUES:
        raise ValueError(f"the actions have shape {found.shape}; valid: {_MAX_VALUES:,} values")
    try:
        table = np.asarray(found, float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the actions are no numbers: {error}") from error
    if table.ndim == 1:
        table = table[None]
    if table.ndim != 2 or not 1 <= len(table) <= _MAX_STEPS:
        raise ValueError(
            f"the actions have shape {table.shape}; valid: (steps, values), at most {_MAX_STEPS} "
            "steps"
        )
    return table


def map_actions(
    actions: ActionMap, robot: RobotConfig, observation: Observation, table: np.ndarray
) -> ActionChunk:
    """Return a chunk of joint positions or tool poses that does the actions, of each arm.

    Args:
        actions: What the columns are.
        robot: That is to act.
        observation: What the policy was sent.
        table: Shape (H, D): see `find_actions`.

    Raises:
        ValueError: there are too few columns, or values that cannot be what the map says.
    """
    width = action_width(actions, robot)
    if table.shape[1] < width:
        raise ValueError(
            f"the actions have {table.shape[1]} values; the map for robot '{robot.name}' needs "
            f"{width} at least"
        )
    chunks = {
        arm.arm: _map_arm(each, arm, observation, table)
        for each, arm in arm_actions(actions, robot)
    }
    first = chunks.pop(robot.arm)
    return replace(first, others=chunks) if chunks else first


def _map_arm(
    actions: ActionMap, arm: RobotConfig, whole: Observation, table: np.ndarray
) -> ActionChunk:
    """Return the chunk of one arm; arguments as of `map_actions`."""
    own, observation = whole.others.get(arm.arm), whole
    if own is not None:
        observation = replace(whole, pose=own.pose, opening=own.opening, joints=own.joints)
    columns = action_columns(actions, arm)
    taken = table[:, columns.start : columns.stop]
    if actions.clip is not None:
        taken = taken.clip(-actions.clip, actions.clip)
    is_joints = actions.mode in JOINT_MODES
    return ActionChunk(
        ActionMode.JOINT_POSITION if is_joints else ActionMode.END_EFFECTOR_POSE,
        (_joints if is_joints else _poses)(actions, observation, taken),
        _openings(actions.gripper, observation, table),
        1.0 / actions.rate,
        "",
        {},
        1.0,
        "",
    )


def _joints(actions: ActionMap, observation: Observation, taken: np.ndarray) -> np.ndarray:
    """Return joint positions. Shape (H, J), [rad]."""
    said = taken * actions.scale
    said = np.deg2rad(said) if actions.unit == "deg" else said
    if actions.mode == "joint_position":
        return said
    if actions.mode == "joint_velocity":
        return add_joint_deltas(observation.joints, said / actions.rate)
    return add_joint_deltas(observation.joints, said, actions.relative_to == "observation")


def _poses(actions: ActionMap, observation: Observation, taken: np.ndarray) -> np.ndarray:
    """Return tool poses in the base frame. Shape (H, 7)."""
    places, turned = taken[:, :3] * actions.scale, taken[:, 3:]
    if actions.rotation in ("rotation_vector", "euler"):
        turned = turned * actions.rotation_scale
    turns = read_rotation(actions.rotation, turned)
    if actions.mode == "pose":
        return np.concatenate([places, turns.as_quat()], 1)
    from_start = actions.relative_to == "observation"
    return add_pose_deltas(
        observation.pose, places, turns, from_start, in_tool_frame=actions.frame == "tool"
    )


def _openings(
    gripper: GripperMap | None, observation: Observation, table: np.ndarray
) -> np.ndarray:
    """Return openings, 0 closed, 1 open. Shape (H,)."""
    if gripper is None:
        return np.full(len(table), observation.opening)
    said = table[:, gripper.column]
    if gripper.threshold is not None:
        opens_above = gripper.open > gripper.closed
        return ((said > gripper.threshold) == opens_above).astype(float)
    openings = (said - gripper.closed) / (gripper.open - gripper.closed)
    if openings.min() < -_BEYOND_GRIPPER or openings.max() > 1 + _BEYOND_GRIPPER:
        raise ValueError(
            f"the gripper's values go from {said.min():.3g} to {said.max():.3g}; the map says "
            f"{gripper.closed:g} closed, {gripper.open:g} open"
        )
    return openings.clip(0.0, 1.0)
