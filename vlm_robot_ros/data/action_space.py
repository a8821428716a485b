"""How a dataset's actions and states are read: by their names, and by some of their values."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vlm_robot_ros.data.action_columns import ActionSpace, infer_action_space
from vlm_robot_ros.data.dataset import DataError, DatasetInfo
from vlm_robot_ros.data.joint_units import in_radians
from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.kinematics.action_encoding import POSE_MODES

_LARGEST_MOVE = 0.2
"""What a tool moves from frame to frame at most, half of the time [m]."""
_LARGEST_POSITION = 5.0
"""What a tool is from the base at most, half of the time [m]."""
_INSIDE_BASE = 0.1
"""No tool is always so near to the middle of the base [m]."""
_LARGEST_ANGLE = 2 * np.pi + 0.1
"""Of Euler angles and of rotation vectors [rad]."""


def read_actions(
    info: DatasetInfo,
    arm: str,
    actions: Sequence[np.ndarray],
    states: Sequence[np.ndarray],
    units: str = "",
) -> tuple[ActionSpace, ActionSpace | None]:
    """Return how actions and states are read, by their names and by some episodes' values.

    Args:
        info: Of the data.
        arm: Which one of two: "left" or "right"; empty: data of two arms is refused.
        actions: Of some episodes. Shape (T, A) each.
        states: Of the same. Shape (T, S) each.
        units: Of joint positions, where the data does not say: see `joint_units.UNITS`.

    Raises:
        UnknownUnitError: the unit of joint positions is not stated.
        DataError: the names say nothing, or the values cannot be what they say.
    """
    space, felt = infer_action_space(info, arm), state_space(info, arm)
    done, seen = np.concatenate(actions), np.concatenate(states)
    if felt and space.mode is ActionMode.END_EFFECTOR_POSE and felt.mode in POSE_MODES:
        places, goals = seen[:, felt.columns[:3]], done[:, space.columns[:3]]
        apart, far = (np.median(np.linalg.norm(v, axis=1)) for v in (goals - places, goals))
        if apart > far:
            note = "they are nearer to 0 than to where the tool is: taken for moves"
            space = replace(space, mode=ActionMode.END_EFFECTOR_DELTA, notes=(*space.notes, note))
    if _is_inside_base(space, done):
        note = "as positions they would be inside the base: taken for moves"
        space = replace(space, mode=ActionMode.END_EFFECTOR_DELTA, notes=(*space.notes, note))
    if felt and _is_inside_base(felt, seen):
        felt = None
    space = _validated(space, info, info.action_names, done, "actions", units)
    if felt:
        felt = _validated(felt, info, info.state_names, seen, "states", units)
        felt = with_gripper_range(felt, seen)
    return with_gripper_range(space, done), felt


def describe_mapping(info: DatasetInfo, space: ActionSpace, felt: ActionSpace | None) -> list[str]:
    """Return how data is read, what was taken for granted or dropped; one line each."""
    lines = [f"actions are read as {space.mode.name}", *(f"- {note}" for note in space.notes)]
    if felt is None:
        lines.append("states are not used: their names do not say what they are")
    else:
        lines += [f"states are read as {felt.mode.name}", *(f"- {note}" for note in felt.notes)]
    return [*lines, *(f"- {note}" for note in info.notes)]


def _is_inside_base(space: ActionSpace, values: np.ndarray) -> bool:
    """Tell whether positions of the tool are so near to the base that they must be moves."""
    if space.mode is not ActionMode.END_EFFECTOR_POSE or not len(values):
        return False
    far = np.linalg.norm(values[:, space.columns[:3]], axis=1)
    return float(np.percentile(far, 95)) < _INSIDE_BASE


def _validated(
    space: ActionSpace,
    info: DatasetInfo,
    names: Sequence[str],
    values: np.ndarray,
    what: str,
    units: str,
) -> ActionSpace:
    """Refuse what would send an arm somewhere else; bring joint positions to radians."""
    if space.mode is ActionMode.JOINT_POSITION:
        return in_radians(space, info, names, values, what, units)
    where = f"'{info.path}': the {what} {', '.join(names[n] for n in space.columns[:3])}"
    moves = space.mode is ActionMode.END_EFFECTOR_DELTA
    far = float(np.median(np.linalg.norm(values[:, space.columns[:3]], axis=1)))
    if moves and far > _LARGEST_MOVE:
        raise DataError(
            f"{where} move the tool by {far:.2g} from frame to frame; valid are metres, "
            f"at most {_LARGEST_MOVE}: are they normalised? Bring them to metres first"
        )
    if not moves and far > _LARGEST_POSITION:
        raise DataError(
            f"{where} are {far:.4g} from the base; valid are metres, at most "
            f"{_LARGEST_POSITION:g}: are they millimetres? Bring them to metres first"
        )
    turned = float(np.abs(values[:, space.columns[3:]]).max(initial=0.0))
    if space.turn in ("euler", "rotation_vector") and turned > _LARGEST_ANGLE:
        raise DataError(
            f"'{info.path}': the {what} {', '.join(names[n] for n in space.columns[3:])} turn the "
            f"tool by {turned:.4g}; valid are radians: are they degrees? Bring them to radians "
            "first"
        )
    return space


def state_space(info: DatasetInfo, arm: str) -> ActionSpace | None:
    """Read off the names of a state's values what they are; None where they say nothing."""
    try:
        space = infer_action_space(replace(info, action_names=info.state_names, format=""), arm)
    except DataError:
        return None
    if space.mode is ActionMode.END_EFFECTOR_DELTA:
        return None
    return space


def with_gripper_range(space: ActionSpace, values: np.ndarray) -> ActionSpace:
    """Return an action space whose gripper goes as far as the data's does.

    Args:
        space: Whose gripper is absolute; another one is returned as it is.
        values: Actions or states. Shape (N, A).
    """
    if space.gripper < 0 or space.gripper_relative or not len(values):
        return space
    low, high = np.percentile(values[:, space.gripper], [1, 99])
    if high - low < 1e-6 or (low >= 0 and 0.5 < high <= 1):
        return space
    closes = space.gripper_range[0] > space.gripper_range[1]
    ends = (float(high), float(low)) if closes else (float(low), float(high))
    note = f"the gripper goes from {ends[0]:.3g} (closed) to {ends[1]:.3g} (open) in the data"
    if low < 0 and not closes:
        note += ": if it is the other way round, turn its sign"
    return replace(space, gripper_range=ends, notes=(*space.notes, note))
