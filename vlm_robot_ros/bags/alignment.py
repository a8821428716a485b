"""Bags as training data: what was seen, felt and commanded, brought to one even grid of times."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vlm_robot_ros.bags.bag import BagError
from vlm_robot_ros.bags.interventions import interventions, within
from vlm_robot_ros.bags.recording import (
    MIN_GAP_S,
    EpisodeInterval,
    RecordedAction,
    Recording,
    contract_cameras,
)
from vlm_robot_ros.interfaces.action import POSE_NAMES, ActionMode
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7

_MAX_IMAGE_AGE_PERIODS = 1.5
"""An image, or a command, may be so many periods old."""
_DECIMALS = 6
"""Decimals of actions that are kept: noise of 1e-18 becomes full scale where it is normalised."""
_MAX_JOINT_GAP_S = 0.1
"""Joint states farther apart are not interpolated between [s]."""
_MAX_STEPS = 1_000_000
"""Frames of an episode that can be meant."""
STATE_PARTS = ("joints", "pose")
"""What the state of a dataset may have, before the gripper's opening."""
_DOWNWARD = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
"""A pose whose quaternion those of states are nearest to at first."""
_MIN_STEPS = 4
"""Shorter episodes are left out [frames]."""


@dataclass(frozen=True)
class AlignedEpisode:
    """One episode on a grid of even times, without its images."""

    recording: Recording
    instruction: str
    times: np.ndarray
    """Shape (T,), [s]."""
    images: dict[str, np.ndarray]
    """Of each camera the stamps of the images that are newest at each time. Shape (T,), [s]."""
    state: np.ndarray
    """Joint positions [rad], or the tool's pose, or both, and the gripper opening where there is
    one. Shape (T, S), float32."""
    state_names: tuple[str, ...]
    """Of these values."""
    action: np.ndarray
    """What the arm was told to reach by the next time, and the opening where there is a gripper.
    Shape (T, A), float32."""
    names: tuple[str, ...]
    """Of the actions."""
    intervention: np.ndarray
    """Whether a person moved the arm. Shape (T,), bool."""
    cut: int
    """How many times are left out, since something was missing then."""
    success: bool | None
    """As it was marked; None where nobody says."""


def align(
    recording: Recording,
    span: EpisodeInterval,
    fps: float,
    namespace: str = "",
    cameras: Collection[str] = (),
    joint_actions: bool = False,
    state_parts: Sequence[str] = ("joints",),
) -> AlignedEpisode | None:
    """Bring an episode to an even grid, from its first command of motion to its last.

    Nothing is made up: of each camera the newest image is taken, the command that was given
    last before the next time, joints are interpolated between two states. Where one of these is
    missing or too old the episode is cut, and the longest part is kept.

    Args:
        recording: With the episode.
        span: When it was.
        fps: Times a second.
        namespace: Of the node, where it had one.
        cameras: Whose images are needed; of all colour cameras if none is named.
        joint_actions: Whether tool poses become the joint positions that the arm had when they
            were due.
        state_parts: What the state has: some of `STATE_PARTS`.

    Raises:
        BagError: the actions are changes, which cannot be brought to another rate.
    """
    period = 1.0 / fps
    moving = [a for a in recording.actions if span.start <= a.time <= span.end and not a.hold]
    if not moving:
        return None
    if moving[0].mode not in (ActionMode.JOINT_POSITION, ActionMode.END_EFFECTOR_POSE):
        raise BagError(
            f"bag '{recording.bag.path}' has actions of mode {ActionMode(moving[0].mode).name}; "
            "valid: JOINT_POSITION, END_EFFECTOR_POSE"
        )
    commands = [a for a in recording.actions if moving[0].time <= a.time <= moving[-1].time]
    modes = {a.mode for a in moving}
    if modes == {ActionMode.JOINT_POSITION, ActionMode.END_EFFECTOR_POSE}:
        commands = _to_poses(recording, commands)
    commands = [a for a in commands if a.mode == commands[0].mode]
    begin, frames = moving[0].stamp, (moving[-1].time - moving[0].stamp) * fps
    if abs(begin - moving[0].time) > MIN_GAP_S or not 0 < frames < _MAX_STEPS:
        raise BagError(
            f"bag '{recording.bag.path}': actions are stamped {begin:.1f} s and recorded "
            f"{moving[0].time:.1f} to {moving[-1].time:.1f} s: record with the simulator's time"
        )
    times = begin + period * np.arange(int(np.ceil(frames)))
    good = np.ones(len(times), bool)
    images = {}
    for topic, camera in contract_cameras(recording, namespace).items():
        # No set of the field has a common form for depth.
        if recording.robot.camera(camera).depth or (cameras and camera not in cameras):
            continue
        late = _MAX_IMAGE_AGE_PERIODS / recording.robot.camera(camera).rate
        images[camera], fresh = _latest_before(recording.frames[topic], times + 1e-6, late)
        good &= fresh
    state, felt = _interpolate_joint_states(recording, times)
    told, fresh = _latest_before(
        [a.time for a in commands], times + period, _MAX_IMAGE_AGE_PERIODS * period
    )
    reached, known = _interpolate_joint_states(recording, times + period)
    good &= felt & fresh & (known if joint_actions else True)
    first, last = _longest_gap(good)
    if last - first < _MIN_STEPS:
        return None
    part = slice(first, last)
    by_time = {a.time: a for a in commands}
    chosen = [by_time[time] for time in told[part]]
    names, action = _vectors(chosen)
    if joint_actions and commands[0].mode != ActionMode.JOINT_POSITION:
        names = (*recording.robot.joint_names, "gripper")
        done = reached[part, :-1].astype(float).round(_DECIMALS)
        action = np.column_stack([done, action[:, -1]]).astype(np.float32)
    state_names, states = _states(recording, state[part], state_parts)
    if not recording.robot.has_gripper:
        names, action = names[:-1], action[:, :-1]
        state_names, states = state_names[:-1], states[:, :-1]
    by_hand = within(times[part], interventions(recording))
    return AlignedEpisode(
        recording, span.instruction, times[part],
        {camera: stamps[part] for camera, stamps in images.items()},
        states, state_names, action, names, by_hand, len(times) - (last - first), span.success,
    )  # fmt: skip


def _states(
    recording: Recording, felt: np.ndarray, parts: Sequence[str]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return names and values of states, shape (T, S), of joints and opening, shape (T, J + 1)."""
    names, columns = list[str](), list[np.ndarray]()
    for part in parts:
        if part == "joints":
            names += recording.robot.joint_names
            columns.append(felt[:, :-1])
            continue
        kinematics, poses = Kinematics(recording.robot), list[np.ndarray]()
        for joints in felt[:, :-1].astype(float):
            pose = transform_to_pose7(kinematics.forward(joints))
            poses.append(_near(pose, poses[-1] if poses else _DOWNWARD))
        names += POSE_NAMES
        columns.append(np.array(poses).round(_DECIMALS) + 0.0)
    return (*names, "gripper"), np.column_stack([*columns, felt[:, -1]]).astype(np.float32)


def _near(pose: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return a pose with that quaternion of its two which is nearer to that of another."""
    return np.r_[pose[:3], -pose[3:]] if pose[3:] @ before[3:] < 0 else pose


def _to_poses(recording: Recording, actions: Sequence[RecordedAction]) -> list[RecordedAction]:
    """Return actions of both kinds as poses of the tool: those of a leader arm are joints."""
    kinematics = Kinematics(recording.robot)
    found = list[RecordedAction]()
    for action in actions:
        pose = action.values
        if action.mode == ActionMode.JOINT_POSITION:
            pose = transform_to_pose7(kinematics.forward(pose))
        pose = _near(pose, found[-1].values if found else pose)
        mode = int(ActionMode.END_EFFECTOR_POSE)
        found.append(replace(action, mode=mode, names=POSE_NAMES, values=pose))
    return found


def _latest_before(
    given: Sequence[float], times: np.ndarray, oldest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the newest of some times at each time, and whether it is not too old."""
    known = np.sort(given)
    place = np.searchsorted(known, times, side="right") - 1
    newest = known[np.maximum(place, 0)]
    return newest, (place >= 0) & (times - newest <= oldest)


def _interpolate_joint_states(
    recording: Recording, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return joints and opening at each time, shape (T, J + 1), and whether they are known."""
    known, first = np.unique(recording.joint_times, return_index=True)
    if len(known) < 2:
        return np.zeros((len(times), 1), np.float32), np.zeros(len(times), bool)
    values = np.column_stack([recording.joints, recording.openings])[first]
    after = np.clip(np.searchsorted(known, times), 1, len(known) - 1)
    near = known[after] - known[after - 1] <= _MAX_JOINT_GAP_S
    inside = (times >= known[0] - 1e-6) & (times <= known[-1] + 1e-6)
    columns = [np.interp(times, known, column) for column in values.T]
    return np.column_stack(columns).astype(np.float32), near & inside


def _longest_gap(good: np.ndarray) -> tuple[int, int]:
    """Return begin and end of the longest run of what is true."""
    edges = np.flatnonzero(np.diff(np.r_[0, good.astype(int), 0]))
    runs = edges.reshape(-1, 2)
    if not len(runs):
        return 0, 0
    first, last = runs[np.argmax(runs[:, 1] - runs[:, 0])]
    return int(first), int(last)


def _vectors(actions: Sequence[RecordedAction]) -> tuple[tuple[str, ...], np.ndarray]:
    """Return names and values of actions, shape (T, A), those that the arm has."""
    named = [number for number, name in enumerate(actions[0].names) if name]
    names = (*(actions[0].names[number] for number in named), "gripper")
    rows = [np.r_[action.values[named], action.gripper] for action in actions]
    # Adding 0 turns -0 into 0.
    return names, (np.array(rows).round(_DECIMALS) + 0.0).astype(np.float32)
