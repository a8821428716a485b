"""When a policy is asked for the next action chunk. All times in seconds of one clock."""

import math

from vlm_robot_ros.interfaces.action import ActionChunk

_EARLY = 0.01
"""Part of a step by which an observation may be early and is in time."""


class InferenceSchedule:
    """Asks at every observation, or again only when some steps of the last chunk are over.

    A policy that draws its actions at random dithers between equally good ways where it is asked
    too often, and one that thinks long is asked about nothing old if it is asked one thing at a
    time.
    """

    def __init__(self, replan_steps: int = -1, of_policy: int = 0) -> None:
        """Make a schedule.

        Args:
            replan_steps: Steps of a chunk after which the policy is asked again; 0: it is asked
                at every observation; negative: as `of_policy` says.
            of_policy: What the policy wants.
        """
        self._replan_steps = of_policy if replan_steps < 0 else replan_steps
        self.reset()

    def reset(self) -> None:
        """Ask at the next observation."""
        self._asked = -1
        """Number of the instruction that the policy thinks about; negative when it does not."""
        self._planned, self._planned_at, self._due = -1, -math.inf, -math.inf
        """Number of the instruction of the last chunk, when what it answers was seen, and when to
        ask again [s]."""

    def is_due(self, stamp: float, number: int, has_chunk: bool) -> bool:
        """Tell whether to ask about an observation.

        Args:
            stamp: Of the observation [s].
            number: Of the instruction.
            has_chunk: Whether there is a chunk to execute meanwhile.
        """
        if not self._replan_steps:
            return True
        if number == self._asked:
            return False
        return (
            not has_chunk
            or number != self._planned
            or stamp >= self._due
            or stamp < self._planned_at
        )

    def on_request(self, number: int) -> None:
        """Take that the policy is asked about instruction `number`."""
        self._asked = number

    def on_chunk(self, chunk: ActionChunk, number: int, stamp: float) -> None:
        """Take the answer about instruction `number` and an observation of time `stamp`."""
        if number == self._asked:
            self._asked = -1
        steps = min(self._replan_steps, len(chunk.values))
        self._planned, self._planned_at = number, stamp
        self._due = stamp + (steps - _EARLY) * chunk.step_dt
