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
_JOINT = re.compile(r"joint|shoulder|elbow|wrist|waist|forearm|arm_\d|pan|lift|flex|roll|j\d")
_LARGEST_MOVE = 0.2
"""What a tool moves from frame to frame at most, half of the time [m]."""
_LARGEST_JOINT = 2 * np.pi + 0.1
"""[rad]"""
_KEPT = 0.1
"""A relative gripper value below this keeps the gripper as it is."""


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
    gripper_relative: bool = False
    """Whether its value says to close or to open, and 0 to leave it."""
    notes: tuple[str, ...] = ()
    """What was taken for granted, dropped or padded."""

    def vectors(self, action: np.ndarray) -> np.ndarray:
        """Return what a model learns of an episode's actions, shape (T, A): see `to_vectors`."""
        return to_vectors(self.mode, *self.values(action))

    def values(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the contract's values, shape (T, 7), and gripper openings, shape (T,).

        Joints that an arm has not are 0.

        Args:
            action: Of a whole episode, in order. Shape (T, A).
        """
        if self.mode in POSES:
            turns = self._turns(action).as_quat()
            values = np.concatenate([action[:, self.columns[:3]], turns], 1)
        else:
            values = np.zeros((len(action), JOINTS))
            values[:, : len(self.columns)] = action[:, self.columns]
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


def read_actions(
    info: DataInfo, arm: str, actions: Sequence[np.ndarray], states: Sequence[np.ndarray]
) -> tuple[ActionSpace, ActionSpace | None]:
    """Return how actions and states are read, by their names and by some episodes' values.

    Args:
        info: Of the data.
        arm: Which one of two: "left" or "right".
        actions: Of some episodes. Shape (T, A) each.
        states: Of the same. Shape (T, S) each.

    Raises:
        DataError: the names say nothing, or the values cannot be what they say.
    """
    space, felt = guess(info, arm), state_space(info, arm)
    done, seen = np.concatenate(actions), np.concatenate(states)
    if felt and space.mode is ActionMode.END_EFFECTOR_POSE and felt.mode in POSES:
        places, goals = seen[:, felt.columns[:3]], done[:, space.columns[:3]]
        apart, far = (np.median(np.linalg.norm(v, axis=1)) for v in (goals - places, goals))
        if apart > far:
            note = "they are nearer to 0 than to where the tool is: taken for moves"
            space = replace(space, mode=ActionMode.END_EFFECTOR_DELTA, notes=(*space.notes, note))
    _check(space, done, "actions")
    if felt:
        _check(felt, seen, "states")
        felt = with_gripper_range(felt, seen)
    return with_gripper_range(space, done), felt


def notes_of(info: DataInfo, space: ActionSpace, felt: ActionSpace | None) -> list[str]:
    """Return how data is read, what was taken for granted, dropped or padded; one line each."""
    lines = [f"actions are read as {space.mode.name}", *(f"- {note}" for note in space.notes)]
    if felt is None:
        lines.append("states are not used: their names do not say what they are")
    else:
        lines += [f"states are read as {felt.mode.name}", *(f"- {note}" for note in felt.notes)]
    return [*lines, *(f"- {note}" for note in info.notes)]


def _check(space: ActionSpace, values: np.ndarray, what: str) -> None:
    """Refuse what would send an arm somewhere else."""
    if space.mode is ActionMode.END_EFFECTOR_DELTA:
        moved = float(np.median(np.linalg.norm(values[:, space.columns[:3]], axis=1)))
        if moved > _LARGEST_MOVE:
            raise DataError(
                f"the {what} move the tool by {moved:.2g} from frame to frame; valid are metres, "
                f"at most {_LARGEST_MOVE}: are they normalised? Bring them to metres first"
            )
    if space.mode is ActionMode.JOINT_POSITION:
        largest = float(np.abs(values[:, space.columns]).max(initial=0.0))
        if largest > _LARGEST_JOINT:
            raise DataError(
                f"the {what} have joint positions of {largest:.4g}; valid are radians: are they "
                "degrees or ticks? Bring them to radians first"
            )


def state_space(info: DataInfo, arm: str) -> ActionSpace | None:
    """Read off the names of a state's values what they are; None where they say nothing."""
    try:
        space = guess(replace(info, action_names=info.state_names, format=""), arm)
    except DataError:
        return None
    if space.mode is ActionMode.END_EFFECTOR_DELTA:
        return None
    return space


def guess(info: DataInfo, arm: str) -> ActionSpace:
    """Read an action space off the names of its values; `notes` says what was assumed.

    Args:
        info: Of the data.
        arm: Which one of two: "left" or "right".

    Raises:
        DataError: the names say nothing.
    """
    names = [name.lower() for name in info.action_names]
    if any(name.startswith("world_vector") for name in names):
        return _of_rt1(names)
    if info.format == "RLDS" and names == [f"action.{n}" for n in range(7)]:
        return ActionSpace(
            ActionMode.END_EFFECTOR_DELTA, tuple(range(6)), "euler", 6,
            notes=("seven values without names: x, y, z, roll, pitch, yaw, gripper (1 is open)",),
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
        joints = [n for n in rest if _JOINT.search(names[n])]
        if not joints:
            raise DataError(
                f"the values are called {', '.join(info.action_names) or 'nothing'}; valid are "
                "names of joints, or x, y, z"
            )
        mode, columns, turn = ActionMode.JOINT_POSITION, tuple(joints[:JOINTS]), "none"
        if len(columns) < JOINTS:
            notes.append(f"{len(columns)} joints; what is missing of {JOINTS} is padded with 0")
    dropped = [info.action_names[n] for n in range(len(names)) if n not in (*columns, grip)]
    if dropped:
        notes.append(f"dropped: {', '.join(dropped)}")
    ends = (1.0, 0.0) if closes else (0.0, 1.0)
    return ActionSpace(mode, columns, turn, grip, ends, notes=tuple(notes))


def _of_rt1(names: Sequence[str]) -> ActionSpace:
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
        "rotation_vector": find("rx", "ry", "rz"),
    }
    for turn, columns in turns.items():
        if columns:
            return (*place, *columns), turn
    return tuple(place), "none"


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
