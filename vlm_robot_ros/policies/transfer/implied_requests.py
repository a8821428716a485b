"""Whether a sentence that is no clear request may be one.

Questions and wishes may be, and remarks that something is not somewhere, or that nothing speaks
against it. Refusals, worries, and remarks on how things were or are to stay are not.
"""

import re

_FLAGS = re.IGNORECASE | re.ASCII
# Questions, and wishes.
_QUESTION = (
    r"^(?:(?:so|and|but|hey|robot|well|um|uh|excuse me),? )*"
    r"(?:(?:is|are|has|have|will|would|should|could|can|does|do|wo|ca)(?:n't)?|shall|may|might) "
    r"(?!(?:you|i|we) (?:see|find|tell|think|know|remember|put|have|ever|hear)\b"
    r"|anyone\b|anybody\b|someone\b|somebody\b|he\b|she\b|they\b)"
)
_WHY_NOT = r"\b(?:why|how come|how is it that|reason)\b[^,;.]*?(?:n't| not| no| cannot)\b"
_DONE_YET = (
    r"^(?:so |and |but )?did you (?:already |ever |manage to |remember to |finally )?"
    r"(?:put|place|set|move|push|slide|get|lay|transfer)\b"
    r"|^did\b.*\b(?:yet|already|by now|so far)\b"
)
_WHEN = r"^when (?:will|does|do|is|are|can|should|would)\b|^how (?:long until|soon)\b"
_WISH = (
    r"\b(?:should|ought to|needs?|supposed|meant|belongs?|better|best|nicer|happier|prefer|love"
    r"|wish|time|missing|without|lack\w*|requires?|ready for|empty|bare|waiting for|awaits"
    r"|room for|space for|(?:spot|place) (?:for|of|is)|home|yet|so far|still not|still no|want"
    r"|goes|fits|where)\b"
)
_PLACE = r"(?:on|in|inside|onto|into|atop|upon|next to|in front of|at the front of|behind|beside)"
_NOT_THERE = (
    r"\b(?:has|have)(?:n't| not) (?:yet |still )?(?:been|made|reached|gotten|got|arrived|come|gone"
    r"|moved|found)\b"
    r"|\b(?:is|are)(?:n't| not)(?: (?:currently|even|actually|really|now|back|yet|resting|sitting"
    rf"|standing|lying|placed|put|set|located|positioned)){{0,3}} (?={_PLACE}\b)"
    r"|\b(?:has|there is|there's) (?:still |currently )?no (?!need\b|reason\b|room\b|space\b"
    r"|place\b|use\b|point\b|hurry\b|rush\b|way\b|right\b|doubt\b|business\b|problem\b)"
)
"""Remarks that something is not somewhere."""
_NO_OBJECTION = re.compile(
    r"\bthere(?: is|'s| would be|'d be) (?:no (?:problem|issue|harm|objection|trouble|obstacle)"
    r"|nothing (?:wrong|against)) (?:with|in|to|if)\b"
    r"|\bnothing (?:stops|prevents|is stopping|is preventing|hinders) you\b"
    r"|\bi (?:have no|do(?:n't| not) have any|see no) (?:problem|objection|issue)s?\b"
    r"|\bi (?:do(?:n't| not)|wouldn't|would not) (?:mind|object) (?:if|to)\b",
    _FLAGS,
)
"""Remarks that it may be done."""
_THOUGHT = re.compile(
    r"\bi (?:thought|assumed|figured|expected|was told|was under the impression)\b.*?"
    r"\b(?:was|were)\b|\btime (?:that )?[^,.;]*?\b(?:was|were)\b",
    _FLAGS,
)
"""Remarks that something else was expected, or that it is time that it was so."""
_MAY_ASK = re.compile(
    "|".join((_QUESTION, _WHY_NOT, _DONE_YET, _NOT_THERE, _NO_OBJECTION.pattern, _WHEN, _WISH)),
    _FLAGS,
)
"""Sentences that may be requests."""
_FINE_NOT = re.compile(
    r"^(?:(?:so|and|but|hey|robot|well),? )*"
    r"(?:is|are|has|have|would|should|could|does|wo|ca)n't\b"
    r"|^(?:is|has|would|should|could|does) (?:it )?not\b"
    rf"|{_WHY_NOT}|(?:n't| not|\bno)\b(?= (?:[a-z']+ ){{0,8}}(?:yet|so far)\b)"
    rf"|\bstill (?:not|no)\b|\bwith no\b|{_NOT_THERE}|{_NO_OBJECTION.pattern}",
    _FLAGS,
)
"""Where "not" asks for what it denies."""
_NOT = re.compile(
    r"n't\b|\b(?:not|no|none|never|nobody|nothing|nowhere|cannot|hardly|unless|without touching"
    r"|instead of|rather than|anywhere but)\b",
    _FLAGS,
)
"""Negations."""
_REFUSES = re.compile(
    r"\b(?:allowed|forbidden|refrain|remov\w+|tak(?:e|en|ing) (?:off|away)|stay off|mind|safe\w*"
    r"|dangerous|wrong|bad|good idea|shame|pity|hands off|watch out|careful|worr\w+|afraid|hope"
    r"|hate|rather|shatter|break|broken|melt|burn|spill|fall\w*"
    r"|too (?:big|small|large|heavy|hot|wide)"
    r"|avoid|stop|quit|cancel|forget|keep\w*|prefer .* to|thank you for|good job)\b"
    r"|\bstill (?!not\b|no\b|without|empty|bare|missing|waiting|need|lack|has no"
    r"|hasn't|isn't|is not)",
    _FLAGS,
)
"""Refusals, worries and complaints, of which the contrary would be proposed."""
_OTHERWISE = re.compile(
    rf"^(?!{_DONE_YET})(?:so |and |but )?(?:who|what|which|where|did"
    r"|how (?:many|much|heavy|big|old|did|do))\b"
    r"|\b(?:anyone|anybody|whoever|everyone|everybody|guests?|people|he|she) "
    r"|\b(?:do you know|is it true|love how|love that)\b"
    r"|\b(?:yesterday|tomorrow|earlier|previous(?:ly)?|ago|later|(?<!how long )until"
    r"|used to|always|usually|normally|i'll|i will|i'm|i have(?! no\b)|i've"
    r"|(?:my|him|her|your)self|themselves"
    r"|in the (?:video|picture|photo|film)|(?:last|next) (?:night|week|month|year|time)"
    r"|the one (?:that|who)|(?:was|were)(?! (?:hoping|wondering|expecting|supposed|meant)))\b",
    _FLAGS,
)
"""What wants to know something, or is of another time or of somebody else."""


def may_ask(text: str, asks_nothing: bool) -> bool:
    """Tell whether a sentence may ask for something.

    Args:
        text: The sentence.
        asks_nothing: Whether it is surely no plain request.
    """
    now = _THOUGHT.sub("", text)
    if _REFUSES.search(_NO_OBJECTION.sub(" ", now)) or _OTHERWISE.search(now):
        return False
    is_wish = not asks_nothing or now != text or _MAY_ASK.search(now)
    return bool(is_wish) and not _NOT.search(_FINE_NOT.sub(" ", now))
