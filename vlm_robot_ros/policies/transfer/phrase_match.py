"""Which thing a phrase means that is no name: by what the parser's encoder makes of it.

A phrase is compared with all names of all things, and with the names of some 500 everyday things;
what is hardly nearer to one thing than to the next, or to another everyday thing, means none.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vlm_robot_ros import language
from vlm_robot_ros.language.everyday_words import COLOURS, NOUNS
from vlm_robot_ros.policies.sentence_parsing import PhraseEncoder

_KINDS = Path(language.__file__).with_name("everyday_things.txt")
_NEARER = 0.03
"""How much nearer a phrase must be to one thing than to anything else (cosine)."""
_OWN_WORDS = frozenset({*COLOURS, *NOUNS} - {"plate", "bowl", "bottle", "milk", "bread", "bin"})
"""What the parser knows itself: these mean no other thing."""
_DETERMINERS = r"(?:the|a|an|that|this|some|my|your|our)"
_ENDS = frozenset(
    [
        "is",
        "are",
        "was",
        "were",
        "be",
        "being",
        "been",
        "should",
        "must",
        "needs",
        "need",
        "has",
        "have",
        "had",
        "goes",
        "go",
        "belongs",
        "ought",
        "to",
        "that",
        "which",
        "who",
        "whose",
        "where",
        "on",
        "onto",
        "in",
        "into",
        "inside",
        "at",
        "atop",
        "over",
        "under",
        "beneath",
        "above",
        "next",
        "beside",
        "near",
        "by",
        "from",
        "off",
        "up",
        "down",
        "out",
        "away",
        "and",
        "or",
        "but",
        "so",
        "then",
        "please",
        "than",
        "it",
        "its",
        "there",
        "here",
        "in",
        "front",
        "behind",
        "between",
        "across",
        "around",
        "along",
        "as",
        "if",
        "when",
        "while",
        "until",
        "because",
        "with",
        "without",
        "for",
        "of",
        "can",
        "could",
        "would",
        "will",
        "may",
        "might",
        "not",
        "now",
        "down",
        "onto",
        "upon",
        "against",
        "toward",
        "towards",
        "through",
        "put",
        "place",
        "set",
        "move",
        "take",
    ]
)
"""Words that are no part of the name of a thing."""
_PARTS = frozenset(
    [
        "top",
        "front",
        "back",
        "side",
        "edge",
        "rim",
        "middle",
        "center",
        "centre",
        "left",
        "right",
        "surface",
        "inside",
        "interior",
        "corner",
        "rear",
        "end",
        "way",
        "place",
        "spot",
        "position",
        "table",
        "floor",
        "counter",
        "countertop",
        "tabletop",
        "room",
        "robot",
        "arm",
        "gripper",
        "hand",
        "task",
        "thing",
        "things",
        "one",
        "object",
        "item",
    ]
)
"""Parts and places that are no things of their own."""


class PhraseMatcher:
    """Tells which thing a phrase means."""

    def __init__(self, names: Mapping[str, Sequence[str]], encoder: PhraseEncoder) -> None:
        """Take the names of all things, by noun, and what encodes phrases."""
        self._encoder = encoder
        self._nouns = list(names)
        own = [(noun, name) for noun, known in names.items() for name in (noun, *known)]
        self._owner = np.array([self._nouns.index(noun) for noun, _ in own])
        self._vectors = encoder.encode_phrases([name for _, name in own])
        known = {name.lower() for _, name in own}
        lines = _KINDS.read_text(encoding="utf-8").splitlines()
        kinds = [kind.strip() for line in lines if line[0] != "#" for kind in line.split(",")]
        self._others = encoder.encode_phrases([kind for kind in kinds if kind not in {*known, ""}])

    def noun(self, phrase: str) -> str:
        """Return the noun of the thing that a phrase means; empty if it means none."""
        if _OWN_WORDS & set(phrase.lower().split()):
            return ""
        vector = self._encoder.encode_phrases([phrase])[0]
        near = self._vectors @ vector
        best = np.array([near[self._owner == index].max() for index in range(len(self._nouns))])
        first, *rest = np.argsort(-best)
        other = max([*best[rest[:1]], (self._others @ vector).max()])
        return self._nouns[first] if best[first] >= other + _NEARER else ""


def noun_phrases(text: str) -> list[tuple[int, int]]:
    """Return from where to where a text may name things, without "the"."""
    found = []
    for begin in re.finditer(rf"\b{_DETERMINERS} (?=[a-z])", text, re.IGNORECASE):
        end = _end_of_phrase(text, begin.end())
        words = text[begin.end() : end].lower().split()
        if not words:
            continue
        joined = re.compile(rf" (?:of|for|with|from) (?:{_DETERMINERS} )?", re.I).match(text, end)
        if words[-1] not in _PARTS and joined is not None:
            further = _end_of_phrase(text, joined.end())
            last = text[joined.end() : further].lower().split()[-1:]
            if last and last[0] not in _PARTS:
                end = further
        if words[-1] not in _PARTS:
            found.append((begin.end(), end))
    return [
        span for span in found
        if not any(other != span and other[0] <= span[0] and span[1] <= other[1]
                   for other in found)
    ]  # fmt: skip


def _end_of_phrase(text: str, start: int) -> int:
    end = start
    for count, word in enumerate(re.finditer(r"[a-z0-9'-]+", text[start:], re.IGNORECASE)):
        said = word[0].lower()
        glued = text[end : start + word.start()].strip(" ") == "" or (
            count > 0 and text[end : start + word.start()] == ", " and said.endswith("coloured")
        )
        if not glued or said in _ENDS or count == 5:
            break
        if count and "-" not in said and re.search(r"(?:ed|ing|ly)$", said):
            break
        end = start + word.end()
    return end
