"""What a sentence hints at: "isn't the bowl supposed to be on the plate?" asks to put it there.

Ervin-Tripp (1976, "Is Sybil there? The structure of some American English directives") calls such
sentences question directives and hints. Only forms that presuppose a wish are read so: that
something is missing, still not somewhere, belongs somewhere, or why it is not. A question that
may ask to be answered ("is the bowl on the plate?"), and what tells how things are or were, hints
at nothing.
"""

import itertools
import re
from collections.abc import Collection, Sequence

from vlm_robot_ros.policies.transfer.mentions import Mention

_AT = (
    r"(?:on top of|in front of|(?:at|to|by) the front of|to the left of|to the right of"
    r"|next to|inside of"
    r"|on|onto|in|into|inside|atop|upon|beside|behind|over on|over in|up on|at|to|with)"
)
_THING = r"(?:(?:the|that|this|a|an|my|your|our|its|any) )*"
_LANDMARK = (
    rf"(?: (?:that is |which is )?(?:currently |now )?(?:on top of|next to|between|on|in|from|near"
    rf"|beside|inside|at) {_THING}@\d)?"
)
_T = rf"{_THING}(?P<t>@\d{_LANDMARK})"
_P = rf"{_THING}(?P<p>@\d)"
_W = rf"(?P<w>{_AT})"
_EVER = (
    r"(?:(?:still|really|actually|just|also|probably|rather|perhaps|always|usually|normally|now"
    r"|currently|simply|clearly|definitely|surely|only|yet|finally|very much|badly|obviously"
    r"|ideally|properly|soon|all|right|rightfully|right now|so) )*"
)
_DONE = (
    r"(?:put|placed|set|laid|moved|brought|transferred|positioned|dropped|stacked|left|resting"
    r"|sitting|standing|lying|located|stored|kept|rested|waiting|pushed|lifted|stowed|stashed"
    r"|sit|stand|rest|lie|live|go|be|belong|end up|come|stay|get|wind up|land|found|seated|back"
    r"|over|up|placing|putting|moving|there|sat|somewhere|settled|make it|made it|reached|it"
    r"|way|its|found|gone|been|being|going|moved over|get moved|parked|arrived|landed)"
)
_BE = rf"(?:(?:{_DONE}|to|have|has|is|by) )*"
_WISHED = (
    r"(?:belongs?|goes|go|fits|lives?|should|ought|must|has to|have to|needs? to|wants to"
    r"|is to|is (?:supposed|meant|intended|expected|due|overdue|destined|best|better|better off"
    r"|needed|wanted|required|happiest|safest|at home|happier)"
    r"|was (?:supposed|meant|intended|expected)"
    r"|would (?:be|do|look|feel|sit|fit|go|make|love|prefer|rather|benefit))"
    r"(?: (?:better|best|well|nice|nicely|good|great|lovely|perfect|perfectly|fine|happier|safer"
    r"|happy|off|right|at home|from|most|much|welcome|neater|tidier|more|useful|appreciated))*"
)
_WITHOUT = (
    r"(?:(?:empty|bare|lonely|incomplete|naked|bland|odd|wrong|strange|sad|vacant|unoccupied"
    r"|unfinished|so|too|a bit|a little|rather|quite|pretty) )*"
    r"(?:missing|lacking|without|short of|awaiting|waiting (?:for|on)|in need of"
    r"|ready for|lonely for"
    r"|(?:better|nicer|complete|perfect) with|calling for|crying out for|free for|prepared for"
    r"|set for|all set for|expecting|(?:empty|bare|free|clear|vacant) and (?:ready|waiting) for"
    r"|the (?:right |proper |best |perfect |ideal |usual |intended |designated )*"
    r"(?:place|spot|home|destination|location|surface|stand|target) (?:for|of))"
)
_HAS = (
    r"(?:misses|lacks|needs|wants|awaits|requires|expects|deserves|has room for|welcomes"
    r"|could (?:really )?(?:use|do with)|does not (?:yet )?have|has yet to (?:receive|get|hold)"
    r"|(?:has been|is) waiting for|would (?:look|be) (?:better|nicer|complete|perfect) with"
    r"|would (?:love|welcome|like)|should (?:hold|have|carry|be holding|contain|get|support)"
    r"|is (?:supposed|meant) to (?:hold|have|carry|get|contain|support))"
)
_SPOT = r"(?:spot|place|home|position|destination|target|location)"
_PROPER = r"(?:right|proper|best|usual|perfect|correct|rightful|intended|ideal|natural|own|only)"
_ON_IT = r"(?: (?P<u>on|in|inside|on top|atop)(?: of)?(?: it)?)?"
_AUXILIARY = r"(?:is|are|was|does|did|has|had|should|would|could|must|ought)"
_NOT = rf"{_AUXILIARY} {_T} not"
_YOU = (
    r"(?:have you (?:already )?|did you (?:already |forget to |remember to )?"
    r"|are you (?:ever )?(?:going|planning) to |were you (?:not )?(?:going|supposed|planning) to "
    r"|do you intend to )"
)
_LETS = (
    r"(?:how about |what about |(?:is it|is it not|it is|is not it) (?:about |high )?time"
    r" (?:to|you|we|for you to|that you) |could we not |what (?:is stopping|keeps"
    r"|is keeping|stops)"
    r" you from )"
)
_MOVES = (
    r"(?:put(?:ting)?|plac(?:e|ed|ing)|set(?:ting)?|mov(?:e|ed|ing)|lay|laid|stack(?:ed|ing)?"
    r"|bring|brought|get|got)"
)
_FORMS = [
    re.compile(form)
    for form in (
        rf"{_P} (?:is|looks|seems|feels|appears|sits|stands|remains|stays|stays|would be) {_EVER}"
        rf"{_WITHOUT} {_T}{_ON_IT}",
        rf"{_P} {_EVER}{_HAS} {_EVER}{_T}{_ON_IT}",
        rf"there (?:is|are) {_EVER}(?:no|not {_EVER}(?:a|an"
        rf"|any)) {_T} {_EVER}{_W} {_P}(?P<yet> yet)?",
        rf"{_P} {_EVER}(?:has|does {_EVER}not {_EVER}have"
        rf"|has not got) (?:no )?{_T}{_ON_IT}(?P<yet> yet)?",
        rf"there (?:should|ought to|must|needs to|has to) {_EVER}be {_T} {_BE}{_W} {_P}",
        rf"{_T} {_EVER}(?:is|has|does) (?:not )?{_EVER}not {_EVER}{_BE}{_W} {_P}(?P<yet> yet)?",
        rf"{_T} (?:has|is) yet to {_BE}{_W} {_P}",
        rf"{_T} {_EVER}{_WISHED} {_EVER}{_BE}{_EVER}{_BE}{_W} {_P}",
        rf"{_T} ?(?:'s|is)? {_EVER}(?:{_PROPER} )*{_SPOT} is {_EVER}{_W} {_P}",
        rf"(?:it is (?:high |about )?time(?: that)?|it (?:bothers|bugs|annoys"
        rf"|worries) me that|i wish|if only) "
        rf"{_T} (?:was|were|is|got|went|would be) {_EVER}(?:not )?{_BE}{_W} {_P}(?: yet)?",
        rf"{_P} (?:looks|seems|is|feels) .{{0,40}}?(?:empty|bare|lonely|incomplete|naked"
        rf"|wrong|sad|odd|strange) "
        rf"without {_T}{_ON_IT}",
        rf"{_T} (?:looks|would look|feels|works|fits|sits|does|would do|would be) (?:so "
        rf"|much |a lot |far |way )*"
        rf"(?:nicer|better|best|neater|safer|tidier|happier) {_W} {_P}",
        rf"{_T} is {_EVER}(?:meant|intended|destined|made) for {_P}",
        rf"{_P} is {_EVER}(?:there|here|meant|intended|made|reserved|free|ready|open"
        rf"|waiting) for {_T}{_ON_IT}",
        rf"(?:the|a) {_EVER}(?:{_PROPER} )*{_SPOT} (?:for|of) {_T} is {_EVER}{_W} {_P}",
        rf"(?:{_W} )?{_P} is {_EVER}(?:the {_SPOT} )?where {_T} {_EVER}{_WISHED}(?: {_BE})?",
        rf"{_NOT} {_EVER}(?:(?:supposed|meant|intended|expected|better|belong|best|off|due|nicer"
        rf"|look|fit|good) )*{_BE}{_EVER}{_BE}{_W} {_P}(?P<yet> yet)?\?",
        rf"(?:is|has|did|does|will) {_T} {_EVER}{_BE}{_EVER}{_BE}{_W} {_P} (?P<yet>yet)\?",
        rf"(?:why|how come) (?:is|has|does|did)? ?{_T} (?:is |has )?{_EVER}not {_EVER}"
        rf"{_BE}{_EVER}{_W} {_P}(?P<yet> yet)?\?",
        rf"is there (?:a|any|some) (?:good )?(?:reason|chance)(?: why| that| for)? {_T} "
        rf"(?:is|has|could|can|might)? ?(?:not )?{_BE}{_W} {_P}\?",
        rf"(?:what|how) about {_T} {_BE}{_W} {_P}\?",
        rf"when (?:will|is|does|can|do) {_T} (?:finally |going to )*{_BE}{_W} {_P}\?",
        rf"{_LETS}{_MOVES} {_T} {_EVER}{_W} {_P}(?: instead| now| for me)?\??",
        rf"{_YOU}{_MOVES} {_T} {_EVER}{_W} {_P}(?P<yet> yet)?(?: instead| now| for me)?\??",
    )
]
_SAID = {
    "to": "on", "at": "on", "with": "on", "atop": "on", "on top": "on", "upon": "on",
    "up on": "on", "over on": "on", "over in": "in", "inside": "in", "inside of": "in",
}  # fmt: skip
"""Prepositions as the parser knows them."""
_NEEDS_YET = (2, 3, 5, 23)
"""Of the forms: those that only hint with "yet" or "still"."""
_LEAD = re.compile(
    r"^(?:(?:please|hey|hi|oh|um|uh|well|so|hm+|robot|look|listen|by the way|you know|okay|ok|now|"
    r"honestly|sorry|excuse me|i (?:really )?(?:think|believe|guess|feel|suppose|notice"
    r"|noticed|see"
    r"|bet|am sure|am afraid|reckon|was hoping|hope|figure|had hoped|was thinking|would say)"
    r"(?: that)?|it (?:seems|looks|appears)(?: to me)?(?: like| as if| that)?),? )+"
)
_TAIL = re.compile(
    r"(?:,? (?:right|no|you know|i think|i guess|i believe|though|today|now|right now"
    r"|please|by now"
    r"|at the moment|so far|again|after all|instead|as usual|already|as always|for now"
    r"|don't you think|do not you think|is not it|isn't it|don't you agree|do you not think))+$"
)
_SO_FAR = re.compile(
    rf"{_THING}(?P<t>@\d) is (?:not )?(?:\w+ )??(?P<at>(?:{_AT}|between) {_THING}@\d|here|there)"
    r"(?:,? (?:but|though|although|yet|and|while|when|whereas)|;|:|,) (?:it|that) "
)


_WAITING = re.compile(
    r"\b(?:yet|ever|finally|eventually|any ?time|anywhere near|supposed|meant|due|overdue"
    r"|forgotten"
    r"|about time|high time|how long|how soon|how much longer|what is (?:stopping|keeping)"
    r"|(?:when|how soon) (?:will|is|does|do|can|are)|(?:why|how come|how is it)\b.*"
    r"\b(?:not|no|still|empty|bare|without|instead)|what is\b.*\bstill|still\b.*\binstead"
    r"|(?:is|are|should|does|has|would|did|was|could) (?:not|n't)\b"
    r"|(?:is|are|should|was|does|has|would|could) (?:the |that |this )?@\d not"
    r"|reason\b.* not|better (?:home|place|off))\b"
)
"""What questions say that are asked by somebody who waits for it."""
_OTHERS = re.compile(
    r"\b(?:yesterday|last (?:night|time|week|month|year)|tomorrow|next (?:week|month|year"
    r"|time)|ago|who|whose"
    r"|which|how (?:many|much (?!longer)|often|big|heavy|far|high|wide|do|does|did|was"
    r"|were)|(?:he|she|they|mom"
    r"|mum|dad|people|anyone|someone|somebody|anybody|everyone|others|sister|brother|did you see"
    r"|remember|tell me|know|break|fall|fell|tip|safe|dangerous|damage|hurt|harm|burn|melt|too)"
    r"|should i|shall i|did i|do i|or (?:is|was|did|does|in|on|the))\b"
)
"""What questions say that ask to be answered, or are about somebody else, or another time."""
_ASKED_AT = re.compile(rf"\b(?:{_AT}|top of) {_THING}(@\d)|(@\d) (?:not )?where\b")
_BESIDE = re.compile(r"\b(?:next to|beside|near|off)\b")


def _waited_for(said: str, fixed: Collection[int]) -> str:
    """Return what a question shows that somebody waits for it: "put the @0 on the @1"."""
    if (
        not said.endswith("?")
        or _OTHERS.search(said)
        or _BESIDE.search(said)
        or not _WAITING.search(said)
    ):
        return ""
    numbers = {int(each) for each in re.findall(r"@(\d)", said)}
    at = {int("".join(each)[1:]) for each in _ASKED_AT.findall(said)}
    places = (at & numbers) or (set(fixed) & numbers)
    if len(numbers) != 2 or len(places) != 1:
        return ""
    (place,) = places
    (target,) = numbers - places
    return "" if target in fixed else f"put the @{target} on the @{place}"


def hinted_request(text: str, mentions: Sequence[Mention], fixed: Collection[str] = ()) -> str:
    """Return what a sentence hints at as a request: "put the bowl on the plate"; empty if nothing.

    Args:
        text: The sentence.
        mentions: Where it names things, in order.
        fixed: Nouns of what cannot be carried.
    """
    if not 2 <= len(mentions) <= 9 or re.search(r"@\d", text):
        return ""
    said = _plain(text, mentions)
    # "Is not the bowl on" says the same as "is the bowl not on".
    orders = [re.sub(rf"\b({_AUXILIARY}) not ({thing})", r"\1 \2 not", said)
              for thing in (rf"{_THING}@\d{_LANDMARK}", rf"{_THING}@\d")]  # fmt: skip
    for (number, form), order in itertools.product(enumerate(_FORMS), orders):
        found = form.fullmatch(order)
        parts = found.groupdict() if found else {}
        if found and (number not in _NEEDS_YET or parts["yet"] or " still " in f" {said} "):
            where = parts.get("w") or parts.get("u") or "on"
            where = "in front of" if where.endswith("front of") else _SAID.get(where, where)
            request = f"put the {parts['t']} {where} the {parts['p']}"
            return re.sub(r"@(\d)", lambda each: _named(text, mentions[int(each[1])]), request)
    stay = [number for number, each in enumerate(mentions) if each.noun in fixed]
    request = next(filter(None, (_waited_for(order, stay) for order in orders)), "")
    return re.sub(r"@(\d)", lambda each: _named(text, mentions[int(each[1])]), request)


def _named(text: str, mention: Mention) -> str:
    return text[mention.start : mention.end]


def _plain(text: str, mentions: Sequence[Mention]) -> str:
    """Return a sentence with @0, @1... for what it mentions, without words that say nothing."""
    parts, last = [], 0
    for number, mention in enumerate(mentions):
        parts += [text[last : mention.start].lower(), f"@{number}"]
        last = mention.end
    said = "".join([*parts, text[last:].lower()])
    said = re.sub(r"\bcan't\b", "can not", said.replace("’", "'"))
    said = re.sub(r"\bwon't\b", "will not", said)
    said = re.sub(r"n't\b", " not", said)
    said = re.sub(
        r"(?<=\w)'s (?=(?:still|yet|not|missing|no|supposed|where|meant)\b)", " is ", said
    )
    said = re.sub(r"\b(there|it|that|where|what|who|how|why)'s\b", r"\1 is", said)
    said = re.sub(r"\s+", " ", said).strip(" .!")
    said = _LEAD.sub("", said)
    is_question = said.endswith("?")
    said = _TAIL.sub("", said.rstrip("? "))
    said += "?" if is_question else ""
    return _SO_FAR.sub(_with_landmark, said)


def _with_landmark(found: re.Match[str]) -> str:
    """Return "@0 on the @1 ": it is told by where it is now."""
    where = "" if found["at"] in ("here", "there") or " not " in found[0] else f" {found['at']}"
    return f"{found['t']}{where} "
