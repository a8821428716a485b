"""What people say while the arm acts: "no, the blue one", "a bit more to the left", "undo"."""

import re
from dataclasses import dataclass
from typing import Literal

DIRECTIONS = {
    "left": r"(to |towards )?(the |your )?left( side)?|leftwards?",
    "right": r"(to |towards )?(the |your )?right( side)?|rightwards?",
    "away": r"away( from you)?|forwards?|back|further away",
    "closer": r"closer( to you)?|towards you(rself)?|nearer( to you)?",
}
_SMALL = r"(just )?(a (little |tiny )?bit|a little|slightly|some|a touch)"
_NO = r"(no|nope|not that( one)?|wrong( one)?|i mean|i meant|sorry|rather)"


@dataclass(frozen=True)
class Correction:
    """What a sentence changes of the instruction before it."""

    kind: Literal["other thing", "other way", "nudge", "undo"]
    words: str = ""
    """The other thing as it was named, or the direction."""


def read_correction(text: str) -> Correction | None:
    """Return what a sentence corrects; None when it stands for itself."""
    plain = " ".join(re.findall(r"[^\W_]+", text.lower()))
    plain = re.sub(r"^(please|robot|now|ok) |( please| robot)$", "", plain)
    if re.fullmatch(r"(no )?(undo|undo (that|it|this)|take (that|it) back)", plain):
        return Correction("undo")
    for name, way in DIRECTIONS.items():
        more = rf"({_SMALL}( more| further)?|more|further)( over)? ({way})"
        if re.fullmatch(rf"({more}|({way}) ({_SMALL}|more))", plain):
            return Correction("nudge", name)
        if re.fullmatch(rf"{_NO}( {_NO})* (push it |turn it |move it )?({way})", plain):
            return Correction("other way", name)
    thing = re.fullmatch(rf"{_NO}( {_NO})* (?P<thing>(the|that|this) .+)", plain)
    return Correction("other thing", thing["thing"]) if thing else None
