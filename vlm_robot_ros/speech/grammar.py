"""What can be said to the arm aloud, as rules: for a recogniser to listen for, and to check by.

Made of the language of the table. A recogniser is the surer the fewer ways it must tell apart, so
of the many ways to say a thing these are the plain ones.
"""

import re
from collections.abc import Callable, Iterable

from vlm_robot_ros.language.lexicon import (
    COLOUR_WORDS,
    NOUNS,
    placement_phrases,
    templates,
    verbs,
)
from vlm_robot_ros.tasks.objects import RECEPTACLES, SHAPES
from vlm_robot_ros.tasks.tasks import SKILL, SKILLS

Rules = dict[str, str]
"""By name; in JSGF's way `a | b` is one of them, `[a]` may be left out, `<a>` is a rule."""
RULE_NAME = "said"
"""The rule of a whole sentence."""
SPOKEN_STOPS = "stop | halt | freeze"
"""Those of all words of stop that are seldom heard in others."""
_TAKEN_FOR_OTHERS = {"thing", "loaf", "fruit", "tube", "drum", "flask", "carton", "box", "dish",
                     "container", "tray"}  # fmt: skip
"""Nouns that were heard as others, or others as them."""
_WAYS = 4
"""How many ways to say where to."""
_NUMBERS = {"90": "ninety"}
_CORRECTIONS = (
    "no <object>", "no to the <side>", "a bit more to the <side>", "a bit to the <side>",
    "a little more to the <side>", "a bit more <way>", "undo", "undo that", "take that back",
    "slower", "faster", "slow down", "speed up",
)  # fmt: skip
_PICK = "<verb> <object> | pick <object> up | lift <object> up"
_SEND = "<verb> <object> <where>"


def make_rules(is_known: Callable[[str], bool], wake_word: str = "") -> Rules:
    """Return the rules of what can be said.

    Args:
        is_known: Whether a recogniser knows a word; ways with others are left out.
        wake_word: What must come before all but "stop"; none where it is empty.

    Raises:
        ValueError: the wake word is not known.
    """

    def known(ways: Iterable[str]) -> str:
        spoken = (" ".join(_NUMBERS.get(word, word) for word in way.split()) for way in ways)
        words = re.compile(r"[a-z']+")
        kept = [way for way in spoken if all(map(is_known, words.findall(_strip_rules(way))))]
        return " | ".join(dict.fromkeys(kept))

    if wake_word and not all(map(is_known, wake_word.split())):
        raise ValueError(f"wake word '{wake_word}' is not in the recogniser's dictionary")
    rules = {
        "colour": known(way for colour in COLOUR_WORDS.values() for way in colour.seen),
        "noun": known(
            way
            for shape in (*SHAPES, "object")
            for way in NOUNS[shape].seen
            if way not in _TAKEN_FOR_OTHERS
        ),
        "vessel": known(
            way for kind in RECEPTACLES for way in NOUNS[kind].seen if way not in _TAKEN_FOR_OTHERS
        ),
        "object": "the [<colour>] <noun>",
        "receptacle": "the <vessel>",
        "side": "left | right",
        "way": "away | closer | forward",
        "stop": f"[please] ({SPOKEN_STOPS}) [now | please | it | robot]",
        "correction": known(_CORRECTIONS),
    }
    commands = []
    for skill in SKILLS:
        name = skill.replace(" ", "_")
        wording = verbs(skill)
        if wording is None:
            sentences = templates(skill).seen[: 2 * _WAYS]
            rules[name] = known(way for way in sentences if " " in way)
        else:
            sentence = _SEND if placement_phrases(skill) else _PICK
            rules[f"{name}_verb"] = known(wording.seen)
            rules[f"{name}_where"] = known(_where(skill)) if "<where>" in sentence else ""
            rules[name] = sentence.replace("<verb>", f"<{name}_verb>").replace(
                "<where>", f"<{name}_where>"
            )
        commands.append(f"<{name}>")
    rules = {name: ways for name, ways in rules.items() if ways}
    rules["command"] = " | ".join(commands)
    asked = "[please] (<command>) [please] | <correction>"
    rules[RULE_NAME] = f"{wake_word} ({asked}) | <stop>" if wake_word else f"{asked} | <stop>"
    return rules


def to_jsgf(rules: Rules) -> str:
    """Return rules in the JSpeech Grammar Format, `RULE_NAME` the public one."""
    lines = [
        f"{'public ' if name == RULE_NAME else ''}<{name}> = {ways};"
        for name, ways in rules.items()
    ]
    return "\n".join(["#JSGF V1.0;", "grammar table;", *lines, ""])


def to_pattern(rules: Rules) -> re.Pattern[str]:
    """Return what matches a whole sentence of the rules, each word with a space behind it."""

    def expand(ways: str) -> str:
        parts = []
        for token in re.findall(r"<\w+>|[\w']+|[\[\]()|]", ways):
            if token[0] == "<":
                parts.append(f"(?:{expand(rules[token[1:-1]])})")
            else:
                parts.append({"[": "(?:", "]": ")?", "(": "(?:"}.get(token, token))
                parts[-1] += " " if token[0].isalnum() else ""
        return "".join(parts)

    return re.compile(expand(rules[RULE_NAME]))


def _where(skill: str) -> list[str]:
    ways: list[str] = []
    receptacle = SKILL[skill].reference == "receptacle"
    for preposition in ("in", "on") if receptacle else ("in",):
        wording = placement_phrases(skill, preposition)
        assert wording is not None
        ways += wording.seen[:_WAYS]
    other = "<receptacle>" if receptacle else "<object>"
    return [way.replace("{r}", other) for way in ways]


def _strip_rules(way: str) -> str:
    """Return a way without the rules that it names."""
    return re.sub(r"<\w+>", "", way)
