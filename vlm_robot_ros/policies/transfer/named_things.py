"""Sentences about things that the parser has never heard of: it reads them with other words.

The parser knows few nouns, and much of how people speak. So each known name in a sentence is
replaced by a noun of the parser's, and what it understands is told of the thing itself. The
parser decides with nouns which can be carried, and which take others; where a thing can do both,
the reading of which it is surest counts.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from vlm_robot_ros.language.replies import why_hold
from vlm_robot_ros.policies.sentence_parsing import (
    ParsedSentence,
    PhraseEncoder,
    SentenceParser,
)
from vlm_robot_ros.policies.transfer.hinted_requests import hinted_request
from vlm_robot_ros.policies.transfer.meaning_steps import steps_of
from vlm_robot_ros.policies.transfer.mentions import Mention, MentionFinder
from vlm_robot_ros.policies.transfer.noun_phrases import noun_phrases
from vlm_robot_ros.policies.transfer.phrase_match import NEARER, PhraseMatcher, general_words
from vlm_robot_ros.policies.transfer.plain_requests import (
    in_order,
    is_of_another_time,
    is_unwanted,
    may_leave,
    plain_request,
    without_courtesy,
    without_descriptions,
)
from vlm_robot_ros.policies.transfer.proposals import Proposal, proposal_of
from vlm_robot_ros.policies.transfer.stand_ins import replaced, stand_ins
from vlm_robot_ros.policies.transfer.thing_steps import ReadSentence

_SENTENCE = "\0"
"""Stands for the sentence where a problem tells it."""
_SURE = 0.8
"""Readings that are so sure count when it is told whether a sentence is a command."""
_MOST_CHARACTERS = 500
_UNKNOWN_TO_DO = ("unknown action", "every object")
"""Obstacles of the parser's that say that nothing here can do it."""
_PERHAPS, _GUESS = -0.05, -0.25
"""How much nearer a phrase is to what it may mean than to anything else, where the arm asks."""


_UPON = ("on", "in")
"""Relations that putting makes."""


class NamedThings:
    """Reads sentences about things with given names."""

    def __init__(
        self,
        names: Mapping[str, Sequence[str]],
        parser: SentenceParser,
        fixed: Collection[str] = (),
        open_phrases: bool = True,
        proposes: bool = True,
        flat: Collection[str] = (),
    ) -> None:
        """Take the names of all things.

        Args:
            names: Of each noun what people say for it, besides the noun. Where several things
                have a name, it is that of the first which the sentence does not name otherwise.
            parser: Reads the sentences.
            fixed: Nouns of what cannot be carried.
            open_phrases: Whether phrases that are no names may mean the thing that they are
                nearest to.
            proposes: Whether what may be a request is proposed.
            flat: Nouns of flat things: of two things with one name, that which something is put
                on, or which is pushed.
        """
        self._flat = frozenset(flat)
        self._proposes = proposes
        self._parser, self._fixed, self._names = parser, frozenset(fixed), names
        self._mentions = self._all = MentionFinder(names, flat)
        self._phrases: PhraseMatcher | None = None
        if open_phrases and isinstance(parser, PhraseEncoder):
            self._phrases = PhraseMatcher(names, parser)

    def among(self, nouns: Collection[str]) -> "NamedThings":
        """Return a reader of the same, where only things with these nouns are there."""
        there = {noun: [*self._names[noun]] for noun in self._names if noun in nouns}
        for phrase, kinds in general_words(there).items():
            if " " in phrase and len(kinds) == 1:
                there[kinds[0]].append(phrase)
        within = NamedThings(
            there, self._parser, self._fixed, open_phrases=False, proposes=self._proposes,
            flat=self._flat,
        )  # fmt: skip
        within._phrases = self._phrases and self._phrases.among(nouns)
        within._all = self._all
        return within

    def read(self, text: str) -> ReadSentence:
        """Return what a sentence says; of the readings that fit, the surest.

        Where as many sure readings say that it is no command, it is none. What may be a request
        is proposed: see `ReadSentence.proposed`.
        """
        if len(text) > _MOST_CHARACTERS:
            problem = f"a sentence of {len(text)} characters; valid: at most {_MOST_CHARACTERS}"
            return ReadSentence((), problem, 0.0)
        text = re.sub(r"\s+", " ", text).strip()
        read = self._request(text)
        if read.problem and read.knows_action and self._proposes:
            return self._proposed(text, read)
        return read

    def _request(self, text: str) -> ReadSentence:
        """Return what a sentence surely asks for."""
        if is_of_another_time(text):
            return ReadSentence((), f"'{text}' is not about what is to be done now", 0.0)
        courteous = in_order(without_courtesy(text))
        if is_unwanted(courteous):
            problem = f"'{text}' says what is not wanted"
            return ReadSentence((), problem, 0.0, knows_action=may_leave(text))
        read, is_idle = self._read(text, *self._mentions.find(courteous))
        if is_idle:
            return self._hinted(text) or read._replace(asks_nothing=True)
        request = plain_request(courteous)
        if request != courteous:
            plainer, _ = self._read(text, *self._mentions.find(request))
            read = read if plainer.problem else plainer
        if not read.problem:
            return read
        for rest in dict.fromkeys((request, without_descriptions(request, self._mentions.names))):
            plain, mentions = self._mentions.find(rest)
            again, _ = self._read(text, plain, self._described(plain, mentions))
            if not again.problem:
                return again
        return self._hinted(text) or read

    def _proposed(self, text: str, read: ReadSentence) -> ReadSentence:
        """Return what a sentence may ask for, as a question; without that, what was read."""
        text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
        if any(each.noun not in self._names for each in self._all.names_in(text)):
            return read  # what it is about is not there
        for nearer in (NEARER, _PERHAPS, _GUESS):
            mentions = self._described(text, list(self._mentions.names_in(text)), nearer)
            found = proposal_of(text, mentions, self._fixed, read.asks_nothing)
            told = None if found is None else self._request(found.request)
            if found is not None and told is not None and _is_said(told, found):
                asked = f"Shall I {found.request}?"
                why = "" if read.asks_nothing else f"{read.problem}. "
                return read._replace(
                    problem=why + asked, proposed=told.steps, confidence=told.confidence
                )
        return read

    def _hinted(self, text: str) -> ReadSentence | None:
        """Return what a sentence hints at; None if it does not."""
        mentions = list(self._mentions.names_in(text))
        request = hinted_request(text, self._described(text, mentions), self._fixed)
        if not request:
            return None
        plain, mentions = self._mentions.find(request)
        read, _ = self._read(text, plain, self._described(plain, mentions))
        return None if read.problem else read

    def _described(
        self, text: str, mentions: list[Mention], nearer: float = NEARER
    ) -> list[Mention]:
        """Return what a sentence mentions by names, and by other phrases."""
        found = list(mentions)
        for start, end in noun_phrases(text):
            inside = [each for each in mentions if each.start < end and start < each.end]
            if len(inside) == 1 and inside[0].start > start and inside[0].end >= end:
                # Words before a name tell how it is; "the apple from the plate" is no plate.
                if not re.search(r"\b(?:of|for|with|from)\b", text[start : inside[0].start]):
                    found[found.index(inside[0])] = inside[0]._replace(start=start)
            elif not inside and self._phrases is not None:
                noun = self._phrases.noun(
                    text[start:end], nearer, partial(self._of_kinds, text, start, mentions)
                )
                found += [Mention(start, end, noun)] if noun else []
        return sorted(found)

    def _of_kinds(
        self, text: str, start: int, mentions: Sequence[Mention], nouns: Sequence[str]
    ) -> str:
        """Return which of several things a general word means that begins at a place."""
        rest = [noun for noun in nouns if noun not in {each.noun for each in mentions}]
        if len(rest) == 1:
            return rest[0]
        return self._mentions.told_by_context(rest, text, start)

    def _read(
        self, text: str, plain: str, mentions: Sequence[Mention]
    ) -> tuple[ReadSentence, bool]:
        """Return what a sentence with these mentions says, and if it surely asks for nothing."""
        readings = stand_ins(len(mentions), replaced(plain, mentions, [""] * len(mentions)))
        if not readings:
            problem = f"'{text}' names more things than I can tell apart"
            return ReadSentence((), problem, 0.0), False
        best: tuple[tuple[bool, float], ParsedSentence, dict[str, Mention]] | None = None
        balance, idle = 0, ""
        for words in readings:
            parsed = self._parser.parse(replaced(plain, mentions, words))
            meaning = dict(zip(words, mentions, strict=True))
            holds = why_hold(parsed.meaning, _SENTENCE, parsed.confidence)
            fits = not holds and self._fits(parsed, meaning)
            if best is None or (fits, parsed.confidence) > best[0]:
                best = ((fits, parsed.confidence), parsed, meaning)
            if parsed.confidence > _SURE and parsed.meaning.act != "command":
                balance, idle = balance - 1, holds
            elif parsed.confidence > _SURE and fits:
                balance += 1
        assert best is not None
        (fits, confidence), parsed, meaning = best
        problem = why_hold(parsed.meaning, _SENTENCE, confidence)
        is_idle = bool(idle) and balance <= 0
        if is_idle:
            problem = idle
        if problem:
            problem = _restored(problem, meaning).replace(_SENTENCE, text)
            known = is_idle or parsed.meaning.obstacle not in _UNKNOWN_TO_DO
            return ReadSentence((), problem, confidence, knows_action=known), is_idle
        if not fits or parsed.meaning.act != "command":
            problem = f"I am not sure what '{text}' asks for"
            return ReadSentence((), problem, confidence), False
        steps, problem = steps_of(parsed, meaning, text)
        return ReadSentence(steps, problem, confidence), False

    def _fits(self, parsed: ParsedSentence, meaning: Mapping[str, Mention]) -> bool:
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
            where = step.target.landmark
            if where and where.noun == step.reference.noun and step.target.relation in _UPON:
                return False  # it would be there already
        return bool(parsed.meaning.steps) and used >= set(meaning)


def _is_said(read: ReadSentence, proposal: Proposal) -> bool:
    """Tell whether a proposal was read as it was meant."""
    if read.problem or len(read.steps) != 1:
        return False
    (step,) = read.steps
    nouns = (step.target.noun, step.reference.noun, step.target.landmarks)
    meant = (proposal.target, proposal.place, proposal.landmarks)
    return nouns == meant and not step.reference.relation


def _restored(problem: str, meaning: Mapping[str, Mention]) -> str:
    """Return a text of the parser's with the nouns of things for those that stood for them."""
    if not meaning:
        return problem
    words = re.compile(rf"\b({'|'.join(meaning)})\b")
    return words.sub(lambda found: meaning[found[1]].noun, problem)
