"""From texts to instructions: stop words, pace, and which texts count."""

import math
import re
import unicodedata
from dataclasses import replace

from vlm_robot_ros.interfaces.instruction import MIN_PACE, Instruction, InstructionKind

MAX_LENGTH = 300
"""Longer texts are cut here [characters]."""
QUIET_AFTER_STOP_S = 0.5
"""After a stop, a text counts again when none has come for this time [s]."""
REPEAT_WINDOW_S = 1.5
"""A text that comes again within this time is a repetition of a publisher [s]."""
_REMEMBERED_TEXTS = 100
_SHOWN_CHARACTERS = 40
_MAX_READ_CHARACTERS = 100_000
"""A longer text stops the arm: to search this many characters takes 5 ms."""

_PACE_BY_TEXT = {"slower": 0.5, "slow down": 0.5, "slower please": 0.5, "more slowly": 0.5,
          "faster": 2.0,
          "speed up": 2.0, "faster please": 2.0}  # fmt: skip
_WORD = re.compile(r"[^\W_]+")
_STOP_FORMS = (
    r"e?sto+p+(?:s|ed|ing|it)?", r"s[\W_]+t[\W_]+o[\W_]+p", r"halt+(?:s|ed|ing)?",
    r"fre+z(?:e+s?|ed|ing)|froze(?:n)?", r"abort(?:s|ed|ing)?", r"wh?oa+h?",
    r"cancel+(?:s|ed|ing)?",
)  # fmt: skip
"""A sentence with one of these anywhere in it stops the arm: rather once too often."""
_STOP = re.compile(rf"(?<![^\W\d_])(?:{'|'.join(_STOP_FORMS)})(?![^\W\d_])", re.IGNORECASE)
_POLITE_WORDS = (
    r"please|now|ok|okay|hey|hi|robot|arm|panda|so|oh|no|uh|um|just|there|thanks|thank you|"
    r"for me|everybody|can you|could you|will you|would you|can we|let us|lets"
)
_DURATION = r"(?:for )?(?:a|one|two) (?:little )?(?:bit|moment|seconds?|sec|minutes?|min|while)"
_PAUSE = re.compile(
    rf"(?:(?:{_POLITE_WORDS}) )*(?:wait|hold on|hold it|hold still|hang on|pause|(?:{_DURATION}))"
    rf"(?: (?:{_POLITE_WORDS}|up|wait|hold on|hang on|pause|(?:{_DURATION})))*"
)
"""Lower-case sentences that hold the arm when they say nothing else."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+")


def is_stop(text: str) -> bool:
    """Return whether there is a stop word, in any of its forms, anywhere in a text.

    Full-width letters, accents and invisible characters do not hide it.
    """
    if text.isascii():
        return _STOP.search(text) is not None
    plain = unicodedata.normalize("NFKD", text)
    shown = (each for each in plain if unicodedata.category(each) not in ("Cf", "Mn"))
    return _STOP.search("".join(shown)) is not None


def is_pause(text: str) -> bool:
    """Return whether a text asks to wait, and for nothing else: "hold on, please"."""
    words = " ".join(_WORD.findall(text.lower().replace("'", "").replace("\u2019", "")))
    return _PAUSE.fullmatch(words) is not None


def _normalized(text: str) -> str:
    """Return a text in composed characters (NFKC), without invisible and control characters."""
    if not text.isascii():
        plain = unicodedata.normalize("NFKC", text)
        text = "".join(each for each in plain if unicodedata.category(each) != "Cf")
    return _UNPRINTABLE.sub(" ", text).strip()


def next_instruction(last: Instruction, text: str) -> Instruction:
    """Return what `text` makes of the instruction.

    Control characters become spaces. "Wait", "hold on" and "pause", said alone, stop the arm, too.
    """
    clean = _normalized(text[: 4 * MAX_LENGTH])[:MAX_LENGTH]
    if len(text) > _MAX_READ_CHARACTERS:
        clean = f"{clean[:_SHOWN_CHARACTERS]}..., {len(text):,} characters; at most "
        clean += f"{_MAX_READ_CHARACTERS:,} are read"
    words = [word.lower() for word in _WORD.findall(clean)]
    kind = InstructionKind.TASK if words else InstructionKind.EMPTY
    # The whole text is looked through for a stop, also what is cut from it.
    if len(text) > _MAX_READ_CHARACTERS or is_stop(text) or is_pause(clean):
        kind = InstructionKind.STOP
    elif " ".join(words) in _PACE_BY_TEXT:
        # What is done goes on, at another speed.
        return replace(
            last, pace=min(1.0, max(MIN_PACE, last.pace * _PACE_BY_TEXT[" ".join(words)]))
        )
    return Instruction(clean, last.number + 1, kind, last.pace)


class InstructionFilter:
    """Rejects repeated texts, and texts right after a stop. Times in seconds of one clock.

    A stop wins against every text of about the same time, and against a publisher that goes on
    repeating the instruction that the stop ended.
    """

    def __init__(self) -> None:
        self._stopped = False
        """Whether no text has counted since a stop."""
        self._rested = False
        """Whether no text has counted since a reset during repetitions."""
        self._last = self._repeated = -math.inf
        """When the last text came, and when the last repetition came [s]."""
        self._said: dict[str, float] = {}
        """When each of the latest texts came last [s]."""

    def reset(self) -> None:
        """Forget the stop; repetitions, also those after a stop, stay rejected."""
        self._rested = self._stopped or self._last - self._repeated < REPEAT_WINDOW_S
        self._stopped = False

    def rejection_reason(self, before: Instruction, said: Instruction, now: float) -> str:
        """Return why a text does not count; empty when it does.

        Args:
            before: The instruction until now.
            said: What the text would make of it.
            now: [s]
        """
        if said.kind is InstructionKind.EMPTY or said.number == before.number:
            return ""
        pause, again = now - self._last, now - self._said.pop(said.text, -math.inf)
        self._last = self._said[said.text] = now
        repeated = 0 <= again < REPEAT_WINDOW_S
        if repeated:
            self._repeated = now
        if len(self._said) > _REMEMBERED_TEXTS:
            del self._said[next(iter(self._said))]
        if said.kind is InstructionKind.STOP:
            self._stopped = True
            return ""
        # After a clock was set back nobody knows how long anything was ago.
        if self._stopped and 0 <= pause < QUIET_AFTER_STOP_S:
            return (
                f"{pause:.2f} s after a stop or other words; after a stop words count when "
                f"nothing was said for {QUIET_AFTER_STOP_S} s"
            )
        if (self._stopped or self._rested or said.text == before.text) and repeated:
            return f"repeated after {again:.2f} s; what was said before stands"
        self._stopped = self._rested = False
        return ""
