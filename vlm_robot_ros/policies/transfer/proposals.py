"""What a sentence that is no clear request may ask for, so that the arm can propose it.

"Is the bowl on the plate yet?" may be a question or a request (Searle 1975, "Indirect speech
acts"). The arm does not guess: it asks "Shall I put the bowl on the plate?" and acts when it is
told "yes". So it may read freely here: whatever names a thing and a place for it is enough.
"""

import re
from collections.abc import Collection, Sequence

from vlm_robot_ros.policies.transfer.mentions import Mention

_PLACE_WORDS = {
    "on top of": "on", "in front of": "in front of", "at the front of": "in front of",
    "to the front of": "in front of",
    "to the left of": "to the left of", "to the right of": "to the right of",
    "next to": "next to", "beside": "next to", "behind": "behind", "inside of": "in",
    "inside": "in", "into": "in", "in": "in", "onto": "on", "on": "on", "atop": "on",
    "upon": "on", "over": "on", "to": "on", "at": "on",
}  # fmt: skip
"""Words before a place, and what the proposal says for them."""
_BEFORE_PLACE = re.compile(
    rf"\b(?P<word>{'|'.join(_PLACE_WORDS)}) (?:(?:the|a|an|that|this|my|your|our|its) )?"
    r"(?:(?:top|surface|inside|middle) of (?:the |that |this )?)?$",
    re.IGNORECASE,
)
_TELLS_WHICH = re.compile(
    r"^,? (?:(?:that|which)(?: is|'s)? |that's )?(?:sitting |lying |standing |resting |placed )?"
    r"(?:next to|on top of|between|beside|near|on|in|by) (?:(?:the|a|that|this) )?$",
    re.IGNORECASE,
)
"""Words between a thing and what tells which of several it is."""
_AND = re.compile(r"^ and (?:(?:the|a|that|this) )?$", re.IGNORECASE)
_PLACE_FIRST = re.compile(
    r"\b(?:without|missing|misses|lack(?:s|ing)?|needs?|awaits?|wait(?:s|ing) for|empty|bare"
    r"|where|for)\b",
    re.IGNORECASE,
)
"""Words after a place, of sentences that name the thing last: "the plate is still without it"."""
_NOW = ("", "already", "now", "today", "again", "already, thanks")
_INTO = re.compile(r"\b(?:in|inside|into|within)(?: it)?[.?! ]*$", re.IGNORECASE)
_FORBIDS = re.compile(
    r"(?:^|[,;:.] ?|\b(?:please|but|and|you) )(?:do not|don't|never|must not|mustn't|avoid|stop"
    r"|quit|cancel|forget|leave|keep)\b|\bno need\b|\bunless\b|\binstead of\b|\brather than\b",
    re.IGNORECASE,
)
_OTHERWISE = re.compile(
    r"^(?:so |and |but )?(?:who|what|which|where|did|how (?:many|much|heavy|big|old|long|far))\b"
    r"|\b(?:yesterday|tomorrow|earlier|previous(?:ly)?|ago|later|until|used to|always|i'll"
    r"|i will|(?:my|him|her|your)self|themselves|in the (?:video|picture|photo|film)"
    r"|last (?:night|week|month|year|time)|the one (?:that|who))\b",
    re.IGNORECASE,
)
"""Questions that want to know something, and what is of another time or of somebody else."""
_CONTRARY = re.compile(
    r"\b(?:not allowed|forbidden|remov\w+|tak(?:e|en) (?:off|away)|stay off|never mind|safe"
    r"|danger\w*|shatter|break|melt|burn|spill|fall|does(?:n't| not) fit|prefer .* to)\b"
    r"|^(?:please )?(?:put|place|set|move|take|bring|get|push|pick)\b.*\b(?:not|no|but)\b"
    r"|^(?!why\b)(?:[^?]*\b)?(?:(?:should|must|can|does)(?:n't| not) (?:be|go|stand|belong)"
    r"|(?:was|were) not|wasn't|weren't|is not (?:meant|supposed))\b[^?]*$",
    re.IGNORECASE,
)
"""Worries and refusals, of which the contrary would be proposed."""
_AGREES = re.compile(
    r"(?:(?:please|thanks|thank you|robot|then|that is right|that's right|yes|yeah|yep|yup|sure"
    r"|of course|certainly|go ahead|do it|do that|do so|please do) ?)+"
)
_YES = re.compile(r"\b(?:yes|yeah|yep|yup|sure|of course|certainly|go ahead|do (?:it|that|so)"
                  r"|please do)\b")  # fmt: skip
"""What people say to others, too, such as "okay", is no yes."""
_IS_SO = re.compile(r"^[^?]*\b(?:is|are|was|were) (?:now |already |still )?$", re.IGNORECASE)
"""What stands before a place where a remark only tells how things are."""


def proposed_request(text: str, mentions: Sequence[Mention], fixed: Collection[str] = ()) -> str:
    """Return what a sentence may ask for: "put the bowl on the plate"; empty if nothing.

    Args:
        text: The sentence.
        mentions: Where it names things, in order.
        fixed: Nouns of what cannot be carried.
    """
    if (
        not 2 <= len(mentions) <= 4
        or _FORBIDS.search(text)
        or _OTHERWISE.search(text)
        or _CONTRARY.search(text)
    ):
        return ""
    target, place, word = _parts(text, mentions, fixed)
    if target is None or place is None or target.noun == place.noun or target.noun in fixed:
        return ""
    which, told = _which(text, target, [each for each in mentions if each != place])
    if len(told) + 2 != len(mentions):
        return ""  # nobody knows what the others are there for
    return f"put the {target.noun}{which} {word} the {place.noun}"


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


def agrees(text: str) -> bool:
    """Tell whether an answer says yes to what was asked, and nothing else."""
    words = " ".join(re.sub(r"[^a-z' ]", " ", text.lower()).split())
    return bool(_AGREES.fullmatch(words) and _YES.search(words))


def _parts(
    text: str, mentions: Sequence[Mention], fixed: Collection[str]
) -> tuple[Mention | None, Mention | None, str]:
    """Return the thing that may be carried, where to, and the word for where it is to be."""
    words = [_BEFORE_PLACE.search(text[: each.start]) for each in mentions]
    thing = next(
        (each for each, word in zip(mentions, words, strict=True)
         if word is None and each.noun not in fixed), None,
    )  # fmt: skip
    last = max((number for number, word in enumerate(words) if word), default=None)
    if thing is not None and last is not None and mentions[last] != thing:
        found = words[last]
        assert found is not None
        if (
            thing == mentions[last - 1]
            and _IS_SO.match(text[: found.start()])
            and text[mentions[last].end :].lower().strip(" .,!") in _NOW
        ):
            return None, None, ""
        return thing, mentions[last], _PLACE_WORDS[found["word"].lower()]
    if len(mentions) != 2:
        return None, None, ""
    first, second = mentions
    if _PLACE_FIRST.search(text[first.end : second.start]):
        first, second = second, first
    elif second.noun in fixed or first.noun not in fixed:
        return None, None, ""
    return first, second, "in" if _INTO.search(text) else "on"
