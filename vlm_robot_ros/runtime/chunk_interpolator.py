"""Plays chunks of actions by the clock, never by count; slower where answers take long."""

from bisect import bisect_left
from dataclasses import replace
from math import ceil, expm1

import numpy as np

from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode, check_chunk
from vlm_robot_ros.runtime.monotone_cubic import MonotoneCubic

_FADE_STEPS = 3.0
"""Steps of a chunk, its last ones, in which it loses its say."""
_MIN_WEIGHT = 0.02
"""Who counts less is not asked."""
_SAME_TIME = 1e-6
"""Part of a step by which times differ that are the same."""
_SLOW_ANSWER_S, _ANSWER_MARGIN_S = 0.5, 0.2
"""A chunk that took longer is played so that it lasts until the next one, which takes as long, and
this margin."""
_BLENDED_PART = 0.5
"""It takes this part of that time to move from the chunk before to such a chunk."""
_LEAST_RATE = 0.2
"""No chunk is played slower: it ends, and the arm waits."""
_RAMP_STEPS, _RAMP_S = 10, 0.5
"""The rate changes in so many steps, and this time."""


class PlayClock:
    """The time of what is played: it passes as the clock does, or slower."""

    def __init__(self) -> None:
        self._parts: list[tuple[float, float, float]] = []
        """From when on [s], the played time then [s], and what of a second is played a second."""

    def at(self, now: float) -> float:
        """Return what is played at `now` [s]."""
        for start, played, rate in reversed(self._parts):
            if now >= start:
                return played + (now - start) * rate
        if self._parts:
            start, played, _ = self._parts[0]
            return played - (start - now)
        return now

    @property
    def is_stretched(self) -> bool:
        """Whether it ever passed otherwise than the clock."""
        return bool(self._parts)

    def go_on(self, before: tuple[float, float], now: float, played: float) -> None:
        """Play from `played` on at `now` [s], as fast as the clock.

        Args:
            before: An earlier time, and what was played then [s]; what was played between the
                two is not known better than that.
            now: [s]
            played: [s]
        """
        start, then = before
        rate = (played - then) / (now - start) if now > start else 0.0
        self._parts = [(start, then, rate), (now, played, 1.0)]

    def stretch(self, now: float, left: float, seconds: float) -> None:
        """Play what is left [s] in so many seconds from `now` on, at most as fast as the clock."""
        current = next((part[2] for part in reversed(self._parts) if now >= part[0]), 1.0)
        ramp = _RAMP_S * (_RAMP_STEPS - 1) / (2 * _RAMP_STEPS)
        seconds = max(seconds, 2 * ramp)
        rate = (left - current * ramp) / (seconds - ramp)
        rate = min(max(rate, _LEAST_RATE), 1.0)
        if rate == current:
            return
        self._parts = [part for part in self._parts if part[0] <= now][-2 * _RAMP_STEPS :]
        for step in range(_RAMP_STEPS):
            start = now + step * _RAMP_S / _RAMP_STEPS
            part = current + (rate - current) * (step + 1) / _RAMP_STEPS
            self._parts.append((start, self.at(start), part))


class ChunkInterpolator:
    """The chunk that is played now, and how it was blended in. Times in seconds of one clock.

    It is smooth: a monotone cubic through the steps of a chunk (`MonotoneCubic`), and from one
    chunk to the next neither place nor speed jumps. Older chunks may have a say, too:
    temporal ensembling (Zhao et al., 2023), with the largest weight for the newest; or real-time
    chunking (Black, Galliker and Levine, NeurIPS 2025), here for policies of any kind: the steps
    that are played before a chunk can be there stay as they were, and the later they are, the
    more they are the new chunk's.
    """

    def __init__(
        self, blend: float, ensemble: float = 0.0, joined_steps: int = 0, joints: int = 7
    ) -> None:
        """Play nothing yet.

        Args:
            blend: How long it takes to move from one chunk to the next [s].
            ensemble: What a chunk counts, as a part of what the next newer one counts; 0: only
                the newest counts.
            joined_steps: In how many steps, after those that are played before it can be
                there, a chunk goes over from the one before to its own by real-time chunking;
                0: not joined so. The grip is the newest chunk's at once.
            joints: Of the robot.
        """
        self._joints = joints
        self._shortest_blend = self._blend = blend
        self._ensemble, self._joined_steps = ensemble, joined_steps
        self._left = np.zeros((2, 1))
        self._joined = self._stamp = 0.0
        self._cleared = -np.inf
        self.clear()

    def clear(self, now: float | None = None) -> None:
        """Flush what was to be played, at `now` [s].

        No slow answer about a moment before that is played: the arm has moved on.
        """
        if now is not None:
            self._cleared = now
        self._chunk: ActionChunk | None = None
        self._curves: list[MonotoneCubic] = []
        self._end = -np.inf
        self._clock = PlayClock()

    def is_older(self, stamp: float) -> bool:
        """Tell whether a camera frame is older than that of the chunk which is played."""
        return self._chunk is not None and self._clock.at(stamp) < self._stamp

    def covers(self, now: float) -> bool:
        """Tell whether there is something to play at `now` [s]."""
        return self._chunk is not None and self._clock.at(now) <= self._end

    def set_chunk(self, chunk: ActionChunk, stamp: float, now: float) -> bool:
        """Go on with a chunk computed from the camera frame of time `stamp`; drop an older one.

        Args:
            chunk: Its first step is one `step_dt` after `stamp`.
            stamp: [s]
            now: When the chunk begins to be played [s].

        Returns:
            Whether it is played, and is not one of an older frame than that which is.

        Raises:
            ValueError: the chunk is not made of finite numbers, one for each joint or seven of a
                pose a step, or it is one of deltas.
        """
        check_chunk(chunk, self._joints)
        if chunk.mode == ActionMode.END_EFFECTOR_POSE:
            chunk = replace(chunk, values=_align_quaternions(chunk.values))
        if self.is_older(stamp):
            return False
        goes_on = self._chunk is not None and self._chunk.mode == chunk.mode and self.covers(now)
        moment, given, took, clock = now, stamp, now - stamp, self._clock
        if not goes_on:
            self._clock = PlayClock()
        slow = took > _SLOW_ANSWER_S
        if slow and given < self._cleared:
            return False
        if goes_on or slow:
            now, stamp = clock.at(now), clock.at(stamp)
        if not goes_on and slow:  # the arm has waited, and goes on where it is
            now = max(stamp, min(now, self._end))
            self._clock.go_on((given, stamp), moment, now)
        before = self._position_and_velocity(now) if goes_on else None
        values = np.asarray(chunk.values, float)
        # Where it comes from: at the speed of its first step.
        origin = 2 * values[0] - values[min(1, len(values) - 1)]
        values = np.concatenate([origin[None], values])
        times = stamp + chunk.step_dt * np.arange(len(values))
        if not np.all(times[1:] > times[:-1]):
            raise ValueError(f"step_dt is {chunk.step_dt}: too little to be told by the clock")
        if goes_on and self._joined_steps and not slow:
            values = self._rtc_merge(values, times, now)
        self._chunk, self._stamp, self._end = chunk, stamp, float(times[-1])
        curve = MonotoneCubic(stamp, chunk.step_dt, values)
        older = [each for each in self._curves if each.end > now]
        self._curves = [curve, *(older if goes_on and self._ensemble > 0 else [])]
        self._left = np.zeros((2, 1))
        # The longer an answer took, the more it may differ from the one before.
        self._blend = max(self._shortest_blend, _BLENDED_PART * took if slow else 0.0)
        if before is not None and self._blend > 0:
            goes = self._position_and_velocity(now)
            if chunk.mode == ActionMode.END_EFFECTOR_POSE and before[0, 3:] @ goes[0, 3:] < 0:
                before[:, 3:] *= -1  # the same orientation, the other quaternion of it
            self._left, self._joined = before - goes, now
        if slow:
            # Half of a chunk is played until the next answer comes, and half while that is late.
            left = min(self._end - now, (self._end - stamp) / 2)
            self._clock.stretch(moment, left, took + _ANSWER_MARGIN_S)
        elif self._clock.is_stretched:
            self._clock.stretch(moment, np.inf, 1.0)
        return True

    def sample(self, now: float) -> tuple[np.ndarray, float] | None:
        """Return the values and the gripper's opening to command at `now`.

        None when there is nothing to play: no chunk, or the last one is over.
        """
        if not self.covers(now):
            return None
        assert self._chunk is not None
        now = self._clock.at(now)
        values, _ = self._position_and_velocity(now)
        if self._chunk.mode == ActionMode.END_EFFECTOR_POSE:
            values[3:] /= np.linalg.norm(values[3:])
        return values, float(self._chunk.gripper[self._gripper_step(now)])

    def _gripper_step(self, now: float) -> int:
        """Return of which step the opening is that is commanded at `now`."""
        assert self._chunk is not None
        if self._chunk.gripper_at_once:
            return 0
        steps = (now - self._stamp) / self._chunk.step_dt
        return min(max(ceil(steps - _SAME_TIME) - 1, 0), len(self._chunk.gripper) - 1)

    def _rtc_merge(self, values: np.ndarray, times: np.ndarray, now: float) -> np.ndarray:
        """Return a new chunk that begins as what is played goes on. Shape (H + 1, W)."""
        assert self._chunk is not None
        joined = values.copy()
        committed = bisect_left(times, now) + 1
        shared = bisect_left(times, self._end + 1e-6)
        weights = _soft_mask(committed, min(shared, committed + self._joined_steps))
        for row, time, weight in zip(joined, times, weights, strict=False):
            played, _ = self._position_and_velocity(time)
            if self._chunk.mode == ActionMode.END_EFFECTOR_POSE and played[3:] @ row[3:] < 0:
                played[3:] *= -1
            row += weight * (played - row)
        return (
            _align_quaternions(joined)
            if self._chunk.mode == ActionMode.END_EFFECTOR_POSE
            else joined
        )

    def _position_and_velocity(self, now: float) -> np.ndarray:
        """Return where what is played is, and how fast [1/s]. Shape (2, W)."""
        planned = self._sample_chunk(max(now, self._stamp))
        part = (now - self._joined) / self._blend if self._blend > 0 else 1.0
        if part >= 1.0:
            return planned
        # What is left of the chunk before: a cubic from its place and speed to none.
        part = max(part, 0.0)
        rest, drift = 1 + part**2 * (2 * part - 3), self._blend * part * (1 - part) ** 2
        slope, turn = 6 * part * (part - 1) / self._blend, (1 - part) * (1 - 3 * part)
        return planned + np.array([[rest, drift], [slope, turn]]) @ self._left

    def _sample_chunk(self, now: float) -> np.ndarray:
        """Return where the chunks say to be, and how fast [1/s]. Shape (2, W)."""
        assert self._chunk is not None
        newest, *older = self._curves
        first, speed = planned = newest.at(now)
        if not older:
            return planned
        place, total, change, weight = first, 1.0, 0.0, 1.0
        for curve in older:
            weight *= self._ensemble
            if weight < _MIN_WEIGHT:
                break
            fade = _FADE_STEPS * curve.step
            left = (curve.end - now) / fade
            if left <= 0:
                continue
            left = min(left, 1.0)  # before it ends it counts less and less
            part, falls = left**2 * (3 - 2 * left), -6 * left * (1 - left) / fade
            other, moves = curve.at(now)
            if self._chunk.mode == ActionMode.END_EFFECTOR_POSE and other[3:] @ first[3:] < 0:
                other[3:], moves[3:] = -other[3:], -moves[3:]
            place = place + weight * part * other
            speed = speed + weight * (part * moves + falls * other)
            total, change = total + weight * part, change + weight * falls
        return np.stack([place, speed - place / total * change]) / total


def _soft_mask(committed: int, shared: int) -> list[float]:
    """Return what the chunk before counts, step by step: equation 5 of real-time chunking.

    Args:
        committed: Steps, the first, that cannot be changed any more.
        shared: Steps that both chunks have; what it counts beyond them is 0.

    Returns:
        As many weights.
    """
    lefts = [(shared - step) / (shared - committed + 1) for step in range(committed, shared)]
    return [1.0] * min(committed, shared) + [e * expm1(e) / expm1(1.0) for e in lefts]


def _align_quaternions(poses: np.ndarray) -> np.ndarray:
    """Return poses whose quaternions have norm 1 and keep to one hemisphere. Shape (H, 7)."""
    turns = poses[:, 3:] / np.linalg.norm(poses[:, 3:], axis=1, keepdims=True)
    signs = np.where((turns[1:] * turns[:-1]).sum(1) < 0, -1, 1).cumprod()
    turns[1:] *= signs[:, None]
    return np.concatenate([poses[:, :3], turns], 1)
