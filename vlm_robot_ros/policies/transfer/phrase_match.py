"""Which thing a phrase means that is no name: by what the parser's encoder makes of it.

A phrase is compared with all names of all things, and with the names of some 500 everyday things;
what is hardly nearer to one thing than to the next, or to another everyday thing, means none. A
general word, such as "container", means a thing where only one of its kinds is there, or the
sentence tells which.
"""

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from vlm_robot_ros import language
from vlm_robot_ros.language.everyday_words import COLOURS, NOUNS
from vlm_robot_ros.policies.sentence_parsing import PhraseEncoder

_KINDS = Path(language.__file__).with_name("everyday_things.txt")
_GENERAL = _KINDS.with_name("general_words.txt")
NEARER = 0.03
"""How much nearer a phrase must be to one thing than to anything else (cosine)."""
_NEXT = 0.01
"""How much nearer than to the next thing it must be, at least (cosine)."""
_OWN_WORDS = frozenset({*COLOURS, *NOUNS} - {"plate", "bowl", "bottle", "milk", "bread", "bin"})
"""What the parser knows itself: these mean no other thing."""


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
        self._there = np.ones(len(self._nouns), bool)
        self._general: dict[str, tuple[str, ...]] = {}

    def among(self, nouns: Collection[str]) -> "PhraseMatcher":
        """Return one that takes nothing for a thing but for one of these."""
        within = copy.copy(self)
        within._there = np.array([noun in nouns for noun in self._nouns])
        there = [noun for noun in self._nouns if noun in nouns]
        within._general = general_words(there)
        return within

    def noun(
        self,
        phrase: str,
        nearer: float = NEARER,
        chosen: Callable[[Sequence[str]], str] = lambda nouns: "",
    ) -> str:
        """Return the noun of the thing that a phrase means; empty if it means none.

        Args:
            phrase: Without "the".
            nearer: How much nearer it must be to the thing than to anything else (cosine); below
                zero for a guess.
            chosen: Returns which of several things a general word means; empty if it is not clear.
        """
        words = phrase.lower().split()
        for start in range(len(words)):
            kinds = self._general.get(" ".join(words[start:]), ())
            if kinds:
                return kinds[0] if len(kinds) == 1 else chosen(kinds)
        if _OWN_WORDS & set(words):
            return ""
        vector = self._encoder.encode_phrases([phrase])[0]
        near = self._vectors @ vector
        best = np.array([near[self._owner == index].max() for index in range(len(self._nouns))])
        first, *rest = np.argsort(-np.where(self._there, best, -1.0))
        rest = [index for index in rest if self._there[index]]
        least = max(
            [(self._others @ vector).max() + nearer, *best[~self._there],
             *(best[rest[:1]] + max(nearer, _NEXT))]
        )  # fmt: skip
        is_it = best[first] >= least and self._there[first]
        return self._nouns[first] if is_it else ""


def general_words(nouns: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the general words for things where only these are there, and their nouns."""
    found = {}
    for line in _GENERAL.read_text(encoding="utf-8").splitlines():
        word, _, kinds = line.partition(":")
        meant = tuple(
            noun for noun in nouns
            if any(f" {noun}".endswith(f" {kind.strip()}") for kind in kinds.split(","))
        )  # fmt: skip
        if meant and not line.startswith("#"):
            found[word] = meant
    return found
