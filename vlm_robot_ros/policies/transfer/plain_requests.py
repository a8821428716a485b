"""Requests in many words, said as the parser knows them: "could you possibly" is left out."""

import re

_DO = (
    r"(?:(?:do you think|i wonder (?:if|whether)|i was wondering (?:if|whether)) you"
    r" (?:can|could|would|might|will) "
    r"|(?:can|could|would|might|will) (?:i|we) (?:possibly |perhaps |please )?"
    r"(?:ask|get|have|trouble|bother) you (?:to )?"
    r"|may i (?:ask|trouble|bother) you to "
    r"|(?:is|would) it (?:be )?(?:possible|okay|ok|all right|alright|feasible)"
    r"(?: for you)?(?: to| if you) "
    r"|would you be (?:able|so kind as|kind enough|willing|good enough) to "
    r"|why don't you |why not "
    r"|(?:can|could|would|might) you (?:manage to|see to it that you|go ahead and) )"
)
_POLITE = re.compile(rf"^(?:please,? )?{_DO}(?:please |kindly )?(?=[a-z])", re.IGNORECASE)
"""What asks for something before it is said."""
_PERMISSION = re.compile(
    r"^(?:please )?(?:feel free to|you(?: are|'re) (?:free|welcome|allowed) to|"
    r"you (?:may|can|could|might)(?: now| go ahead and)?) (?=[a-z])",
    re.IGNORECASE,
)
_MANNER = (
    "carefully|gently|softly|slowly|firmly|securely|quickly|safely|neatly|smoothly|steadily|"
    "cautiously|precisely|swiftly|calmly|lightly|delicately|properly"
)
_HOW = re.compile(
    rf"(?:,? ?(?:very |quite )?\b(?:{_MANNER})\b,?(?: and (?:{_MANNER})\b)?)", re.IGNORECASE
)
"""How it is done, which nothing here follows: the arm is always careful."""
_RIGHT = re.compile(
    r"\b(?:right|straight|directly|just|squarely) (?=(?:on|onto|in|into|inside|at|over|atop)\b)"
)
_TAKE = r"(?:pick|grasp|grab|tak|took|lift|grip|hold|rais|seiz|fetch|gather)\w*"
_AFTER = re.compile(
    rf"^(?:after|once|when|as soon as|having|upon|by) (?:you(?:'ve| have|) |it (?:is|has been) )?"
    rf"{_TAKE}\b(?P<what>[^,]*),\s*",
    re.IGNORECASE,
)
"""A clause about what comes first: it is taken."""
_SO_THAT = re.compile(
    r",? (?:so(?: that)?|until|such that) (?:it|they)(?:'s| is|\b)"
    r"(?: (?:ends up|comes to|will|can|be|is|rests?|sits?|stands?|lies|lands?|stops?|resting|"
    r"sitting|standing|lying|placed|rest|sit|stand|lie|come))*"
    r" (?=(?:on|onto|in|into|inside|at|before|atop|over)\b)",
    re.IGNORECASE,
)
"""A clause about where it is to be in the end."""
_WISH = re.compile(
    r"^(?:please )?(?:it(?: would|'d) (?:\w+ ){1,5}?if|make sure(?: that)?|ensure(?: that)?"
    r"|see to it that|i(?: would|'d) (?:love|like) it if) (?P<what>.+?) "
    r"(?:(?:were|was|is|are|could be|would be|got|gets|ends up|ended up)(?: being)?) ",
    re.IGNORECASE,
)
"""What is to be so."""
_PART = re.compile(
    r"\b(?:the )?(?:surface|interior|inside|roof|upper side|middle|cent(?:er|re)) of (?=the\b)",
    re.IGNORECASE,
)
"""Parts of a thing that are the thing, to what is put there."""
_HOLD_AT = re.compile(r" (?:by|at) (?:its|the) (?:rim|edge|neck|side|handle|body|middle)\b", re.I)
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
    rf"(?= (?!cent|middle|corner|edge|top\b))",
    re.IGNORECASE,
)
"""That a thing is where all things are."""
_INSIDE = re.compile(r"\binside (?:of )?(?=(?:the|a|that|this)\b)", re.IGNORECASE)


def plain_request(text: str) -> str:
    """Return a request without courtesy and manner, its clauses in the order of what is done."""
    text = _PERMISSION.sub("", text.strip())
    polite = _POLITE.match(text)
    if polite is not None:
        text = text[polite.end() :].rstrip("? ")
    text = _WISH.sub(r"\g<what> should be ", text)
    after = _AFTER.match(text)
    if after is not None:
        what = re.sub(r"\b(?:up|it)\b", "", after["what"]).strip()
        text = (f"pick up {what} and " if what else "") + text[after.end() :]
    for pattern, plain in ((_HOW, ""), (_RIGHT, ""), (_SO_THAT, " and put it "), (_PART, ""),
                           (_INSIDE, "in "), (_HOLD_AT, ""), (_STAND, "put "),
                           (_ON_TABLE, "")):  # fmt: skip
        text = pattern.sub(plain, text)
    return re.sub(r"\s+", " ", text).strip(" ,")


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
        return found[0] if names.search(found[1]) else " "

    text = _APPOSITION.sub(dropped, text)
    return re.sub(r"\s+", " ", _RELATIVE.sub(dropped, text)).strip()
