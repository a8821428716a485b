"""Listens to a stream of sound: says at once when "stop" is heard, and what was said after it.

Two threads: while the one finds out what was said, the other hears on. What was taken for a stop
has stopped the arm; where it turns out to be another word of a sentence that is sure, that counts.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vlm_robot_ros.runtime.instructions import is_stop
from vlm_robot_ros.speech.keyword_spotter import (
    MAX_STOP_DURATION_S,
    MIN_SILENCE_S,
    StopKeywordSpotter,
    is_false_alarm,
)
from vlm_robot_ros.speech.recognition import Recogniser, TimedWord, Transcript
from vlm_robot_ros.speech.voice_activity import SAMPLE_RATE_HZ, Utterance, VoiceActivity

_MAX_BACKLOG_S = 30.0
"""Sound that waits longer than this is thrown away [s]."""


_BLOCK_SAMPLES = SAMPLE_RATE_HZ // 10
"""What is heard at a time [samples]; an utterance is longer."""


class SpeechResult(NamedTuple):
    """What came of something that was said."""

    heard: Transcript
    send: bool
    """Whether it is an instruction."""
    reason: str
    """Why not."""
    seconds: float
    """Since the speech ended; negative while it goes on."""
    is_fault: bool = False
    """Whether the recogniser failed."""


class _Task(NamedTuple):
    utterance: Utterance
    over: float
    """When the speech was over, by the steady clock [s]."""
    stops: int
    """How many stops had been heard when it began, or with it."""
    talking: bool
    spotted: tuple[TimedWord, ...] | None
    """What was taken for stops in its midst; None where nothing was."""


@dataclass
class _UtteranceState:
    """What is known of the utterance that is being said."""

    fed: int = 0
    """Samples that were looked through for a stop."""
    looked: float = 0.0
    """How much speech there was when it was looked at as a whole [s]."""
    stopped: bool = False
    spotted: bool = False
    """Whether it was a stop in its midst that stopped."""
    stops: int = 0
    talking: bool = False


class SpeechPipeline:
    """Takes sound from any thread; reports from its own two."""

    def __init__(
        self, recogniser: Recogniser, report: Callable[[SpeechResult], None], min_sureness: float
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
        self._activity, self._spotter = VoiceActivity(), StopKeywordSpotter()
        self._sound: queue.Queue[np.ndarray | None] = queue.Queue()
        self._waiting = 0
        self._counting, self._speaking = threading.Lock(), threading.Lock()
        self._tasks: queue.Queue[_Task | None] = queue.Queue()
        self._stops, self._closed = 0, False
        self._threads = [
            threading.Thread(target=work, daemon=True)
            for work in (self._run, self._recognise_utterances)
        ]
        for thread in self._threads:
            thread.start()

    def add_audio(self, samples: np.ndarray) -> bool:
        """Take sound, shape (N,), int16; False where there is too much of it already."""
        with self._counting:
            if self._waiting + len(samples) > _MAX_BACKLOG_S * SAMPLE_RATE_HZ:
                return False
            self._waiting += len(samples)
        self._sound.put(samples)
        return True

    def wait(self) -> None:
        """Wait until all sound that was taken has been heard, and what was said understood."""
        self._sound.join()
        self._tasks.join()

    def close(self) -> None:
        """End; what was not understood yet never will be."""
        self._closed = True
        self._sound.put(None)
        self._tasks.put(None)
        for thread in self._threads:
            thread.join(5.0)

    def _run(self) -> None:
        now = _UtteranceState()
        while (samples := self._sound.get()) is not None:
            with self._counting:
                self._waiting -= len(samples)
            try:
                for start in range(0, len(samples), _BLOCK_SAMPLES):
                    self._process_block(now, samples[start : start + _BLOCK_SAMPLES])
            except Exception as error:  # who listens for a stop must not fall silent
                self._report(
                    SpeechResult(Transcript("", 0.0), False, f"cannot hear: {error!r}", 0.0, True)
                )
            self._sound.task_done()

    def _process_block(self, now: "_UtteranceState", samples: np.ndarray) -> None:
        activity, spotter = self._activity, self._spotter
        was_speaking = activity.speaking
        over = activity.feed(samples)
        for utterance in over:
            if not now.stopped or now.spotted:
                ended = time.monotonic() - utterance.ended
                spotted = spotter.spotted if now.stopped else None
                self._tasks.put(_Task(utterance, ended, now.stops, now.talking, spotted))
        if not activity.speaking:
            return
        if over or not was_speaking:
            spotter.begin()
            now.fed, now.looked, now.stopped, now.spotted = 0, 0.0, False, False
            now.stops, now.talking = self._stops, self.talking
        now.talking = now.talking or self.talking
        said = activity.current()
        hit = spotter.feed(said.samples[now.fed :])
        now.fed = len(said.samples)
        if now.stopped:
            return
        now.stopped = now.spotted = hit
        brief = activity.silence >= MIN_SILENCE_S and activity.speech <= MAX_STOP_DURATION_S
        if brief and now.looked < activity.speech and not now.stopped:
            now.looked = activity.speech
            now.stopped = spotter.is_stop(said)
        if now.stopped:
            now.stops += 1
            self._report_stop(Transcript("stop", 1.0), said.ended)

    def _recognise_utterances(self) -> None:
        while (task := self._tasks.get()) is not None and not self._closed:
            try:
                self._recognise_utterance(task)
            except Exception as error:
                self._report(
                    SpeechResult(
                        Transcript("", 0.0), False, f"cannot understand: {error!r}", 0.0, True
                    )
                )
            self._tasks.task_done()

    def _recognise_utterance(self, task: _Task) -> None:
        heard = self._recogniser.transcribe(task.utterance)
        if self._closed:
            return
        seconds = time.monotonic() - task.over
        sure = bool(heard.text) and heard.confidence >= self._least and not is_stop(heard.text)
        if task.spotted is not None and not (sure and is_false_alarm(task.spotted, heard)):
            return  # it was a stop, and it has stopped
        reason = ""
        if not heard.text:
            reason = "nothing that can be said to the arm"
        elif heard.confidence < self._least:
            reason = f"not sure enough: {heard.confidence:.2f} of {self._least:.2f}"
        elif is_stop(heard.text):
            self._report_stop(heard, seconds)
            return
        elif not task.talking:
            reason = "not meant for the arm: nobody pushes to talk"
        with self._speaking:  # between the look for a stop and the word, no stop may slip
            if not reason and task.stops != self._stops:
                reason = "stop was said after it"
            self._report(SpeechResult(heard, not reason, reason, seconds))

    def _report_stop(self, heard: Transcript, seconds: float) -> None:
        with self._speaking:
            self._stops += 1
            self._report(SpeechResult(heard, True, "", seconds))
