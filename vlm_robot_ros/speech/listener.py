"""Listens to a stream of sound: says at once when "stop" is heard, and what was said after it.

Two threads: while the one finds out what was said, the other hears on.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vlm_robot_ros.control.instruction import is_stop
from vlm_robot_ros.speech.recognition import Heard, Recogniser
from vlm_robot_ros.speech.stop_word import BRIEF, QUIET, StopSpotter
from vlm_robot_ros.speech.voice_activity import RATE, Utterance, VoiceActivity

_BACKLOG = 30.0
"""Sound that waits longer than this is thrown away [s]."""


_PIECE = RATE // 10
"""What is heard at a time [samples]; an utterance is longer."""


class Report(NamedTuple):
    """What came of something that was said."""

    heard: Heard
    send: bool
    """Whether it is an instruction."""
    reason: str
    """Why not."""
    seconds: float
    """Since the speech ended; negative while it goes on."""


class _Task(NamedTuple):
    utterance: Utterance
    over: float
    """When the speech was over, by the steady clock [s]."""
    stops: int
    """How many stops had been heard when it began."""
    talking: bool


@dataclass
class _Hearing:
    """What is known of the utterance that is being said."""

    fed: int = 0
    """Samples that were looked through for a stop."""
    looked: float = 0.0
    """How much speech there was when it was looked at as a whole [s]."""
    stopped: bool = False
    stops: int = 0
    talking: bool = False


class Listener:
    """Takes sound from any thread; reports from its own two."""

    def __init__(
        self, recogniser: Recogniser, report: Callable[[Report], None], min_sureness: float
    ) -> None:
        """Begin to listen.

        Args:
            recogniser: Finds out what was said.
            report: Is called with what was.
            min_sureness: What is less sure is not to be sent.
        """
        self.talking = True
        """Whether what is said now is meant for the arm; a stop always is."""
        self._recogniser, self._report, self._least = recogniser, report, min_sureness
        self._activity, self._spotter = VoiceActivity(), StopSpotter()
        self._sound: queue.Queue[np.ndarray | None] = queue.Queue()
        self._waiting = 0
        self._counting, self._speaking = threading.Lock(), threading.Lock()
        self._tasks: queue.Queue[_Task | None] = queue.Queue()
        self._stops, self._closed = 0, False
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._hear, self._understand)
        ]
        for thread in self._threads:
            thread.start()

    def take(self, samples: np.ndarray) -> bool:
        """Take sound, shape (N,), int16; False where there is too much of it already."""
        with self._counting:
            if self._waiting + len(samples) > _BACKLOG * RATE:
                return False
            self._waiting += len(samples)
        self._sound.put(samples)
        return True

    @property
    def idle(self) -> bool:
        """Whether all sound that was taken has been heard, and what was said understood."""
        return not (self._sound.unfinished_tasks or self._tasks.unfinished_tasks)

    def close(self) -> None:
        """End; what was not understood yet never will be."""
        self._closed = True
        self._sound.put(None)
        self._tasks.put(None)
        for thread in self._threads:
            thread.join(5.0)

    def _hear(self) -> None:
        now = _Hearing()
        while (samples := self._sound.get()) is not None:
            with self._counting:
                self._waiting -= len(samples)
            try:
                for start in range(0, len(samples), _PIECE):
                    self._hear_piece(now, samples[start : start + _PIECE])
            except Exception as error:  # who listens for a stop must not fall silent
                self._report(Report(Heard("", 0.0), False, f"cannot hear: {error!r}", 0.0))
            self._sound.task_done()

    def _hear_piece(self, now: "_Hearing", samples: np.ndarray) -> None:
        activity, spotter = self._activity, self._spotter
        was_speaking = activity.speaking
        over = activity.feed(samples)
        for utterance in over:
            if not now.stopped:
                ended = time.monotonic() - utterance.ended
                self._tasks.put(_Task(utterance, ended, now.stops, now.talking))
        if not activity.speaking:
            return
        if over or not was_speaking:
            spotter.begin()
            now.fed, now.looked, now.stopped = 0, 0.0, False
            now.stops, now.talking = self._stops, self.talking
        now.talking = now.talking or self.talking
        if now.stopped:
            return
        said = activity.current()
        now.stopped = spotter.feed(said.samples[now.fed :])
        now.fed = len(said.samples)
        brief = activity.silence >= QUIET and activity.speech <= BRIEF
        if brief and now.looked < activity.speech and not now.stopped:
            now.looked = activity.speech
            now.stopped = spotter.is_stop(said)
        if now.stopped:
            self._stop(Heard("stop", 1.0), said.ended)

    def _understand(self) -> None:
        while (task := self._tasks.get()) is not None and not self._closed:
            try:
                self._understand_one(task)
            except Exception as error:
                self._report(Report(Heard("", 0.0), False, f"cannot understand: {error!r}", 0.0))
            self._tasks.task_done()

    def _understand_one(self, task: _Task) -> None:
        heard = self._recogniser.hear(task.utterance)
        if self._closed:
            return
        seconds = time.monotonic() - task.over
        reason = ""
        if not heard.text:
            reason = "nothing that can be said to the arm"
        elif heard.sureness < self._least:
            reason = f"not sure enough: {heard.sureness:.2f} of {self._least:.2f}"
        elif is_stop(heard.text):
            self._stop(heard, seconds)
            return
        elif not task.talking:
            reason = "not meant for the arm: nobody pushes to talk"
        with self._speaking:  # between the look for a stop and the word, no stop may slip
            if not reason and task.stops != self._stops:
                reason = "stop was said after it"
            self._report(Report(heard, not reason, reason, seconds))

    def _stop(self, heard: Heard, seconds: float) -> None:
        with self._speaking:
            self._stops += 1
            self._report(Report(heard, True, "", seconds))
