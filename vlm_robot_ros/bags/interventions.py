"""When a person moved the arm in place of the policy, as a recording tells."""

from collections.abc import Sequence

import numpy as np

from vlm_robot_ros.bags.recording import (
    INTERVENTION_BEGIN,
    INTERVENTION_END,
    RecordedAction,
    Recording,
)

_ROUNDING_S = 1e-3
"""Begin and end of an intervention are times of actions [s]."""
_PAUSE_S = 1.0
"""Actions farther apart are of different runs of the node [s]."""


def interventions(recording: Recording) -> list[tuple[float, float]]:
    """Return begins and ends [s]."""
    found, begun = list[tuple[float, float]](), None
    for time, event, *_ in recording.marks:
        if begun is not None and event == INTERVENTION_END:
            found.append((begun, time))
            begun = None
        elif begun is not None and event == INTERVENTION_BEGIN:
            # The end is missing where a node was killed.
            found.append((begun, _last_action(recording.actions, begun, time)))
        if event == INTERVENTION_BEGIN:
            begun = time
    if begun is not None:
        found.append((begun, _last_action(recording.actions, begun, recording.bag.end)))
    return found


def _last_action(actions: Sequence[RecordedAction], begin: float, end: float) -> float:
    """Return when the arm was last told to move without a pause from `begin` on [s]."""
    last = begin
    for action in actions:
        if last <= action.time <= min(end, last + _PAUSE_S) and not action.hold:
            last = action.time
    return last


def within(times: np.ndarray, intervals: Sequence[tuple[float, float]]) -> np.ndarray:
    """Return which times, shape (T,), are in one of some intervals. Shape (T,), bool."""
    inside = np.zeros(len(times), bool)
    for begin, end in intervals:
        inside |= (times >= begin - _ROUNDING_S) & (times <= end + _ROUNDING_S)
    return inside
