"""Meanings as short sequences of tokens, which a decoder writes, and the grammar of these.

A sequence is an act; for a correction its effect; then steps, or for a command that cannot be
done its obstacle; then the end. A step is a skill, as many things as it needs, and an amount. A
thing is a colour and a noun, or `?`, and after them what else tells which one.
"""

import re
from collections.abc import Sequence

from vlm_robot_ros.language.interpretation import ACTS, EFFECTS, OBSTACLES, Interpretation
from vlm_robot_ros.language.notation import ARGUMENTS, make_step
from vlm_robot_ros.language.task_spec import (
    COLOUR_SLOT,
    MISSING,
    NONE,
    NOUN_SLOT,
    RELATIONS,
    SELECTORS,
    ObjectReference,
    TaskSpec,
)

END = "end"
_MEASURE, _NOT, _OR = "measure", "not", "or"
_NOUNS = tuple(noun for noun in NOUN_SLOT if noun != NONE)
_AMOUNTS = ("small", "large", _MEASURE)
_SKILLS = tuple(ARGUMENTS)
_OBSTACLES = tuple(filter(None, OBSTACLES))
TOKENS = (
    END, *(f"act {act}" for act in ACTS), *(f"effect {effect}" for effect in EFFECTS if effect),
    *(f"obstacle {each}" for each in _OBSTACLES), *_SKILLS, MISSING, *COLOUR_SLOT, *_NOUNS,
    *SELECTORS, *RELATIONS, _NOT, _OR, *_AMOUNTS,
)  # fmt: skip
"""All tokens."""
MAX_TOKENS = 64
"""Longer meanings are not written."""
_NUMBERS = {
    word: number
    for number, word in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
         "eleven", "twelve", "thirteen", "fourteen", "fifteen"), start=1)
} | {"twenty": 20, "thirty": 30, "forty five": 45, "forty-five": 45, "forty": 40, "fifty": 50,
     "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "half a": 0.5,
     "a": 1}  # fmt: skip
_MEASURED = re.compile(
    rf"(?P<number>\d+(?:[.,]\d+)?|\b(?:{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})\b)"
    r"(?:[\s-]*(?:more |further |extra )?(?P<unit>cm|centi\w*|mm|milli\w*|inch\w*|deg\w*|°))?",
    re.IGNORECASE,
)  # fmt: skip
_REPAIR = re.compile(r"\b(?:no|sorry|rather|actually|i mean|make (?:it|that)|better)\W+$", re.I)
"""Before a number that takes the place of the one before it: "5 cm, no, make it 8"."""
_BY = re.compile(r"\bby\W+$", re.I)
"""Before a number in the unit of the one before it: "the cube by 5 cm and the lemon by 8"."""
_AFTER_NUMBER = re.compile(r"\s*(?:$|[.,;!?]|(?:to|left|right|away|closer|and|then|more)\b)", re.I)
"""After a number without a unit: not a thing, as in "no, two cubes"."""
_ARTICLES = ("a", "one", "half a")
"""Numbers only where a unit follows."""
_HALF_TURN = re.compile(r"\bhalf[\s-]*(?:a[\s-]*)?turn|\bhalfway (?:a)?round|\bfull turn", re.I)
_UNIT = {
    "c": (1.0, "cm"),
    "m": (0.1, "cm"),
    "i": (2.54, "cm"),
    "d": (1.0, "deg"),
    "°": (1.0, "deg"),
}


def encode(meaning: Interpretation) -> list[str]:
    """Return a meaning as tokens."""
    tokens = [f"act {meaning.act}"]
    if meaning.effect:
        tokens.append(f"effect {meaning.effect}")
    if meaning.obstacle:
        tokens.append(f"obstacle {meaning.obstacle}")
    for step in meaning.steps:
        tokens.append(step.skill)
        for thing in (step.target, step.reference)[: ARGUMENTS[step.skill]]:
            tokens += _encode_object(thing)
        if step.amount:
            tokens.append(step.amount if step.amount in _AMOUNTS else _MEASURE)
    return [*tokens, END]


def _encode_object(thing: ObjectReference) -> list[str]:
    if thing.noun == MISSING:
        return [MISSING]
    tokens = [thing.colour, thing.noun]
    if thing.selector:
        tokens.append(thing.selector)
    if thing.landmark:
        tokens += [thing.relation, thing.landmark.colour, thing.landmark.noun]
    if thing.excluded:
        tokens += [_NOT, thing.excluded.colour, thing.excluded.noun]
    if thing.alternative:
        tokens += [_OR, *_encode_object(thing.alternative)]
    return tokens


def next_tokens(tokens: Sequence[str]) -> tuple[str, ...]:
    """Return which tokens may follow others; nothing follows the end."""
    if not tokens:
        return tuple(f"act {act}" for act in ACTS)
    last, act = tokens[-1], tokens[0]
    if last == END:
        return ()
    if act not in ("act command", "act correction"):
        return (END,)
    if act == "act correction" and len(tokens) == 1:
        return tuple(f"effect {effect}" for effect in EFFECTS if effect)
    if last == "act command":
        return (*_OBSTACLES_TOKENS, *_SKILLS)
    if last.startswith("obstacle "):
        return (END,)
    if last.startswith("effect "):
        return (END, *_SKILLS)
    if last in COLOUR_SLOT:
        return _NOUNS
    if last in (_NOT, *RELATIONS):
        return COLOUR_SLOT
    if last == _OR:
        return (MISSING, *COLOUR_SLOT)
    if last in _AMOUNTS:
        return (END, *_SKILLS)
    return _after_skill_or_object(tokens)


_OBSTACLES_TOKENS = tuple(f"obstacle {each}" for each in _OBSTACLES)


def _after_skill_or_object(tokens: Sequence[str]) -> tuple[str, ...]:
    """Return what may follow a skill, or the end of a thing."""
    start = max(i for i, token in enumerate(tokens) if token in _SKILLS)
    named, said = 0, set[str]()
    for before, token in zip(tokens[start:], tokens[start + 1 :], strict=False):
        if (token in COLOUR_SLOT or token == MISSING) and before not in (_NOT, _OR, *RELATIONS):
            named, said = named + 1, set()
        said.add(token)
    left = ARGUMENTS[tokens[start]] - named
    more: tuple[str, ...] = ()
    if named and tokens[-1] != MISSING:
        groups = (SELECTORS, RELATIONS, (_NOT,), (_OR,))
        more = tuple(token for group in groups if not said.intersection(group) for token in group)
    if left:
        return (*more, MISSING, *COLOUR_SLOT)
    return (*more, *(_AMOUNTS if ARGUMENTS[tokens[start]] else ()), END, *_SKILLS)


def decode(tokens: Sequence[str], text: str, part: str = "") -> Interpretation:
    """Return the meaning of tokens that keep to the grammar and come to their end.

    Args:
        tokens: As `encode` makes them.
        text: The sentence; measures are read from it.
        part: The words that are the obstacle.
    """
    act, effect, obstacle = tokens[0].removeprefix("act "), "", ""
    steps: list[TaskSpec] = []
    measures, measure = iter(find_measures(text)), ""
    rest = list(tokens[1:])
    if rest[0].startswith("effect "):
        effect = rest.pop(0).removeprefix("effect ")
    if rest[0].startswith("obstacle "):
        obstacle = rest.pop(0).removeprefix("obstacle ")
    while rest[0] != END:
        skill = rest.pop(0)
        things = [_decode_object(rest) for _ in range(ARGUMENTS[skill])]
        amount = rest.pop(0) if rest[0] in _AMOUNTS else ""
        if amount == _MEASURE:
            # "The same amount" is the one before.
            amount = measure = next(measures, measure)
        steps.append(make_step(skill, things, amount))
    return Interpretation(act, tuple(steps), effect, obstacle, part)  # type: ignore[arg-type]


def _decode_object(rest: list[str]) -> ObjectReference:
    colour = rest.pop(0)
    if colour == MISSING:
        return ObjectReference(noun=MISSING)
    noun, selector, relation, landmark, excluded, alternative = (
        rest.pop(0),
        "",
        "",
        None,
        None,
        None,
    )
    while rest:
        if rest[0] in SELECTORS:
            selector = rest.pop(0)
        elif rest[0] in RELATIONS:
            relation, landmark = rest.pop(0), ObjectReference(rest.pop(0), rest.pop(0))
        elif rest[0] == _NOT:
            rest.pop(0)
            excluded = ObjectReference(rest.pop(0), rest.pop(0))
        elif rest[0] == _OR:
            rest.pop(0)
            alternative = _decode_object(rest)
        else:
            break
    return ObjectReference(colour, noun, selector, relation, landmark, excluded, alternative)


def find_measures(text: str) -> list[str]:
    """Return the lengths and angles that a text names, such as "5 cm", in order."""
    turns = [
        (match.start(), "360 deg" if "full" in match[0].lower() else "180 deg")
        for match in _HALF_TURN.finditer(text)
    ]
    measures, unit = list[tuple[int, str]](), ""
    for match in _MEASURED.finditer(text):
        before = text[: match.start()]
        repairs = bool(measures) and _REPAIR.search(before) is not None
        is_number = match["number"].lower() not in _ARTICLES
        follows = _AFTER_NUMBER.match(text[match.end() :]) is not None
        bare = is_number and follows and (repairs or _BY.search(before) is not None)
        said = match["unit"] or (unit if bare else "")
        if not said:
            continue
        if repairs:
            measures.pop()
        unit = said
        measures.append((match.start(), _measure(match["number"], unit)))
    return [amount for _, amount in sorted(turns + measures)]


def _measure(number: str, unit: str) -> str:
    said = number.lower().replace(",", ".")
    factor, name = _UNIT[unit[0].lower()]
    return f"{(_NUMBERS[said] if said in _NUMBERS else float(said)) * factor:g} {name}"
