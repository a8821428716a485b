"""Spots "stop" before a sentence is over and understood: in the midst of it, or where it is short.

A stop once too often is better than one too few: what is short, no command, and sounds more like
a stop than like anything else that is short, is one.
"""

from tempfile import NamedTemporaryFile

import numpy as np

from vlm_robot_ros.runtime.instructions import is_stop
from vlm_robot_ros.speech.grammar import SPOKEN_STOPS
from vlm_robot_ros.speech.recognition import (
    NOISE,
    GrammarDecoder,
    TimedWord,
    Transcript,
    denoise,
    find_sentence,
    timed_words,
)
from vlm_robot_ros.speech.voice_activity import SAMPLE_RATE_HZ, Utterance
from vlm_robot_ros.tasks.tasks import SKILL_FAMILIES

MAX_STOP_DURATION_S = 1.2
"""What is no longer than this may be a stop and nothing more [s]."""
MIN_SILENCE_S = 0.2
"""After so much silence it is looked at [s]."""
_KEYWORD_THRESHOLD = 1e-12
"""How unlikely a word may be, to be spotted in the midst of others: with less, others are, too."""
_PARTS = (0.9, 0.6)
"""Parts of the noise that are taken away, one after the other."""
_ALIKE = ("stack", "top")
"""Words that are taken for a stop in the midst of others."""
_OTHERS = (
    "slower", "faster", "slow down", "speed up", "undo", "undo that", "go home", "let go",
    "no", "no the", "yes", "okay", "hello", "hey", "thank you", "right", "left", "robot", "please",
)  # fmt: skip


class StopKeywordSpotter:
    """Listens to one utterance at a time."""

    def __init__(self) -> None:
        """Load the models, which are in pocketsphinx's wheel."""
        from pocketsphinx import Decoder

        self._words = Decoder(samprate=SAMPLE_RATE_HZ, loglevel="FATAL", lm=None)
        with NamedTemporaryFile("w", suffix=".kws") as file:
            file.write(f"stop /{_KEYWORD_THRESHOLD:g}/\n")
            file.flush()
            self._words.add_kws("stop", file.name)
        self._words.activate_search("stop")
        self._short = Decoder(samprate=SAMPLE_RATE_HZ, loglevel="FATAL", lm=None)
        wordings = [skill.verbs(skill.names[0]) for skill in SKILL_FAMILIES.values()]
        others = [*_OTHERS, *(verb for wording in wordings if wording for verb in wording.seen)]
        self._short.add_jsgf_string(
            "short",
            f"#JSGF V1.0; grammar short; <stop> = {SPOKEN_STOPS}; public <said> = "
            "[please | robot | no] <stop> [now | please | it | robot | <stop>] | "
            f"{' | '.join(dict.fromkeys(others))};",
        )
        self._short.activate_search("short")
        self._table = GrammarDecoder()
        self._begun = False
        self.is_stop(NOISE)  # the first time takes seconds

    def begin(self) -> None:
        """Begin with an utterance."""
        if self._begun:
            self._words.end_utt()
        self._words.start_utt()
        self._begun = True

    def feed(self, samples: np.ndarray) -> bool:
        """Return whether a stop was spotted in what was fed since `begin`."""
        self._words.process_raw(samples.tobytes())
        return self._words.hyp() is not None

    @property
    def spotted(self) -> tuple[TimedWord, ...]:
        """The stops that were spotted since `begin`."""
        return timed_words(self._words) if self._words.hyp() else ()

    def is_stop(self, utterance: Utterance) -> bool:
        """Return whether a short utterance is a stop."""
        for part in _PARTS:
            samples = denoise(utterance, part)
            command, _ = self._table.find(samples)
            if is_stop(command or find_sentence(self._short, samples)[0]):
                return True
        return False


def is_false_alarm(spotted: tuple[TimedWord, ...], heard: Transcript) -> bool:
    """Return whether all that was spotted is explained by words that sound like a stop.

    Args:
        spotted: In the midst of an utterance.
        heard: What the whole of it is; who cannot tell when words were said explains nothing.
    """
    alike = [word for word in heard.words if word.word in _ALIKE]
    middles = [(stop.start + stop.end) / 2 for stop in spotted]
    return bool(spotted) and all(
        any(word.start <= middle <= word.end for word in alike) for middle in middles
    )
