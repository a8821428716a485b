"""What a sentence hints at: "isn't the bowl supposed to be on the plate?" asks to put it there.

Ervin-Tripp (1976, "Is Sybil there? The structure of some American English directives") calls such
sentences question directives and hints. A closed list of forms is read so, in which all words but
the names are fixed: something is missing, is still not somewhere, belongs somewhere, or why it is
not there. All else hints at nothing: questions that may ask to be answered ("is the bowl on the
plate yet?"), remarks on how things are or were, and other verbs ("why isn't the bowl clean?").
"""

import itertools
import re
from collections.abc import Collection, Sequence

from vlm_robot_ros.policies.transfer.mentions import Mention

_THING = r"(?:(?:the|that|this|a|an|my|your|our|its) )?"
_WHERE = (
    r"(?:on top of|in front of|at the front of|to the left of|to the right of|next to|inside of"
    r"|onto|on|into|inside|in|atop|upon|beside|behind)"
)
_LANDMARK = rf"(?: (?:that is |which is )?(?:on top of|next to|between|on|in|near) {_THING}@\d)?"
_T, _P, _W = rf"{_THING}(?P<t>@\d{_LANDMARK})", rf"{_THING}(?P<p>@\d)", rf"(?P<w>{_WHERE})"
_ADVERB = r"(?:(?:still|really|actually|just|clearly|definitely|surely|finally|now|also) ){0,2}"
_PUT = r"(?:put|placed|set|laid|moved|brought|transferred|positioned|stacked)"
_THERE = rf"(?:(?:be |go |end up |belong )?(?:{_PUT} )?(?:back )?(?:up |over )?)"
"""Words between a wish and where: "be put back"."""
_IS_THERE = rf"(?:(?:been )?(?:{_PUT} )?(?:back )?(?:up |over )?)"
_WISHED = (
    r"(?:belongs|goes|should|ought to|has to|needs to"
    r"|is (?:supposed|meant|intended) to|is better off|would be (?:much |far )?better off"
    r"|(?:looks|would look|fits) (?:so |much |far )?(?:better|best|nicer))"
)
_WITHOUT = (
    r"(?:(?:so |rather |a bit |awfully )?(?:empty|bare|lonely|incomplete) )?"
    r"(?:missing|lacking|without|waiting for|in need of|incomplete without|ready for)"
)
_SPOT = r"(?:(?:right|proper|usual|rightful) )?(?:spot|place|home)"
_ON_IT = r"(?: (?P<u>on|in|inside|on top)(?: of)?(?: it)?)?"
_YET = r"(?P<yet> yet)?"
_FORMS = [
    re.compile(form)
    for form in (
        rf"{_P} (?:is|looks|seems|feels) {_ADVERB}{_WITHOUT} {_T}{_ON_IT}",
        rf"{_P} {_ADVERB}(?:misses|lacks|needs|requires|awaits|could use) {_T}{_ON_IT}",
        rf"{_T} (?:still )?is (?:still )?not (?:back )?{_W} {_P}{_YET}",
        rf"{_T} (?:still )?has (?:still )?not been {_PUT} (?:back )?{_W} {_P}{_YET}",
        rf"there is (?:still )?no {_T} {_W} {_P}{_YET}",
        rf"{_P} (?:still )?has (?:still )?no {_T}{_ON_IT}{_YET}",
        rf"{_T} {_ADVERB}{_WISHED} {_ADVERB}{_THERE}{_W} {_P}",
        rf"{_T} is {_ADVERB}(?:meant|intended) for {_P}",
        rf"{_T}(?: is|'s) {_SPOT} is {_W} {_P}",
        rf"the {_SPOT} (?:for|of) {_T} is {_W} {_P}",
        rf"(?:{_W} )?{_P} is where {_T} {_ADVERB}(?:belongs|goes|should (?:be|go))",
        rf"(?:it is |is not it |is it not )(?:high |about )?time (?:that )?{_T} (?:was"
        rf"|were|got|went) "
        rf"{_IS_THERE}{_W} {_P}\??",
        rf"i wish {_T} (?:was|were) {_IS_THERE}{_W} {_P}",
        rf"(?:is|was) not {_T} {_ADVERB}(?:supposed|meant) to {_THERE}{_W} {_P}\?",
        rf"should not {_T} {_ADVERB}(?:be|go) {_THERE}{_W} {_P}\?",
        rf"does not {_T} belong {_W} {_P}\?",
        rf"is not {_P} where {_T} (?:belongs|goes|should (?:be|go))\?",
        rf"why is {_T} still not (?:back )?{_W} {_P}\?",
        rf"how come {_T} is (?:still )?not (?:back )?{_W} {_P}{_YET}\?",
        rf"why is not {_T} (?:back )?{_W} {_P}{_YET}\?",
        rf"why has not {_T} been {_PUT} {_W} {_P}{_YET}\?",
        rf"when will {_T} finally be {_IS_THERE}{_W} {_P}\?",
        rf"(?:how|what) about (?:putting|placing|setting|moving) {_T} {_W} {_P}\??",
        rf"is (?:it|it not|not it) (?:about |high )?time to (?:put|place|set"
        rf"|move) {_T} {_W} {_P}\?",
    )
]
_NEED_YET = (2, 3, 4, 5)
"""Of the forms: those that only hint with "yet" or "still"; else they tell how things are."""
_SAID = {"onto": "on", "atop": "on", "upon": "on", "on top": "on", "into": "in", "inside": "in",
         "inside of": "in", "at the front of": "in front of"}  # fmt: skip
"""Prepositions as the parser knows them."""
_LEAD = re.compile(
    r"(?:please|hey|oh|um|uh|well|robot|look|by the way|okay|ok|excuse me|i (?:think|believe|guess"
    r"|feel)(?: that)?|it (?:bothers|annoys|bugs) me that),? "
)
_TAIL = re.compile(
    r",? (?:right|you know|i think|i guess|though|today|now|please|by now|already|so far|instead)$"
)
_MOST_ENDS = 3
"""Words that say nothing, at either end."""


def hinted_request(text: str, mentions: Sequence[Mention], fixed: Collection[str] = ()) -> str:
    """Return what a sentence hints at as a request: "put the bowl on the plate"; empty if nothing.

    Args:
        text: The sentence.
        mentions: Where it names things, in order.
        fixed: Nouns of what cannot be carried.
    """
    if not 2 <= len(mentions) <= 4 or re.search(r"@\d", text):
        return ""
    said = _plain(text, mentions)
    for number, form in enumerate(_FORMS):
        found = form.fullmatch(said)
        parts = found.groupdict() if found else {}
        is_told = number in _NEED_YET and not parts.get("yet") and " still " not in f" {said} "
        if found is None or is_told or mentions[int(parts["t"][1])].noun in fixed:
            continue
        where = parts.get("w") or parts.get("u") or "on"
        place = mentions[int(parts["p"][1])].noun
        request = f"put the {parts['t']} {_SAID.get(where, where)} the {place}"
        return re.sub(r"@(\d)", lambda each: _named(text, mentions[int(each[1])]), request)
    return ""


def _named(text: str, mention: Mention) -> str:
    return text[mention.start : mention.end]


def _plain(text: str, mentions: Sequence[Mention]) -> str:
    """Return a sentence with @0, @1... for what it mentions, without words that say nothing."""
    parts, last = [], 0
    for number, mention in enumerate(mentions):
        parts += [text[last : mention.start].lower(), f"@{number}"]
        last = mention.end
    said = "".join([*parts, text[last:].lower()]).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    said = re.sub(r"(?<=[a-z])n't\b", " not", said)
    said = re.sub(r"\b(there|it|that|where|what|why)'s\b", r"\1 is", said)
    said = re.sub(r"(@\d)'s (?=(?:still|not|supposed|meant)\b)", r"\1 is ", said)
    said = re.sub(r"\s+", " ", said).strip(" .!")
    is_question = said.endswith("?")
    said = said.rstrip("? ")
    for _, pattern in itertools.product(range(_MOST_ENDS), (_LEAD, _TAIL)):
        lead = pattern.match(said) if pattern is _LEAD else pattern.search(said)
        if lead is not None:
            said = said[: lead.start()] + said[lead.end() :]
    return said + "?" * is_question
