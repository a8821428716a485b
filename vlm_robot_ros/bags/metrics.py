"""Figures of a recording: success, latency, lost frames, limits, holds."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlm_robot_ros.bags.interventions import interventions, within
from vlm_robot_ros.bags.recording import MIN_GAP_S, EpisodeInterval, RecordedAction, Recording
from vlm_robot_ros.success_rate import wilson_interval

_PERCENTILES = (50, 95, 99)
_MIN_SAMPLES = 5
"""Joint states that speeds can be told from."""


@dataclass(frozen=True)
class Hold:
    """A time in which the arm was to stay where it is."""

    start: float
    end: float
    """[s]"""
    reason: str


def summarize_recording(recording: Recording) -> dict[str, Any]:
    """Return all of it, of plain types."""
    spans, apart = recording.spans, _clock_offset(recording)
    return {
        "bag": str(recording.bag.path),
        "robot": recording.robot.name,
        "seconds": round(recording.bag.end - recording.bag.start, 2),
        "problem": "; ".join(filter(None, (recording.bag.problem, apart))),
        "about": {k: v for k, v in recording.bag.metadata().items() if k != "contract"},
        "episodes": [
            {
                "start": round(span.start - recording.bag.start, 2),
                "seconds": round(span.end - span.start, 2),
                "instruction": span.instruction,
                "success": span.success,
                "by": span.judged_by,
            }
            for span in spans
        ],
        "success": rate(spans),
        "by_instruction": {
            text: rate([span for span in spans if span.instruction == text])
            for text in dict.fromkeys(span.instruction for span in spans)
        },
        "camera_to_action_ms": percentiles([] if apart else latencies(recording)),
        "cameras": {
            topic: frame_loss(stamps, _period(recording, topic))
            for topic, stamps in recording.frames.items()
        },
        "joints": [] if apart else joint_margins(recording),
        "holds": [
            {"reason": reason, "times": len(times), "seconds": round(sum(times), 2)}
            for reason, times in _durations_by_reason(holds(recording.actions)).items()
        ],
    }


def _clock_offset(recording: Recording) -> str:
    """Return what is wrong where stamps are of another clock than the bag's; empty if not."""
    for action in recording.actions:
        if not action.hold and abs(action.time - action.stamp) > MIN_GAP_S:
            return (
                f"actions are stamped {action.stamp:.1f} s and recorded at {action.time:.1f} s: "
                "record with the simulator's time"
            )
    return ""


def rate(spans: Sequence[EpisodeInterval]) -> dict[str, Any]:
    """Return how many succeeded of those that somebody judged, with Wilson's 95 % interval."""
    judged = [span.success for span in spans if span.success is not None]
    if not judged:
        return {"episodes": len(spans), "judged": 0, "successes": 0, "wilson_95": None}
    low, high = wilson_interval(sum(judged), len(judged))
    interval = [round(low, 4), round(high, 4)]
    return {"episodes": len(spans), "judged": len(judged), "successes": sum(judged),
            "wilson_95": interval}  # fmt: skip


def latencies(recording: Recording) -> list[float]:
    """Return times from camera stamps to the first actions that answer them, as recorded [s].

    Those of a person answer no image.
    """
    found, seen = [], set()
    times = np.array([action.time for action in recording.actions])
    by_hand = within(times, interventions(recording))
    for action, is_by_hand in zip(recording.actions, by_hand, strict=True):
        if not is_by_hand and not action.hold and action.stamp not in seen:
            seen.add(action.stamp)
            found.append(action.time - action.stamp)
    return found


def percentiles(values: Sequence[float]) -> dict[str, Any]:
    """Return count and p50, p95, p99 of times [s], in milliseconds."""
    if not values:
        return {"count": 0, **dict.fromkeys(("p50", "p95", "p99"))}
    found = (1e3 * np.percentile(values, _PERCENTILES)).round(2).tolist()
    return {"count": len(values), **dict(zip(("p50", "p95", "p99"), found, strict=True))}


def frame_loss(stamps: Sequence[float], period: float | None = None) -> dict[str, Any]:
    """Return how many frames came and how many are missing between them.

    Args:
        stamps: Of the frames [s].
        period: Between frames [s]; their own median if not given.
    """
    gaps = np.diff(np.sort(stamps))
    gaps = gaps[gaps > 1e-6]
    if not len(gaps):
        return {"frames": len(stamps), "lost": 0, "rate": None, "longest_gap_s": None}
    period = period or float(np.median(gaps))
    lost = int(np.maximum(np.round(gaps / period) - 1, 0).sum())
    return {"frames": len(stamps), "lost": lost, "rate": round(1 / float(np.median(gaps)), 2),
            "longest_gap_s": round(float(gaps.max()), 3)}  # fmt: skip


def holds(actions: Sequence[RecordedAction]) -> list[Hold]:
    """Return when the arm held and why, one after the other."""
    found: list[Hold] = []
    before = ""
    for action in actions:
        if action.hold and action.hold == before:
            found[-1] = Hold(found[-1].start, action.time, before)
        elif action.hold:
            found.append(Hold(action.time, action.time, action.hold))
        before = action.hold
    return found


def joint_margins(recording: Recording) -> list[dict[str, Any]]:
    """Return of each joint the least distance to a limit, and its speeds as parts of theirs.

    Speed, acceleration and jerk are of joint states, by differences: 99.9th percentiles, for
    differences of noise are large. The largest speed is of those that the joint states tell;
    None where they do not.
    """
    robot = recording.robot
    times, first = np.unique(recording.joint_times, return_index=True)
    if len(times) < _MIN_SAMPLES:
        return []
    places = np.array(recording.joints)[first]
    margin = np.minimum(places - robot.lower, robot.upper - places).min(0)
    # Between two episodes a simulated arm may be put elsewhere.
    spans = recording.spans or [EpisodeInterval(times[0], times[-1], "")]
    inside = [(times >= span.start) & (times <= span.end) for span in spans]
    runs = [(times[each], places[each]) for each in inside if each.sum() >= _MIN_SAMPLES]
    parts: list[np.ndarray] = []
    for limit in (robot.velocity, robot.acceleration, robot.jerk):
        runs = [(time, np.gradient(place, time, axis=0)) for time, place in runs]
        rates = np.concatenate([np.abs(rate_) for _, rate_ in runs] or [np.zeros((1, len(limit)))])
        parts.append(np.percentile(rates, 99.9, axis=0) / limit)
    told = recording.speeds
    fastest = np.max(np.abs(told), axis=0) / robot.velocity if told else None
    return [
        {
            "joint": joint.name,
            "margin_rad": round(float(margin[i]), 4),
            "fastest": None if fastest is None else round(float(fastest[i]), 4),
            **{
                name: round(float(part[i]), 4)
                for name, part in zip(("velocity", "acceleration", "jerk"), parts, strict=True)
            },
        }
        for i, joint in enumerate(robot.joints)
    ]


def _period(recording: Recording, topic: str) -> float | None:
    """Return the period that the contract says of a topic's images."""
    for camera in recording.robot.cameras:
        if topic.removesuffix("/compressed").endswith(camera.topic):
            return 1.0 / camera.rate
    return None


def _durations_by_reason(found: Sequence[Hold]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = defaultdict(list)
    for hold in found:
        times[hold.reason].append(hold.end - hold.start)
    return dict(times)
