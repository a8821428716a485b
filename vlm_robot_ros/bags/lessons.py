"""What a person had to say differently, in bags: a sentence that failed, and one that did not."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from vlm_robot_ros.bags.recording import Recording, Span

_SOON = 60.0
"""Who says it again says it so soon after the end of the attempt that failed [s]."""


class Lesson(NamedTuple):
    """Two sentences for one thing."""

    said: str
    """Was not understood."""
    meant: str
    """Was."""


def find_lessons(recordings: Sequence[Recording]) -> list[Lesson]:
    """Return the lessons in bags, in their order.

    A lesson is an instruction for which the arm did not move, and the next one, soon after, for
    which it did; neither of them if it was judged otherwise.
    """
    lessons = []
    for recording in recordings:
        for before, after in pairwise(recording.spans):
            refused = not _moved(recording, before) and before.success is not True
            obeyed = _moved(recording, after) and after.success is not False
            soon = after.start - before.end < _SOON
            if refused and obeyed and soon and before.instruction != after.instruction:
                lessons.append(Lesson(before.instruction, after.instruction))
    return lessons


def _moved(recording: Recording, span: Span) -> bool:
    return any(span.start <= a.time <= span.end and not a.hold for a in recording.actions)
