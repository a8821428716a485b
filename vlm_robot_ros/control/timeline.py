"""Plays chunks of actions by the clock, never by count."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from vlm_robot_ros.contract.action import ActionChunk, ActionMode

_SET_OUT = 0.3
"""Time in which an arm that was held makes up for what the first plan took [s]."""


class Timeline:
    """The chunk that is played now, and how it was blended in. Times in seconds of one clock."""

    def __init__(self, blend: float) -> None:
        """Move from one chunk to the next over `blend` seconds; it lags half of it."""
        self._blend = self._fade = blend
        self._offset: np.ndarray = np.zeros(7)
        self._joined = self._stamp = 0.0
        self.clear()

    def clear(self) -> None:
        """Flush what was to be played."""
        self._chunk: ActionChunk | None = None
        self._times: np.ndarray = np.zeros(0)

    def put(
        self, chunk: ActionChunk, stamp: float, now: float, held: np.ndarray | None = None
    ) -> None:
        """Go on with a chunk computed from the camera frame of time `stamp`; drop an older one.

        An arm that was `held` at a pose (shape (7,)) sets out from there softly.

        Raises:
            ValueError: the chunk is not made of finite numbers, seven a step, or of deltas.
        """
        _check(chunk)
        if chunk.mode == ActionMode.END_EFFECTOR_POSE:
            chunk = replace(chunk, values=_unwound(chunk.values))
        if self._chunk is not None and stamp < self._stamp:
            return
        before = self.sample(now) if self._chunk and self._chunk.mode == chunk.mode else None
        self._fade = self._blend
        if before is None and held is not None and chunk.mode == ActionMode.END_EFFECTOR_POSE:
            before, self._fade = (held, 0.0), max(_SET_OUT, self._blend)
        self._chunk, self._stamp = chunk, stamp
        self._times = stamp + chunk.step_dt * np.arange(1, len(chunk.values) + 1)
        self._offset = np.zeros(7)
        if before is not None:
            self._offset = _same_side(before[0], self._plain(now)) - self._plain(now)
            self._joined = now

    def sample(self, now: float) -> tuple[np.ndarray, float] | None:
        """Return seven values and the gripper's opening to command at `now`.

        None when there is nothing to play: no chunk, or the last one is over.
        """
        if self._chunk is None or now > self._times[-1]:
            return None
        fade = 1.0 - (now - self._joined) / self._fade if self._fade > 0 else 0.0
        values = self._plain(now) + max(0.0, min(1.0, fade)) * self._offset
        if self._chunk.mode == ActionMode.END_EFFECTOR_POSE:
            values[3:] /= np.linalg.norm(values[3:])
        # The fingers follow what was decided for the state that was seen: planned ahead of an arm
        # that lags they would close above the object.
        return values, float(self._chunk.gripper[0])

    def _plain(self, now: float) -> np.ndarray:
        """Interpolate the chunk, without what is left of the one before."""
        assert self._chunk is not None
        return np.array([np.interp(now, self._times, column) for column in self._chunk.values.T])


def _same_side(pose: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return `pose` with its quaternion in the hemisphere of the other's."""
    if pose[3:] @ other[3:] >= 0:
        return pose
    return np.concatenate([pose[:3], -pose[3:]])


def _unwound(poses: np.ndarray) -> np.ndarray:
    """Return poses whose quaternions keep to one hemisphere from row to row. Shape (H, 7)."""
    result = poses.copy()
    for before, row in pairwise(result):
        if row[3:] @ before[3:] < 0:
            row[3:] *= -1
    return result


def _check(chunk: ActionChunk) -> None:
    values, gripper = np.asarray(chunk.values), np.asarray(chunk.gripper)
    if chunk.mode not in (ActionMode.JOINT_POSITION, ActionMode.END_EFFECTOR_POSE):
        raise ValueError(f"a chunk of {chunk.mode.name} has no clock to be played by")
    if values.ndim != 2 or values.shape[1] != 7 or not len(values):
        raise ValueError(f"a chunk has values of shape (H, 7), got {values.shape}")
    if gripper.shape != (len(values),):
        raise ValueError(f"a chunk of {len(values)} steps has as many grips, got {gripper.shape}")
    if not (np.all(np.isfinite(values)) and np.all(np.isfinite(gripper))):
        raise ValueError("the plan has numbers that are not finite")
    if not chunk.step_dt > 0:
        raise ValueError(f"step_dt is {chunk.step_dt}; it must be above 0")
    if chunk.mode == ActionMode.END_EFFECTOR_POSE:
        norms = np.linalg.norm(values[:, 3:], axis=1)
        if np.any(np.abs(norms - 1) > 0.01):
            raise ValueError(f"the plan's quaternions have norms {norms.round(3).tolist()}, not 1")
