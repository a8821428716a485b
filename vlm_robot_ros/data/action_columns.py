"""Which values of a dataset's actions are which of the contract's, read off their names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from vlm_robot_ros.data.dataset import DataError, DatasetInfo
from vlm_robot_ros.data.value_names import arms_in, is_delta, quantity_of, side_of
from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.kinematics.action_encoding import POSE_MODES, to_vectors

Turn = Literal["none", "euler", "rotation_vector", "quaternion"]
MAX_JOINTS = 10
_JOINT = re.compile(r"joint|shoulder|elbow|wrist|waist|forearm|arm_\d|pan|lift|flex|roll|j\d")
_VECTORS = (
    ("rx", "ry", "rz"),
    ("axis_angle_?[1x]", "axis_angle_?[2y]", "axis_angle_?[3z]"),
    ("axis_angle_?0", "axis_angle_?1", "axis_angle_?2"),
    ("rot_?vec_?[0x]", "rot_?vec_?[1y]", "rot_?vec_?[2z]"),
)
"""What the values of a rotation vector are called, in its order."""
_KEPT = 0.1
"""A relative gripper value below this keeps the gripper as it is."""


@dataclass(frozen=True)
class ActionSpace:
    """Which values of a dataset's actions are which of the contract's."""

    mode: ActionMode
    columns: tuple[int, ...]
    """Joints from the base outwards, or x, y, z and then the turn."""
    turn: Turn
    """How a pose turns: not; about fixed x, y, z axes [rad]; by a vector; by qx, qy, qz, qw."""
    gripper: int = -1
    """Column of the gripper; -1 if there is none, and it stays open."""
    gripper_range: tuple[float, float] = (0.0, 1.0)
    """Its value when closed, and when open."""
    gripper_relative: bool = False
    """Whether its value says to close or to open, and 0 to leave it."""
    notes: tuple[str, ...] = ()
    """What was taken for granted, or dropped."""
    joint_scale: float = 1.0
    """What joint positions are multiplied by to be in radians."""

    def vectors(self, action: np.ndarray) -> np.ndarray:
        """Return what a model learns of an episode's actions, shape (T, A): see `to_vectors`."""
        return to_vectors(self.mode, *self.values(action))

    def values(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values as an `ActionChunk` has them, and gripper openings, shape (T,).

        Args:
            action: Of a whole episode, in order. Shape (T, A).
        """
        if self.mode in POSE_MODES:
            turns = self._turns(action).as_quat()
            values = np.concatenate([action[:, self.columns[:3]], turns], 1)
        else:
            values = action[:, self.columns].astype(float) * self.joint_scale
        return values, self._openings(action)

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

    def _openings(self, action: np.ndarray) -> np.ndarray:
        if self.gripper < 0:
            return np.ones(len(action))
        closed, opened = self.gripper_range
        opening = np.clip((action[:, self.gripper] - closed) / (opened - closed), 0, 1)
        if not self.gripper_relative:
            return opening
        said = np.abs(action[:, self.gripper]) > _KEPT
        last = np.maximum.accumulate(np.where(said, np.arange(len(action)), -1))
        # Before the first word the gripper is as that word does not leave it.
        first = 1.0 - round(float(opening[said][0])) if said.any() else 1.0
        return np.where(last >= 0, opening[last].round(), first)


def infer_action_space(info: DatasetInfo, arm: str) -> ActionSpace:
    """Read an action space off the names of its values; `notes` says what was assumed.

    Args:
        info: Of the data.
        arm: Which one of two: "left" or "right"; empty: data of two arms is refused.

    Raises:
        DataError: the names say nothing, or are those of two arms or of no positions.
    """
    names = [name.lower() for name in info.action_names]
    if any(name.startswith("world_vector") for name in names):
        return _rt1_columns(names)
    if info.format == "RLDS" and names == [f"action.{n}" for n in range(7)]:
        return ActionSpace(
            ActionMode.END_EFFECTOR_DELTA, tuple(range(6)), "euler", 6,
            notes=("seven values without names: x, y, z, roll, pitch, yaw, gripper (1 is open)",),
        )  # fmt: skip
    numbers, notes = _columns_of_one_arm(info, arm)
    others = [n for n in numbers if quantity_of(info.action_names[n])]
    numbers = [n for n in numbers if n not in others]
    grips = [n for n in numbers if "grip" in names[n]]
    rest = [n for n in numbers if n not in grips]
    if len(grips) > 1:
        raise DataError(
            f"'{info.path}': {', '.join(info.action_names[n] for n in grips)} are several "
            "grippers; valid is one: data of two arms is not supported"
        )
    grip = grips[0] if grips else -1
    closes = grip >= 0 and "clos" in names[grip]
    if not grips:
        notes.append("no gripper among the names: it stays open")
    pose = _pose_columns(rest, names)
    if pose:
        columns, turn = pose
        delta = any(re.search(r"delta|(^|[._])d[xyz]$", names[n]) for n in columns[:3])
        mode = ActionMode.END_EFFECTOR_DELTA if delta else ActionMode.END_EFFECTOR_POSE
        if turn == "none":
            notes.append("no turn among the names: the tool keeps its own")
    else:
        joints = _joint_columns(info, rest, others)
        mode, columns, turn = ActionMode.JOINT_POSITION, tuple(joints), "none"
    dropped = [info.action_names[n] for n in range(len(names)) if n not in (*columns, grip)]
    if dropped:
        notes.append(f"dropped: {', '.join(dropped)}")
    ends = (1.0, 0.0) if closes else (0.0, 1.0)
    return ActionSpace(mode, columns, turn, grip, ends, notes=tuple(notes))


def _columns_of_one_arm(info: DatasetInfo, arm: str) -> tuple[list[int], list[str]]:
    """Return the values of one arm, and a note where there are two."""
    arms = arms_in(info.action_names)
    if not arms:
        return list(range(len(info.action_names))), []
    if arm in arms:
        others = {n for side, numbers in arms.items() if side != arm for n in numbers}
        numbers = [n for n in range(len(info.action_names)) if n not in others]
        return numbers, [f"of two arms the {arm} one is taken"]
    said = "; ".join(
        f"{side}: {', '.join(info.action_names[n] for n in numbers)}"
        for side, numbers in arms.items()
    )
    choice = ", or --arm left or right to use one of them alone" if side_of(said) else ""
    raise DataError(
        f"'{info.path}' has {len(arms)} arms ({said}); valid is data of one arm{choice}"
    )


def _joint_columns(info: DatasetInfo, rest: Sequence[int], others: Sequence[int]) -> list[int]:
    """Return the columns of joint positions.

    Args:
        info: Of the data.
        rest: Columns that may be joints.
        others: Columns of velocities, torques and the like.
    """
    names = info.action_names
    joints = [n for n in rest if _JOINT.search(names[n].lower())]
    changes = [n for n in joints if is_delta(names[n])]
    if changes:
        raise DataError(
            f"'{info.path}': {', '.join(names[n] for n in changes)} are changes of joint "
            "positions; valid are positions, or moves of the tool (delta_x, delta_y, delta_z)"
        )
    if not joints and others:
        said = ", ".join(f"{names[n]} ({quantity_of(names[n])})" for n in others)
        raise DataError(
            f"'{info.path}': no joint positions among {said}; valid are positions of joints or of "
            "the tool"
        )
    if not joints:
        raise DataError(
            f"'{info.path}': the values are called {', '.join(names) or 'nothing'}; valid are "
            "names of joints, or x, y, z. Name each value, in `features` of meta/info.json"
        )
    if len(joints) > MAX_JOINTS:
        raise DataError(
            f"'{info.path}': {', '.join(names[n] for n in joints)} are {len(joints)} joints; "
            f"valid are at most {MAX_JOINTS}, of one arm"
        )
    return joints


def _rt1_columns(names: Sequence[str]) -> ActionSpace:
    """Return the action space of RT-1's fractal: of its gripper, 1 closes and 0 leaves it."""
    place = [f"world_vector.{i}" for i in range(3)]
    turn = [f"rotation_delta.{i}" for i in range(3)]
    grips = [name for name in ("gripper_closedness_action", "open_gripper") if name in names]
    missing = [name for name in (*place, *turn) if name not in names]
    if missing or not grips:
        raise DataError(
            f"the action has a world_vector, but not {', '.join(missing) or 'a gripper'}; its "
            f"values are {', '.join(names)}"
        )
    columns = tuple(names.index(name) for name in (*place, *turn))
    grip = names.index(grips[0])
    closes = grips[0] == "gripper_closedness_action"
    dropped = [name for n, name in enumerate(names) if n not in (*columns, grip)]
    said = "1 closes, -1 opens, 0 leaves it" if closes else "1 is open"
    ends = (1.0, -1.0) if closes else (0.0, 1.0)
    notes = [f"dropped: {', '.join(dropped)}"] if dropped else []
    return ActionSpace(
        ActionMode.END_EFFECTOR_DELTA, columns, "euler", grip, ends, closes,
        (*notes, f"{grips[0]}: {said}"),
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
        "rotation_vector": next(filter(None, (find(*names_) for names_ in _VECTORS)), []),
    }
    for turn, columns in turns.items():
        if columns:
            return (*place, *columns), turn
    return tuple(place), "none"
