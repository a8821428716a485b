"""Transforms between frames over time, as TF publishes them; without ROS.

As tf2's buffer: each frame has one parent, a transform between two samples is interpolated, and
static ones hold for all times. Unlike there, nobody waits: what is newer than the newest sample by
a little takes that sample, and what is newer by more has no transform.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from vlm_robot_ros.kinematics.kinematics import pose7_to_transform

KEPT_S = 10.0
"""How long samples are kept [s], as tf2's default."""
MAX_AHEAD_S = 0.1
"""How much newer than the newest sample a time may be that takes this sample [s]."""
_MOST_PARENTS = 100
"""Frames between a frame and a root; with more there is a loop."""
_SET_BACK_S = 1.0
"""How much older than the newest a sample is where time was set back [s]."""
_QUATERNION_TOLERANCE = 0.01
"""How far the norm of a quaternion may be from 1."""


class TransformError(ValueError):
    """There is no transform; says why."""


class _Sample(NamedTuple):
    time: float
    pose: tuple[float, ...]


class _Frame:
    """What is known of one frame in its parent."""

    def __init__(self, parent: str, static: bool) -> None:
        self.parent, self.static = parent, static
        self.samples: list[_Sample] = []


class TransformBuffer:
    """Keeps the transforms of the last seconds."""

    def __init__(self, kept: float = KEPT_S, ahead: float = MAX_AHEAD_S) -> None:
        """Keep samples for so long, and use the newest for times that are so much newer [s]."""
        self._kept, self._ahead = kept, ahead
        self._frames: dict[str, _Frame] = {}

    def add(
        self, parent: str, child: str, time: float, pose: np.ndarray, static: bool = False
    ) -> None:
        """Take a transform.

        A frame that gets another parent, or becomes static or moving, forgets what was before; so
        does one whose time was set back.

        Args:
            parent: The frame in which the pose is.
            child: The frame whose pose it is.
            time: Of the pose [s]; of no meaning where it is static.
            pose: x, y, z [m], qx, qy, qz, qw. Shape (7,).
            static: Whether it holds for all times.

        Raises:
            TransformError: names or numbers are none of a transform; says what was given.
        """
        parent, child = parent.removeprefix("/"), child.removeprefix("/")
        if not parent or not child or parent == child:
            raise TransformError(f"got the frame '{child}' in '{parent}'; valid: two frames")
        if not np.isfinite(pose).all() or not np.isfinite(time):
            raise TransformError(f"got {np.asarray(pose).tolist()} for '{child}'; valid: numbers")
        if abs(np.linalg.norm(pose[3:]) - 1) > _QUATERNION_TOLERANCE:
            given = np.asarray(pose[3:]).tolist()
            raise TransformError(f"got the quaternion {given} for '{child}'; valid: of norm 1")
        frame = self._frames.get(child)
        if frame is None or (frame.parent, frame.static) != (parent, static):
            frame = self._frames[child] = _Frame(parent, static)
        samples, sample = frame.samples, _Sample(time, tuple(float(value) for value in pose))
        if static or (samples and time < samples[-1].time - _SET_BACK_S):
            samples.clear()
        place = bisect_left(samples, time, key=lambda each: each.time)
        if samples[place : place + 1] and samples[place].time == time:
            return  # the first of a time counts, as in tf2
        samples.insert(place, sample)
        while samples[0].time < samples[-1].time - self._kept:
            samples.pop(0)

    def look_up(self, base: str, frame: str, time: float) -> np.ndarray:
        """Return the transform from a frame to a base frame at a time [s]. Shape (4, 4), [m].

        Raises:
            TransformError: the frames are not connected, or nothing is known of that time.
        """
        base, frame = base.removeprefix("/"), frame.removeprefix("/")
        ours, theirs = list(self._path(frame)), list(self._path(base))
        if ours[-1] != theirs[-1]:
            raise TransformError(self._apart(base, frame))
        shared = next(name for name in ours if name in theirs)
        up, down = (self._chain(path[: path.index(shared)], time) for path in (ours, theirs))
        return np.linalg.inv(down) @ up

    def _path(self, frame: str) -> Iterator[str]:
        """Yield a frame, its parent, and so on to the root."""
        yield frame
        for _ in range(_MOST_PARENTS):
            found = self._frames.get(frame)
            if found is None:
                return
            frame = found.parent
            yield frame
        raise TransformError(f"the parents of frame '{frame}' are a loop")

    def _apart(self, base: str, frame: str) -> str:
        known = set(self._frames) | {each.parent for each in self._frames.values()}
        for name in (frame, base):
            if name not in known:
                some = ", ".join(sorted(known)) or "none"
                return f"there is no frame '{name}'; known frames: {some}"
        return f"the frames '{frame}' and '{base}' are not connected"

    def _chain(self, frames: list[str], time: float) -> np.ndarray:
        found = np.eye(4)
        for name in frames:
            found = self._at(name, time) @ found
        return found

    def _at(self, name: str, time: float) -> np.ndarray:
        """Return the transform from a frame to its parent at a time. Shape (4, 4)."""
        frame = self._frames[name]
        first, last = frame.samples[0], frame.samples[-1]
        if frame.static or time == last.time or 0 < time - last.time <= self._ahead:
            return pose7_to_transform(np.array(last.pose))
        if not first.time <= time <= last.time:
            where = "after the last" if time > last.time else "before the first"
            apart = time - last.time if time > last.time else first.time - time
            raise TransformError(
                f"frame '{name}' in '{frame.parent}' is not known then: {apart:.2f} s {where} "
                f"transform; valid: {self._ahead:g} s after it at most"
            )
        after = bisect_left(frame.samples, time, key=lambda each: each.time)
        if frame.samples[after].time == time:
            return pose7_to_transform(np.array(frame.samples[after].pose))
        before, behind = frame.samples[after - 1 : after + 1]
        part = (time - before.time) / (behind.time - before.time)
        poses = np.array([before.pose, behind.pose])
        place = poses[0, :3] + part * (poses[1, :3] - poses[0, :3])
        turn = Slerp([0.0, 1.0], Rotation.from_quat(poses[:, 3:]))(part)
        return pose7_to_transform(np.array([*place, *turn.as_quat()]))
