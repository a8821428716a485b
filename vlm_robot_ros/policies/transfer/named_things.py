"""Sentences about things that the parser has never heard of: it reads them with other words.

The parser knows few nouns, and much of how people speak. So each known name in a sentence is
replaced by a noun of the parser's, and what it understands is told of the thing itself. The
parser decides with nouns which can be carried, and which take others; where a thing can do both,
the reading of which it is surest counts.
"""

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vlm_robot_ros.language.replies import why_hold
from vlm_robot_ros.language.task_spec import (
    ANY,
    MISSING,
    NONE,
    SELECTORS,
    ObjectReference,
    TaskSpec,
)
from vlm_robot_ros.policies.sentence_parsing import ParsedSentence, SentenceParser
from vlm_robot_ros.tasks.objects import COLOURS

_CARRIED = ("lemon", "bread", "cube", "cylinder", "bottle")
_TAKING = ("bin", "plate", "bowl")
"""Nouns of the parser that stand for things: for what is carried, for what takes it."""
_SENTENCE = "\0"
"""Stands for the sentence where a problem tells it."""
_MOST_NAMES = 5
"""Names in a sentence; each may stand for either."""
_SURE = 0.95
"""A reading so sure needs no other."""
_DESCRIBED = r"(?:the |a |an |that |this )?(?:[a-z-]+ ){0,2}?"
"""What stands before the name of a thing."""
_PACKING = r"(?:box|carton|can|tin|bottle|packet|pack|package|jar|stick|container|bag|block|tub)"
"""What food comes in: the arm takes it with that."""
_PERMISSION = re.compile(
    r"^(?:please )?(?:feel free to|you(?: are|'re) (?:free|welcome|allowed) to|you may(?: now)?) ",
    re.IGNORECASE,
)
"""What makes of a command a polite one."""
_TELLING = frozenset(
    {*COLOURS, *SELECTORS, "black", "white", "grey", "gray", "brown", "silver", "gold", "left",
     "right", "top", "middle", "bottom", "upper", "lower", "first", "second", "third", "other",
     "one", "and", "or", "but", "of", "on", "in", "into", "onto", "to", "at", "from", "for",
     "with", "by", "off", "over", "under", "next", "beside", "near", "behind", "between", "is",
     "are", "was", "be", "that", "which", "who", "not", "no", "should", "needs", "need", "goes",
     "go", "put", "place", "set", "move", "take", "it", "its", "up", "down", "same"}
)  # fmt: skip
"""Words before a name that are more than a description, or that tell things apart."""


@dataclass(frozen=True)
class ThingReference:
    """A thing as a sentence names it."""

    noun: str = ""
    """Of the things that there are; empty where the sentence speaks of none."""
    selector: str = ""
    """One of `task_spec.SELECTORS`, or nothing."""
    relation: str = ""
    """One of `task_spec.RELATIONS` or "between": where it is from `landmarks`; or nothing."""
    landmarks: tuple[str, ...] = ()
    """Nouns: one, of "between" two."""
    negated: bool = False
    """Whether it is the one that is not there."""


@dataclass(frozen=True)
class ThingStep:
    """One step of a sentence."""

    skill: str
    """One of `tasks.SKILLS`."""
    target: ThingReference
    reference: ThingReference = ThingReference()


class ReadSentence(NamedTuple):
    """What a sentence says of things."""

    steps: tuple[ThingStep, ...]
    problem: str
    """Why the sentence cannot be followed; empty if it can."""
    confidence: float


class _Mention(NamedTuple):
    start: int
    end: int
    noun: str
    between: str = ""
    """The noun after it, of "between the plate and the ramekin"."""
    negated: bool = False


class NamedThings:
    """Reads sentences about things with given names."""

    def __init__(
        self,
        names: Mapping[str, Sequence[str]],
        parser: SentenceParser,
        fixed: Collection[str] = (),
    ) -> None:
        """Take the names of all things.

        Args:
            names: Of each noun what people say for it, besides the noun. Where several things
                have a name, it is that of the first which the sentence does not name otherwise.
            parser: Reads the sentences.
            fixed: Nouns of what cannot be carried.
        """
        self._parser, self._fixed = parser, frozenset(fixed)
        self._nouns_of: dict[str, list[str]] = {}
        for noun, known in names.items():
            for name in (noun, *known):
                self._nouns_of.setdefault(name.lower(), []).append(noun)
        known = "|".join(map(re.escape, sorted(self._nouns_of, key=len, reverse=True)))
        # "The top of the cabinet" is the cabinet, to what is put there.
        self._names = re.compile(
            rf"(?:(?<=the )top of the )?\b(?:{_PACKING} of (?:the )?)?({known})(?: {_PACKING})?\b",
            re.IGNORECASE,
        )
        self._between = re.compile(
            rf"between {_DESCRIBED}({known}) and {_DESCRIBED}({known})\b", re.IGNORECASE
        )

    def read(self, text: str) -> ReadSentence:
        """Return what a sentence says; of the readings that fit, the surest."""
        plain, mentions = self._mentions(_PERMISSION.sub("", text))
        best: tuple[tuple[bool, float], ParsedSentence, dict[str, _Mention]] | None = None
        for words in _stand_ins(len(mentions)):
            parsed = self._parser.parse(_replaced(plain, mentions, words))
            meaning = dict(zip(words, mentions, strict=True))
            holds = why_hold(parsed.meaning, _SENTENCE, parsed.confidence)
            fits = not holds and self._fits(parsed, meaning)
            if best is None or (fits, parsed.confidence) > best[0]:
                best = ((fits, parsed.confidence), parsed, meaning)
            if fits and parsed.confidence > _SURE:
                break
        assert best is not None
        (fits, confidence), parsed, meaning = best
        if problem := why_hold(parsed.meaning, _SENTENCE, confidence):
            problem = _restored(problem, meaning).replace(_SENTENCE, text)
            return ReadSentence((), problem, confidence)
        if not fits or parsed.meaning.act != "command":
            return ReadSentence((), f"I am not sure what '{text}' asks for", confidence)
        steps, problem = [], ""
        for step in parsed.meaning.steps:
            target = _reference(step.target, meaning)
            reference = _reference(step.reference, meaning)
            problem = problem or _problem(step, target, reference, text)
            steps.append(ThingStep(step.skill, target or _NOTHING, reference or _NOTHING))
        return ReadSentence(() if problem else tuple(steps), problem, confidence)

    def _fits(self, parsed: ParsedSentence, meaning: Mapping[str, _Mention]) -> bool:
        """Tell whether a meaning is about all that is named, and carries nothing to itself."""
        used = set()
        for step in parsed.meaning.steps:
            for thing in (step.target, step.reference):
                used.add(thing.noun)
                if thing.landmark is not None:
                    used.add(thing.landmark.noun)
            target, reference = (
                meaning.get(thing.noun) for thing in (step.target, step.reference)
            )
            if target is not None and target.noun in self._fixed:
                return False
            if target is not None and reference is not None and target.noun == reference.noun:
                return False
        return bool(parsed.meaning.steps) and used >= set(meaning)

    def _mentions(self, text: str) -> tuple[str, list[_Mention]]:
        """Return a sentence without what the parser cannot read, and where it names things."""
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
        matches = list(self._names.finditer(text))
        certain = {nouns[0] for each in matches
                   if len(nouns := self._nouns_of[each[1].lower()]) == 1}  # fmt: skip
        mentions = []
        for found in matches:
            between, negated = pairs.get(found.start(1), ("", False))
            nouns = self._nouns_of[found[1].lower()]
            noun = next((each for each in nouns if each not in certain), nouns[0])
            start = _begin_of_phrase(text, found.start())
            mentions.append(_Mention(start, found.end(), noun, between, negated))
        for place in negations:
            after = next((i for i, each in enumerate(mentions) if each.start > place), None)
            if after is not None:
                mentions[after] = mentions[after]._replace(negated=True)
        for place in sorted(negations, reverse=True):
            text = text[:place] + text[place + 4 :]
            mentions = [
                each._replace(start=each.start - 4, end=each.end - 4)
                if each.start > place else each for each in mentions
            ]  # fmt: skip
        return text, mentions[:_MOST_NAMES]


_NOTHING = ThingReference()


def _stand_ins(count: int) -> list[tuple[str, ...]]:
    """Return the words that may stand for the names of a sentence, the likeliest first.

    What is named last mostly takes what is named before.
    """
    found = []
    kinds = sorted(
        itertools.product("ct", repeat=count),
        key=lambda each: (abs(each.count("t") - min(1, count - 1)), each[-1:] != ("t",)),
    )
    for each in kinds:
        if each.count("t") > len(_TAKING):
            continue
        carried, taking = iter(_CARRIED), iter(_TAKING)
        found.append(tuple(next(carried if kind == "c" else taking) for kind in each))
    return found


def _replaced(text: str, mentions: Sequence[_Mention], words: Sequence[str]) -> str:
    parts, last = [], 0
    for mention, word in zip(mentions, words, strict=True):
        parts += [text[last : mention.start], word]
        last = mention.end
    return "".join([*parts, text[last:]])


def _restored(problem: str, meaning: Mapping[str, _Mention]) -> str:
    """Return a text of the parser's with the nouns of things for those that stood for them."""
    for word, mention in meaning.items():
        problem = re.sub(rf"\b{word}\b", mention.noun, problem)
    return problem


def _begin_of_phrase(text: str, start: int) -> int:
    """Return where a name begins together with what describes it: "the small round" plate."""
    before = re.search(
        r"\b(?:the|a|an|that|this|my|your)((?: [a-z-]+){1,3}) $", text[:start], re.I
    )
    if before is None or _TELLING & set(before[1].lower().split()):
        return start
    return before.start(1) + 1


def _reference(thing: ObjectReference, meaning: Mapping[str, _Mention]) -> ThingReference | None:
    """Return a thing by its own noun; None where it is none of those that there are."""
    if thing.noun == NONE:
        return _NOTHING
    mention = meaning.get(thing.noun)
    if mention is None or thing.excluded or thing.alternative or thing.colour != ANY:
        return None
    if thing.landmark is None:
        return ThingReference(mention.noun, thing.selector)
    landmark = meaning.get(thing.landmark.noun)
    if landmark is None:
        return None
    if landmark.between:
        around = (landmark.noun, landmark.between)
        return ThingReference(mention.noun, "", "between", around, landmark.negated)
    return ThingReference(mention.noun, "", thing.relation, (landmark.noun,), landmark.negated)


def _problem(
    step: TaskSpec,
    target: ThingReference | None,
    reference: ThingReference | None,
    text: str,
) -> str:
    for thing, found in ((step.target, target), (step.reference, reference)):
        if thing.noun == MISSING:
            return f"'{text}' does not say all that is needed to {step.skill}"
        if found is None:
            return f"I do not know what '{text}' is about"
    return ""
