"""Sentences about things that the parser has never heard of: it reads them with other words.

The parser knows few nouns, and much of how people speak. So each known name in a sentence is
replaced by a noun of the parser's, and what it understands is told of the thing itself. The
parser decides with nouns which can be carried, and which take others; where a thing can do both,
the reading of which it is surest counts.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vlm_robot_ros.language.replies import LEAST_CONFIDENCE, why_hold
from vlm_robot_ros.language.task_spec import ANY, MISSING, NONE, ObjectReference, TaskSpec
from vlm_robot_ros.policies.sentence_parsing import ParsedSentence, SentenceParser

_CARRIED = ("lemon", "bread", "cube", "cylinder", "bottle")
_TAKING = ("bin", "plate", "bowl")
"""Nouns of the parser that stand for things: for what is carried, for what takes it."""
_MOST_NAMES = 5
"""Names in a sentence; each may stand for either."""
_SURE = 0.95
"""A reading so sure needs no other."""
_DETERMINER = r"(?:the |a |an |that |this )?"


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

    def __init__(self, names: Mapping[str, Sequence[str]], parser: SentenceParser) -> None:
        """Take the names of all things.

        Args:
            names: Of each noun what people say for it, besides the noun.
            parser: Reads the sentences.
        """
        self._parser = parser
        self._noun_of = {
            name.lower(): noun for noun, known in names.items() for name in (noun, *known)
        }
        longest = "|".join(map(re.escape, sorted(self._noun_of, key=len, reverse=True)))
        # "The top of the cabinet" is the cabinet, to what is put there.
        self._names = re.compile(rf"(?:(?<=the )top of the )?\b({longest})\b", re.IGNORECASE)
        self._between = re.compile(
            rf"between {_DETERMINER}({longest}) and {_DETERMINER}({longest})\b", re.IGNORECASE
        )

    def read(self, text: str) -> ReadSentence:
        """Return what a sentence says; of the readings that fit, the surest."""
        text, mentions = self._mentions(text)
        best: tuple[tuple[bool, float], ParsedSentence, dict[str, _Mention]] | None = None
        for words in _stand_ins(len(mentions)):
            parsed = self._parser.parse(_replaced(text, mentions, words))
            meaning = dict(zip(words, mentions, strict=True))
            fits = _is_about(parsed, words)
            if best is None or (fits, parsed.confidence) > best[0]:
                best = ((fits, parsed.confidence), parsed, meaning)
            if fits and parsed.confidence > _SURE:
                break
        assert best is not None
        (fits, confidence), parsed, meaning = best
        if problem := why_hold(parsed.meaning, text, confidence):
            return ReadSentence((), _restored(problem, meaning), confidence)
        if not fits or confidence < LEAST_CONFIDENCE or parsed.meaning.act != "command":
            return ReadSentence((), f"I am not sure what '{text}' asks for", confidence)
        steps, problem = [], ""
        for step in parsed.meaning.steps:
            target = _reference(step.target, meaning)
            reference = _reference(step.reference, meaning)
            problem = problem or _problem(step, target, reference, text)
            steps.append(ThingStep(step.skill, target or _NOTHING, reference or _NOTHING))
        return ReadSentence(() if problem else tuple(steps), problem, confidence)

    def _mentions(self, text: str) -> tuple[str, list[_Mention]]:
        """Return a sentence without what the parser cannot read, and where it names things."""
        pairs: dict[int, tuple[str, bool]] = {}
        while found := self._between.search(text):
            first, second = found.groups()
            begin = text[: found.start()]
            negated = begin.endswith("not ")
            begin = begin.removesuffix("not ") + "next to the "
            pairs[len(begin)] = (self._noun_of[second.lower()], negated)
            text = begin + first + text[found.end() :]
        negations = set[int]()
        for word in re.finditer(r"\bnot (?=(next|on|in|near|left|right|behind|beside)\b)", text):
            negations.add(word.start())
        mentions = []
        for found in self._names.finditer(text):
            between, negated = pairs.get(found.start(), ("", False))
            noun = self._noun_of[found[1].lower()]
            mentions.append(_Mention(found.start(), found.end(), noun, between, negated))
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
        key=lambda each: (abs(each.count("t") - 1), each[-1:] != ("t",)),
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
    for word, mention in meaning.items():
        problem = re.sub(rf"\b{word}\b", mention.noun, problem)
    return problem


def _is_about(parsed: ParsedSentence, words: Sequence[str]) -> bool:
    """Tell whether a meaning has steps, about all the things that the sentence names."""
    used = set()
    for step in parsed.meaning.steps:
        for thing in (step.target, step.reference):
            used.add(thing.noun)
            if thing.landmark is not None:
                used.add(thing.landmark.noun)
    return bool(parsed.meaning.steps) and used >= set(words)


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
