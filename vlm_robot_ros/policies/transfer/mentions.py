"""Where a sentence names things: the names, with what describes them."""

import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from vlm_robot_ros.language.task_spec import COLOUR_SLOT, SELECTORS

_DESCRIBED = r"(?:the |a |an |that |this )?(?:[a-z-]+ ){0,2}?"
"""What stands before the name of a thing."""
_PACKING = (
    r"(?:box|carton|can|tin|bottle|flask|packet|pack|package|jar|stick|container|bag|block|tub"
    r"|vessel)"
)
"""What food comes in: the arm takes it with that."""
_TELLING = frozenset(
    {*COLOUR_SLOT, *SELECTORS, "black", "white", "grey", "gray", "brown", "silver", "gold", "left",
     "right", "top", "middle", "bottom", "upper", "lower", "first", "second", "third", "other",
     "one", "and", "or", "but", "of", "on", "in", "into", "onto", "to", "at", "from", "for",
     "with", "by", "off", "over", "under", "next", "beside", "near", "behind", "between", "is",
     "are", "was", "be", "that", "which", "who", "not", "no", "should", "needs", "need", "goes",
     "go", "put", "place", "set", "move", "take", "it", "its", "up", "down", "same"}
)  # fmt: skip
"""Words before a name that are more than a description, or that tell things apart."""


_THE = r"(?:(?:the|a|an|that|this|my|your) )?(?:[a-z-]+ ){0,2}?"
_HOLLOW = re.compile(
    rf"\b(?:(?:in|into|inside|within) {_THE}|(?:deep|hollow|concave) (?:[a-z-]+ )?)$",
    re.IGNORECASE,
)
_FLAT = re.compile(
    rf"\b(?:(?:on|onto|upon|atop|on top of) {_THE}|(?:flat|shallow) (?:[a-z-]+ )?)$", re.IGNORECASE
)
_PUSHED = re.compile(
    r"\b(?:push|slid|shov|glid|nudg|scoot|advanc|eas|drag)(?:e|es|ed|ing|ging)?\b", re.IGNORECASE
)
"""What tells that a name means something hollow, or something flat."""
_DETAIL = re.compile(r",? (?:with|of) (?:[a-z0-9-]+ ){0,3}|[ -]", re.IGNORECASE)
"""Words between two names of one thing: "the cabinet with three drawers"."""
_COMPOUND = re.compile(r"(?:[ -]|-shaped |[ -](?:storage|display|holding) )", re.IGNORECASE)
"""Words between a name and what it tells the kind of: "the wine storage rack"."""


class Mention(NamedTuple):
    """A name in a sentence: from where to where, of what."""

    start: int
    end: int
    noun: str
    between: str = ""
    """The noun after it, of "between the plate and the ramekin"."""
    negated: bool = False


class MentionFinder:
    """Finds the names of things in sentences."""

    def __init__(self, names: Mapping[str, Sequence[str]], flat: Collection[str] = ()) -> None:
        """Take the names of all things, and which are flat: see `NamedThings`."""
        self._flat = frozenset(flat)
        self._nouns_of: dict[str, list[str]] = {}
        for noun, known in names.items():
            for name in (noun, *known):
                self._nouns_of.setdefault(name.lower(), []).append(noun)
        # What is a better name of one thing than of another means that one first.
        ranks = {noun: [noun, *known] for noun, known in names.items()}
        for name, nouns in self._nouns_of.items():
            nouns.sort(key=lambda noun: [each.lower() for each in ranks[noun]].index(name))
        known = "|".join(map(re.escape, sorted(self._nouns_of, key=len, reverse=True)))
        # "The top of the cabinet" is the cabinet, to what is put there; who says "stand the
        # bottle" names no stand.
        self.names = re.compile(
            r"(?:(?<=the )top of the )?\b(?!stand (?:the|a|an|it|that|this|my)\b)"
            rf"(?:{_PACKING} of (?:the )?)?({known})(?: {_PACKING})?\b",
            re.IGNORECASE | re.ASCII,
        )
        self._between = re.compile(
            rf"between {_DESCRIBED}({known}) and {_DESCRIBED}({known})\b",
            re.IGNORECASE | re.ASCII,
        )

    def find(self, text: str) -> tuple[str, list[Mention]]:
        """Return a sentence without what the parser cannot read, and where it names things."""
        text = re.sub(r"\b(is|are|was|were)n't\b", r"\1 not", text)
        pairs: dict[int, tuple[str, bool]] = {}
        while found := self._between.search(text):
            first, second = found.groups()
            begin = text[: found.start()]
            negated = begin.endswith("not ")
            begin = begin.removesuffix("not ") + "next to the "
            pairs[len(begin)] = (self._nouns_of[second.lower()][0], negated)
            text = begin + first + text[found.end() :]
        negations = set[int]()
        for word in re.finditer(r"\bnot (?=(next|on|in|near|left|right|behind|beside)\b)", text):
            negations.add(word.start())
        mentions = self.names_in(text, pairs)
        for place in sorted(negations):
            after = next((i for i, each in enumerate(mentions) if each.start > place), None)
            if after is None:
                negations.discard(place)  # the parser is to read it
            else:
                mentions[after] = mentions[after]._replace(negated=True)
        for place in sorted(negations, reverse=True):
            text = text[:place] + text[place + 4 :]
            mentions = [
                each._replace(start=each.start - 4, end=each.end - 4)
                if each.start > place else each for each in mentions
            ]  # fmt: skip
        return text, mentions

    def names_in(
        self, text: str, pairs: Mapping[int, tuple[str, bool]] = MappingProxyType({})
    ) -> list[Mention]:
        """Return where a text names things; `pairs`: what a name at a place is "between"."""
        matches = list(self.names.finditer(text))
        certain = {nouns[0] for each in matches
                   if len(nouns := self._nouns_of[each[1].lower()]) == 1}  # fmt: skip
        mentions = list[Mention]()
        for found in matches:
            between, negated = pairs.get(found.start(1), ("", False))
            nouns = self._nouns_of[found[1].lower()]
            uncertain = [each for each in nouns if each not in certain] or nouns[:1]
            noun = self.told_by_context(uncertain, text, found.start()) or uncertain[0]
            start = _begin_of_phrase(text, found.start())
            if mentions and _are_one(text, mentions[-1], noun, found.start()):
                start = mentions.pop().start
            elif mentions and start < mentions[-1].end:
                start = found.start()
            mentions.append(Mention(start, found.end(), noun, between, negated))
        return mentions

    def told_by_context(self, nouns: Sequence[str], text: str, start: int) -> str:
        """Return which of several things a name at a place means; empty where nothing tells.

        What is called deep, or has something in it, is not flat; what is called shallow, has
        something on it, or is pushed is flat.
        """
        before = text[:start]
        if _HOLLOW.search(before):
            told = [noun for noun in nouns if noun not in self._flat]
        elif _FLAT.search(before) or _PUSHED.search(text):
            told = [noun for noun in nouns if noun in self._flat]
        else:
            told = []
        return told[0] if told else ""


def _are_one(text: str, before: Mention, noun: str, start: int) -> bool:
    """Tell whether a name that begins at a place is of the thing that was named just before."""
    between = text[before.end : start]
    words = _COMPOUND if before.noun != noun else _DETAIL
    return words.fullmatch(between) is not None


def _begin_of_phrase(text: str, start: int) -> int:
    """Return where a name begins together with what describes it: "the small round" plate."""
    before = re.search(
        r"\b(?:the|a|an|that|this|my|your)((?: [a-z-]+){1,3}) $", text[:start], re.I
    )
    if before is None or _TELLING & set(before[1].lower().split()):
        return start
    return before.start(1) + 1
