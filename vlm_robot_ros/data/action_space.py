"""From the actions that a dataset has to those of the contract: seven values and a gripper."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from vlm_robot_ros.contract.action import ActionMode
from vlm_robot_ros.contract.vectors import POSES, to_vectors
from vlm_robot_ros.data.robot_data import DataError, DataInfo

Turn = Literal["none", "euler", "rotation_vector", "quaternion"]
JOINTS = 7
_NO_JOINT = re.compile(r"terminate|vel|effort|base_|head|torso")


@dataclass(frozen=True)
class ActionSpace:
    """Which values of a dataset's actions are which of the contract's."""

    mode: ActionMode
    columns: tuple[int, ...]
    """Joints from the base outwards (at most 7), or x, y, z and then the turn."""
    turn: Turn
    """How a pose turns: not; about fixed x, y, z axes [rad]; by a vector; by qx, qy, qz, qw."""
    gripper: int = -1
    """Column of the gripper; -1 if there is none, and it stays open."""
    gripper_range: tuple[float, float] = (0.0, 1.0)
    """Its value when closed, and when open."""
    notes: tuple[str, ...] = ()
    """What was taken for granted, dropped or padded."""

    def vectors(self, action: np.ndarray) -> np.ndarray:
        """Return what a model learns of actions of shape (T, A): see `to_vectors`."""
        return to_vectors(self.mode, *self.values(action))

    def values(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the contract's values, shape (T, 7), and gripper openings, shape (T,).

        Joints that an arm has not are 0.
        """
        if self.mode in POSES:
            turns = self._turns(action).as_quat()
            values = np.concatenate([action[:, self.columns[:3]], turns], 1)
        else:
            values = np.zeros((len(action), JOINTS))
            values[:, : len(self.columns)] = action[:, self.columns]
        opening = np.ones(len(action))
        if self.gripper >= 0:
            closed, opened = self.gripper_range
            opening = np.clip((action[:, self.gripper] - closed) / (opened - closed), 0, 1)
        return values, opening

    def _turns(self, action: np.ndarray) -> Rotation:
        given = action[:, self.columns[3:]].astype(float)
        if self.turn == "none":
            return Rotation.identity(len(action))
        if self.turn == "rotation_vector":
            return Rotation.from_rotvec(given)
        if self.turn == "euler":
            return Rotation.from_euler("xyz", given)
        if (np.linalg.norm(given, axis=1) < 1e-6).any():
            raise DataError("the actions have quaternions of length 0; choose another turn")
        return Rotation.from_quat(given)


def state_space(info: DataInfo, arm: str = "left") -> ActionSpace | None:
    """Read off the names of a state's values what they are; None where they say nothing."""
    try:
        space = guess(replace(info, action_names=info.state_names), arm)
    except DataError:
        return None
    if space.mode is ActionMode.END_EFFECTOR_DELTA:
        space = replace(space, mode=ActionMode.END_EFFECTOR_POSE)
    return space


def guess(info: DataInfo, arm: str = "left") -> ActionSpace:
    """Read an action space off the names of its values; `notes` says what was assumed.

    Args:
        info: Of the data.
        arm: Which one of two.

    Raises:
        DataError: the names say nothing.
    """
    names = [name.lower() for name in info.action_names]
    if any(name.startswith("world_vector") for name in names):
        return _of_rt1(names)
    if info.format == "RLDS" and len(names) == 7 and names[0].endswith(".0"):
        return ActionSpace(
            ActionMode.END_EFFECTOR_DELTA, tuple(range(6)), "euler", 6, (0.0, 1.0),
            ("seven values without names are taken for x, y, z, roll, pitch, yaw, gripper",),
        )  # fmt: skip
    numbers = list(range(len(names)))
    sides = [n for n in numbers if arm in names[n]]
    notes = []
    if sides and len(sides) < len(names):
        notes.append(f"of two arms the {arm} one is taken")
        numbers = sides
    grips = [n for n in numbers if "grip" in names[n]]
    rest = [n for n in numbers if n not in grips]
    grip = grips[0] if grips else -1
    if not grips:
        notes.append("no gripper among the names: it stays open")
    pose = _pose_columns(rest, names)
    if pose:
        columns, turn = pose
        delta = any(re.search(r"delta|(^|[._])d[xyz]$", names[n]) for n in columns[:3])
        mode = ActionMode.END_EFFECTOR_DELTA if delta else ActionMode.END_EFFECTOR_POSE
    else:
        joints = [
            n for n in rest if not re.search(r"terminate|vel|effort|base_|head|torso", names[n])
        ]
        if not joints:
            raise DataError(
                f"the action's values are {', '.join(info.action_names) or 'none'}; valid are "
                "names of joints, or x, y, z"
            )
        mode, columns, turn = ActionMode.JOINT_POSITION, tuple(joints[:JOINTS]), "none"
        if len(columns) < JOINTS:
            notes.append(f"{len(columns)} joints; what is missing of {JOINTS} is padded with 0")
    dropped = [info.action_names[n] for n in range(len(names)) if n not in (*columns, grip)]
    if dropped:
        notes.append(f"dropped: {', '.join(dropped)}")
    return ActionSpace(mode, columns, turn, grip, notes=tuple(notes))


def _of_rt1(names: Sequence[str]) -> ActionSpace:
    """Return the action space of RT-1's fractal: a gripper value of 1 closes."""
    place = [f"world_vector.{i}" for i in range(3)]
    turn = [f"rotation_delta.{i}" for i in range(3)]
    columns = tuple(names.index(name) for name in (*place, *turn))
    grip = names.index("gripper_closedness_action")
    dropped = [name for n, name in enumerate(names) if n not in (*columns, grip)]
    return ActionSpace(
        ActionMode.END_EFFECTOR_DELTA, columns, "euler", grip, (1.0, -1.0),
        (f"dropped: {', '.join(dropped)}", "gripper_closedness_action: 1 closes, -1 opens"),
    )  # fmt: skip


def _pose_columns(
    numbers: Sequence[int], names: Sequence[str]
) -> tuple[tuple[int, ...], Turn] | None:
    """Return the columns of x, y, z and of the turn, where the names say so."""

    def find(*endings: str) -> list[int]:
        chosen = [
            next((n for n in numbers if re.search(rf"(^|[._]|delta_?|d){end}$", names[n])), -1)
            for end in endings
        ]
        return chosen if -1 not in chosen else []

    place = find("x", "y", "z")
    if not place:
        return None
    turns: dict[Turn, list[int]] = {
        "quaternion": find("qx", "qy", "qz", "qw"),
        "euler": find("roll", "pitch", "yaw"),
        "rotation_vector": find("rx", "ry", "rz"),
    }
    for turn, columns in turns.items():
        if columns:
            return (*place, *columns), turn
    return tuple(place), "none"


def with_gripper_range(space: ActionSpace, values: np.ndarray) -> ActionSpace:
    """Return an action space whose gripper goes as far as the data's does.

    Args:
        space: Whose range is 0 to 1; another one was said, and is kept.
        values: The gripper's, of any number of episodes. Shape (N,).
    """
    if space.gripper < 0 or space.gripper_range != (0.0, 1.0) or not values.size:
        return space
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-6 or (low >= 0 and high <= 1):
        return space
    note = f"the gripper goes from {low:.3g} (closed) to {high:.3g} (open) in the data"
    return replace(space, gripper_range=(low, high), notes=(*space.notes, note))
