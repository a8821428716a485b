"""What a sentence that is no clear request may ask for, so that the arm can propose it.

"Is the bowl on the plate yet?" may be a question or a request (Searle 1975, "Indirect speech
acts"). The arm does not guess: it asks "Shall I put the bowl on the plate?" and acts when the next
instruction is "yes". What may ask for something (`implied_requests`), and names one thing and one
place for it, is proposed.
"""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from vlm_robot_ros.policies.transfer.implied_requests import may_ask
from vlm_robot_ros.policies.transfer.mentions import Mention

_FLAGS = re.IGNORECASE | re.ASCII
_PLACE_WORDS = {
    "on top of": "on", "in front of": "in front of", "at the front of": "in front of",
    "to the front of": "in front of", "the front of": "in front of",
    "to the left of": "to the left of",
    "to the right of": "to the right of", "next to": "next to", "beside": "next to",
    "behind": "behind", "inside of": "in", "inside": "in", "into": "in", "in": "in", "onto": "on",
    "on": "on", "atop": "on", "upon": "on", "to": "on",
    "missing from": "on", "absent from": "on",
}  # fmt: skip
"""Words before a place, and what the proposal says for them."""
_THE = r"(?:the|a|an|that|this|my|your|our|its)"
_BEFORE_PLACE = re.compile(
    rf"(?<!close )(?<!near )(?<!next )\b(?P<word>{'|'.join(_PLACE_WORDS)}) (?:{_THE} )?"
    rf"(?:(?:top|surface|inside|middle) of (?:{_THE} )?)?$",
    _FLAGS,
)
_BEFORE_OTHERS = re.compile(
    rf"\b(?:by|near|from|under|underneath|below|beneath|of|off|with|at|over|above|between"
    rf"|around|against|like|than|close to|or|and) (?:{_THE} )?$",
    _FLAGS,
)
"""Words before what is neither carried nor a place for it."""
_TELLS_WHICH = re.compile(
    rf"^,? (?:(?:that|which)(?: is|'s)? |that's )?(?:sitting |lying |standing |resting |placed )?"
    rf"(?:next to|on top of|between|beside|near|on|in|by) (?:{_THE} )?$",
    _FLAGS,
)
"""Words between a thing and what tells which of several it is."""
_TELLS_OF = re.compile(
    r" (?:is|are|has|have|belongs|looks|seems|smells|costs|catches)\b"
    r"(?! (?:missing|not|supposed|meant|to be)\b)",
    _FLAGS,
)
"""Words after a thing and where it is that tell how it is."""
_AND = re.compile(rf"^ and (?:{_THE} )?$", _FLAGS)
"""Words between two landmarks."""
_DESCRIBED = re.compile(rf"\b{_THE} ((?:[a-z-]+ ){{1,3}})$", _FLAGS)
"""Words between "the" and a name, such as "left"."""
_PLACE_FIRST = re.compile(
    r"\b(?:without|missing|misses|lack(?:s|ing)?|needs?|requires?|awaits?|wait(?:s|ing) for"
    r"|ready for|empty|bare|where|with no|has (?:still |currently )?no)\b",
    _FLAGS,
)
"""Words after a place, of sentences that name the thing last: "the plate is still without it"."""
_INTO = re.compile(r"\b(?:in|inside|into|within)(?: it)?[.?! ]*$", _FLAGS)
"""Ends of sentences that name a container first: "with no bowl in it"."""

_AGREES = re.compile(
    r"(?:(?:ok|okay|oh|ah|well|please|thanks|thank you|robot|now|right|sure|then|that is right"
    r"|that's right|yes|yeah|yep|yup|go ahead|do it|do that|do so|please do) ?)+"
)
_YES = re.compile(r"\b(?:yes|yeah|yep|yup|go ahead|do (?:it|that|so)|please do)\b")
"""One of these is a yes. "Okay" and "sure" are not: people say them to each other."""


class Proposal(NamedTuple):
    """What may be asked for."""

    request: str
    """In plain words: "put the bowl on the plate"."""
    target: str
    """Noun of what is carried."""
    place: str
    """Noun of where it is put."""
    landmarks: tuple[str, ...]
    """Nouns of what tells which of several the target is."""


def proposal_of(
    text: str, mentions: Sequence[Mention], fixed: Collection[str], asks_nothing: bool
) -> Proposal | None:
    """Return what a sentence may ask for; None if nothing.

    Args:
        text: The sentence.
        mentions: Where it names things, in order.
        fixed: Nouns of what cannot be carried.
        asks_nothing: Whether it is surely no plain request.
    """
    if not 2 <= len(mentions) <= 4 or not may_ask(text, asks_nothing):
        return None
    between = text[mentions[0].end : mentions[1].start]
    if _TELLS_WHICH.match(between) and _TELLS_OF.match(text, mentions[1].end):
        return None  # "the bowl on the plate is empty"
    target, place, word = _parts(text, mentions, fixed)
    if target is None or place is None or target.noun == place.noun or target.noun in fixed:
        return None
    which, told = _which(text, target, [each for each in mentions if each != place])
    if len(told) + 2 != len(mentions):
        return None  # nobody knows what the others are there for
    before = max((each.end for each in mentions if each.end <= target.start), default=0)
    described = _DESCRIBED.search(text[before : target.start])
    how = described[1] if described else ""
    request = f"put the {how}{target.noun}{which} {word} the {place.noun}"
    return Proposal(request, target.noun, place.noun, tuple(each.noun for each in told))


def agrees(text: str) -> bool:
    """Tell whether an answer says yes to what was asked, and nothing else."""
    if re.search(r"[^a-z',.! ]", text.lower()):
        return False  # it asks, or says something that is not understood here
    words = " ".join(re.sub(r"[,.!]", " ", text.lower()).split())
    return bool(_AGREES.fullmatch(words) and _YES.search(words))


def _which(
    text: str, target: Mention, mentions: Sequence[Mention]
) -> tuple[str, Sequence[Mention]]:
    """Return what tells which of several things the target is, and what this mentions."""
    said, last, told = "", target, list[Mention]()
    for mention in mentions[mentions.index(target) + 1 :]:
        between = text[last.end : mention.start]
        if not (_AND if told else _TELLS_WHICH).match(between):
            break
        said, last = f"{said}{between}{mention.noun}", mention
        told.append(mention)
    return said, told


def _parts(
    text: str, mentions: Sequence[Mention], fixed: Collection[str]
) -> tuple[Mention | None, Mention | None, str]:
    """Return the thing that may be carried, where to, and the word for where it is to be."""
    before = [text[: each.start] for each in mentions]
    words = [_BEFORE_PLACE.search(each) for each in before]
    thing = next(
        (mention for mention, said, word in zip(mentions, before, words, strict=True)
         if word is None and mention.noun not in fixed and not _BEFORE_OTHERS.search(said)), None,
    )  # fmt: skip
    last = max((number for number, word in enumerate(words) if word), default=None)
    if thing is not None and last is not None and mentions[last] != thing:
        found = words[last]
        assert found is not None
        return thing, mentions[last], _PLACE_WORDS[found["word"].lower()]
    if len(mentions) != 2:
        return None, None, ""
    first, second = mentions
    if not _PLACE_FIRST.search(text[first.end : second.start]):
        return None, None, ""
    return second, first, "in" if _INTO.search(text) else "on"
