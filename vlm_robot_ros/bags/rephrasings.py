"""What a person had to say differently, in bags: a sentence that failed, and one that did not."""

from collections.abc import Sequence
from itertools import pairwise

from vlm_robot_ros.bags.recording import JUDGEMENT_WINDOW_S, EpisodeInterval, Recording


def find_rephrasings(recordings: Sequence[Recording]) -> list[tuple[str, str]]:
    """Return the lessons in bags: what was said and failed, and what was said then.

    A lesson is an instruction that was judged a failure, or for which the arm did not move, and
    the next one, soon after, that was judged a success, or for which it moved.
    """
    lessons = []
    for recording in recordings:
        for before, after in pairwise(recording.spans):
            soon = after.start - before.start < JUDGEMENT_WINDOW_S
            other = before.instruction != after.instruction
            if (
                soon
                and other
                and not _succeeded(recording, before)
                and _succeeded(recording, after)
            ):
                lessons.append((before.instruction, after.instruction))
    return lessons


def _succeeded(recording: Recording, span: EpisodeInterval) -> bool:
    if span.success is not None:
        return span.success
    return any(span.start <= a.time <= span.end and not a.hold for a in recording.actions)
