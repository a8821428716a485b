"""Requests in many words, said as the parser knows them: "could you possibly" is left out."""

import re

_DO = (
    r"(?:(?:do you think|i wonder (?:if|whether)|i was wondering (?:if|whether)) you"
    r" (?:can|could|would|might|will) "
    r"|(?:can|could|would|might|will) (?:i|we) (?:possibly |perhaps |please )?"
    r"(?:ask|get|have|trouble|bother) you (?:to )?"
    r"|may i (?:ask|trouble|bother) you to "
    r"|(?:is it possible for you|would it be possible(?: for you)?) to "
    r"|would it be (?:okay|ok|all right|alright) if you "
    r"|would you be (?:able|so kind as|kind enough|willing|good enough) to "
    r"|why don't you |why not "
    r"|(?:can|could|would|might) you (?:manage to|see to it that you|go ahead and) )"
)
_POLITE = re.compile(rf"^(?:please,? )?{_DO}(?:please |kindly )?(?=[a-z])", re.IGNORECASE)
"""What asks for something before it is said."""
_PERMISSION = re.compile(
    r"^(?:please )?(?:feel free to|you(?: are|'re) (?:free|welcome|allowed) to|"
    r"you (?:may|can|could|might)(?: now| go ahead and)?|(?:go ahead and )?feel at liberty to|"
    r"you(?: are|'re) at liberty to|"
    r"you have (?:my )?(?:permission|leave|approval|blessing|consent) to) (?=[a-z])",
    re.IGNORECASE,
)
_FREE = re.compile(
    r"^(?:please,? )?(?:if you(?: are|'re) (?:not (?:too |very )?busy|free)(?: right now| now)?"
    r"|(?:if|when|whenever) you (?:can|could|get (?:a|the) chance|have (?:a|the) moment)"
    r"|if you (?:don't|do not|wouldn't) mind|if you (?:would|will|please|like)"
    r"|if (?:it's|it is) (?:not too much|no) trouble|if (?:it's|it is) (?:possible|okay|ok)),? "
    r"(?=[a-z](?!.*\b(?:if|unless|until|once|before|after|but|when)\b))",
    re.IGNORECASE,
)
"""Conditions that are mere courtesy."""
_MANNER = (
    "carefully|gently|softly|slowly|firmly|securely|quickly|safely|neatly|smoothly|steadily|"
    "cautiously|precisely|swiftly|calmly|lightly|delicately|properly"
)
_HOW = re.compile(
    rf"(?:,? ?(?:very |quite )?\b(?:{_MANNER})\b,?(?: and (?:{_MANNER})\b)?)", re.IGNORECASE
)
"""How it is done, which nothing here follows: the arm is always careful."""
_RIGHT = re.compile(
    r"(?<!the )\b(?:right|straight|directly|just|squarely) "
    r"(?=(?:on|onto|in|into|inside|at|over|atop)\b)"
)
_TAKE = r"(?:pick|grasp|grab|tak|took|lift|grip|hold|rais|seiz|fetch|gather)\w*"
_PUT = r"(?:put|place|set|move|lay|drop|transfer|bring|position|deposit|release|let|stack|push)"
_AFTER = re.compile(
    rf"^(?:(?:(?:after|having|by)|once you|(?:once|when|after) you(?:'ve| have)) {_TAKE}\b"
    r"(?P<what>[^,]*)|(?:once|when|after|as soon as) (?P<held>(?:the|that|this|a)\b[^,]*?)"
    r" (?:is|has been) (?:in your (?:grip|grasp|gripper|hand)|(?:firmly |securely )?"
    rf"(?:held|{_TAKE})(?: up)?)),\s*(?={_PUT}\b)",
    re.IGNORECASE,
)
"""A clause about what comes first: it is taken."""
_SO_THAT = re.compile(
    r",? (?:so(?: that)?|such that) (?:it|they)(?:'s| is|\b)"
    r"(?: (?:ends up|comes to|will|can|be|is|rests?|sits?|stands?|lies|lands?|stops?|resting|"
    r"sitting|standing|lying|placed|rest|sit|stand|lie|come))*"
    r" (?=(?:on|onto|in|into|inside|at|before|atop|over)\b)",
    re.IGNORECASE,
)
"""A clause about where it is to be in the end."""
_WISH = re.compile(
    r"^(?:please )?(?:(?:can|could|would|will) you (?:please |perhaps |kindly )?)?"
    r"(?:it(?: would|'d) (?:be (?:so |very |really )?"
    r"(?:nice|great|good|lovely|helpful|perfect|wonderful|ideal|best|better)"
    r"|(?:really )?help(?: me| us)?(?: a lot)?) if"
    r"|make sure(?: that)?|ensure(?: that)?|see to it that"
    r"|i(?: would|'d) (?:love|like) it if) (?P<what>.+?) "
    r"(?:(?:were|was|is|are|could be|would be|got|gets|ends up|ended up|winds up|lands|sits|rests"
    r"|stands|finds its way)(?: being)?) ",
    re.IGNORECASE,
)
"""What is to be so."""
_THEN = re.compile(
    r",? (?:which|that) (?:(?:should|must|is to|needs to|has to|ought to)(?: then| finally| now)? "
    r"(?:be (?:put|set|left|laid|[a-z]+ed)|go|end up|rest|stand"
    r"|sit)|belongs|goes) (?:then |back )?(?=(?:on|onto|in|into|inside|atop|upon) )",
    re.IGNORECASE,
)
"""A clause about where it is to be put then."""
_THERE = re.compile(
    r",? (?:and|then|and then) (?:leave|keep|let) it (?:there|in place)[.! ]*$", re.I
)
_LEAVE_IT = re.compile(
    rf"(?P<before>\b{_TAKE}\b.*?(?:\band|\bthen|,) )leave it "
    r"(?=(?:on|onto|in|inside|atop|upon)\b)",
    re.IGNORECASE,
)
"""Leaving somewhere what was taken before is putting it there."""
_TAG = re.compile(
    r",? (?:(?:should|is|are|do|does|has|would|could|wo|ca)n't (?:it|you|they|we|that)"
    r"|right|okay|ok|don't you think)\?$",
    re.IGNORECASE,
)
"""A question after a sentence that is none."""
_SURFACE = (
    r"(?:(?:upper|top|topmost|flat|uppermost|highest) )?"
    r"(?:surface|roof|upper side|countertop|tabletop)"
)
_PART = re.compile(
    rf"\b(?:the )?(?:{_SURFACE}|interior|inside|middle|cent(?:er|re)) of "
    rf"(?=the (?!table|floor|counter|room))|'s {_SURFACE}\b",
    re.IGNORECASE,
)
"""Parts of a thing that are the thing, to what is put there."""
_HOLD_AT = re.compile(r" by (?:its|the) (?:rim|edge|neck|handle|body)\b(?! of)", re.I)
_STAND = re.compile(
    r"(?:^|(?<=\band )|(?<=\bto )|(?<=\byou )|(?<=\bplease ))"
    r"(?:stand|perch|balance|mount|nestle|sit|settle|park) (?=(?:the|a|that|this|it)\b)",
    re.IGNORECASE,
)
"""How it is put, which is how the arm puts all."""
_TABLE = (
    r"(?:the|this|that|my) "
    r"(?:table|tabletop|table top|counter|countertop|floor|work surface|workbench)"
)
_ON_TABLE = re.compile(
    rf",? (?:(?:that|which)(?:'s| is| are) (?:currently |now )?(?:(?:lying|sitting|standing"
    rf"|resting|located|placed|waiting) )?on {_TABLE}|(?:from|off) {_TABLE}),?"
    r"(?=,? (?:to|into|onto|on|in|and|over|inside|at|next)\b)",
    re.IGNORECASE,
)
"""That a thing is where all things are."""
_INSIDE = re.compile(r"\binside (?:of )?(?=(?:the|a|that|this)\b)", re.IGNORECASE)


_NOT_NOW = re.compile(
    r"\b(?:yesterday|tomorrow|(?:last|next) (?:night|week|month|year)|(?:is"
    r"|was) the one (?:that|who|to)"
    r"|i(?:'d| would)? (?:usually |normally |always )?prefer)\b",
    re.IGNORECASE,
)


def is_of_another_time(text: str) -> bool:
    """Tell whether a sentence is of another time, of somebody else, or of what is preferred."""
    return _NOT_NOW.search(text) is not None


_AVERSE = re.compile(
    r"\bi(?:'d| would)?(?: (?:really|do|strongly|absolutely))* (?:mind|object|hate|dislike|resent"
    r"|detest|loathe|refuse|forbid|regret|fear|worry)\b"
    r"|\b(?:it(?: would|'d| will)(?: really)? be|it's|it is) (?:very |so |really )?(?:bad|terrible"
    r"|awful|horrible|an? (?:shame|pity|disaster|mistake|bad idea)|dangerous|unsafe|wrong|worse"
    r"|silly|stupid|foolish|unwise|unfortunate)\b(?!.*(?:\b(?:not|no|without|missing)\b|n't\b))"
    r"|\b(?:(?<!\bit )(?:stays?|remains?)|staying|be left|be kept)\b"
    r"|\b(?:leave|keep) (?:the|that|this|my|your|it|them|everything|all)\b"
    r"|\b(?:does|do|did)(?:n't| not) (?:need|have|want|wish|care)\b|\bneed(?:n't| not)\b"
    r"|\b(?:no longer|changed my mind|never mind|scratch that|joking|kidding)\b"
    r"|\bforget (?:what|about|it|that|the|i)\b"
    r"|\b(?:is|are)\b(?! not)[^,.?]*\bwhere (?:it|they) "
    r"(?:ought|should|belongs?|needs?|is|are|was|were)\b",
    re.IGNORECASE,
)


_MAY_LEAVE = re.compile(
    r"\b(?:feel free to|you (?:may|can|could|might)(?: now| go ahead and)?|if you(?: would)?"
    r"|hoping (?:that )?you (?:would|could|might)|(?:could|would|can|will) you(?: please| kindly)?"
    r"|like you to|want you to|need you to) leave\b",
    re.IGNORECASE,
)


def may_leave(text: str) -> bool:
    """Tell whether a sentence asks to leave something somewhere, which may mean to put it."""
    return _MAY_LEAVE.search(text) is not None


def is_unwanted(text: str) -> bool:
    """Tell whether a sentence says what is not to be done: "I would mind if"."""
    return _AVERSE.search(text) is not None


def without_courtesy(text: str) -> str:
    """Return a request without what asks for something before it is said."""
    text = _FREE.sub("", _PERMISSION.sub("", text.strip()))
    text = _TAG.sub("", _PERMISSION.sub("", text))
    polite = _POLITE.match(text)
    return text if polite is None else text[polite.end() :].rstrip("? ")


def in_order(text: str) -> str:
    """Return a request with its clauses in the order of what is done, a wish as what is to be."""
    text = _LEAVE_IT.sub(r"\g<before>put it ", text)
    wish = _WISH.sub(r"\g<what> should be ", text)
    text = _THERE.sub("", _THEN.sub(" and put it ", text if wish == text else wish.rstrip("? ")))
    after = _AFTER.match(text)
    if after is None:
        return text
    what = re.sub(r"\b(?:up|it)\b", "", after["what"] or after["held"]).strip()
    return (f"pick up {what} and " if what else "") + text[after.end() :]


def plain_request(text: str) -> str:
    """Return a request without manner, its clauses in the order of what is done.

    What is no request may become one: whether it is one is to be known before.
    """
    text = in_order(text)
    for pattern, plain in ((_HOW, ""), (_RIGHT, ""), (_SO_THAT, " and put it "), (_PART, ""),
                           (_INSIDE, "in "), (_HOLD_AT, ""), (_STAND, "put "),
                           (_ON_TABLE, "")):  # fmt: skip
        text = pattern.sub(plain, text)
    return re.sub(r"\s+", " ", text).strip(" ,")


_NEGATION = re.compile(r"\b(?:not|never|no)\b|n't\b|\bisnt\b", re.IGNORECASE)
_WHERE = r"(?:on top of|in front of|on|onto|in|into|to|over|atop|inside)"
_APPOSITION = re.compile(r", (?:the|a|an|that|which|i mean)\b([^,]*), ", re.IGNORECASE)
_RELATIVE = re.compile(
    rf",? (?:that|which|who)\b(?P<clause>(?:(?!\band\b)[^,])*)(?= {_WHERE} (?:the|a|that|this)\b)",
    re.IGNORECASE,
)


def without_descriptions(text: str, names: re.Pattern[str]) -> str:
    """Return a request without clauses that tell nothing but how a thing is.

    Args:
        text: The request.
        names: Matches the names of all things: clauses with one are kept.
    """

    def dropped(found: re.Match[str]) -> str:
        tells = names.search(found[1]) or _NEGATION.search(found[1])
        return found[0] if tells else " "

    text = _APPOSITION.sub(dropped, text)
    return re.sub(r"\s+", " ", _RELATIVE.sub(dropped, text)).strip()
