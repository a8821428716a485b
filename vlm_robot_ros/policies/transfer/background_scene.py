"""Looks in the background, so that a slow detector does not delay the arm."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.manipulation.geometry import ObjectGeometry
from vlm_robot_ros.policies.transfer.scene import SeenThing
from vlm_robot_ros.policies.transfer.scene_perception import (
    PerceptionError,
    ScenePerception,
    Sight,
)
from vlm_robot_ros.policies.transfer.thing_steps import ReadSentence

_OLDEST_S = 5.0
"""How old what was seen may be [s]."""
_Look = tuple[tuple[str, ...], float, "Future[Sight]"]
"""What is looked for, when the image was taken [s], and what comes of it."""


class BackgroundScene:
    """Answers with what was seen last, while another thread looks at the newest image."""

    def __init__(self, within: ScenePerception, oldest: float = _OLDEST_S) -> None:
        """Take what looks; what it saw longer ago than `oldest` [s] counts no more."""
        self._within, self._oldest = within, oldest
        self._thread = ThreadPoolExecutor(1, "look")
        self._job: _Look | None = None
        self._seen: _Look | None = None

    @property
    def cameras(self) -> tuple[str, ...]:
        """Those that it looks through."""
        return self._within.cameras

    def reset(self) -> None:
        """Forget what was seen; what is being looked at does not count."""
        self._thread.submit(self._within.reset)
        self._job = self._seen = None

    def read(self, text: str, observation: Observation) -> ReadSentence:
        """Return what a sentence says of things."""
        return self._within.read(text, observation)

    def look(self, observation: Observation, nouns: Sequence[str]) -> Sight:
        """Return what was seen last, and look at this image if nothing else is looked at.

        Raises:
            PerceptionError: nothing was seen of these nouns yet, or too long ago; or looking has
                failed.
        """
        wanted = tuple(nouns)
        self._take()
        if self._job is None:
            job = self._thread.submit(self._within.look, observation, wanted)
            self._job = (wanted, observation.time, job)
        if self._seen is None or self._seen[0] != wanted:
            raise PerceptionError(f"I am looking for the {' and the '.join(wanted)}")
        _, time, done = self._seen
        age = observation.time - time
        if age > self._oldest:
            raise PerceptionError(
                f"I have last looked {age:.1f} s ago; valid: {self._oldest:g} s at most"
            )
        try:
            return done.result()
        except PerceptionError:
            raise
        except Exception as error:  # anybody's detector
            raise PerceptionError(f"looking has failed: {error!r}") from error

    def draw(self) -> np.ndarray | None:
        """Return the image that was looked at last with what was seen in it; None before."""
        return self._within.draw()

    def place_beside(
        self, thing: SeenThing, target: ObjectGeometry, way: np.ndarray
    ) -> np.ndarray:
        """Return where the base of a target comes to be that is put beside a thing. Shape (3,)."""
        return self._within.place_beside(thing, target, way)

    def _take(self) -> None:
        if self._job is not None and self._job[2].done():
            self._seen, self._job = self._job, None
