"""Sentences with places for names, and what they mean, from `sentence_patterns.yaml`."""

from pathlib import Path

import numpy as np
import yaml

from vlm_robot_ros.language.everyday_words import COLOURS, NOUNS
from vlm_robot_ros.language.interpretation import parse_interpretation
from vlm_robot_ros.language.sentence_file import LabelledSentence
from vlm_robot_ros.language.task_spec import ANY, ObjectReference
from vlm_robot_ros.tasks.objects import RECEPTACLES, SHAPES
from vlm_robot_ros.training.sentence_frames import choose

WAY_WORDS = {
    "left": ("left", "to the left", "leftwards"), "right": ("right", "to the right", "rightwards"),
    "away": ("away", "away from you", "further away"),
    "closer": ("closer", "towards you", "nearer"),
    "in front": ("in front", "in front of it"), "behind": ("behind", "behind it"),
}  # fmt: skip
"""How people say where to."""
_PLACE_WORDS = {
    "left": ("left of", "to the left of"), "right": ("right of", "to the right of"),
    "in front": ("in front of",), "behind": ("behind",),
}  # fmt: skip
_PUSHES, _TURNS = ("left", "right", "away", "closer"), ("left", "right")
_NO_COLOUR = 0.3

PATTERNS: dict[str, list[str]] = yaml.safe_load(
    Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
)
"""Patterns of several steps and of corrections."""


def fill_steps(rng: np.random.Generator) -> LabelledSentence:
    """Return a command of several steps."""
    text, program = fill_pattern(rng, choose(rng, PATTERNS["steps"]))
    return LabelledSentence(text, "", parse_interpretation("command", "", program), "plain")


def fill_correction(rng: np.random.Generator) -> LabelledSentence:
    """Return a correction of a command."""
    after, text, effect, program = fill_pattern(rng, choose(rng, PATTERNS["corrections"]))
    meaning = parse_interpretation("correction", effect, program)
    return LabelledSentence(text, after, meaning, "plain")


def fill_pattern(rng: np.random.Generator, pattern: str) -> list[str]:
    """Return the columns of a pattern with names in its places."""
    names = dict[str, str]()
    for place, thing in zip("abc", _different_things(rng), strict=True):
        names[place] = name_thing(rng, thing)
        names[place.upper()] = f"{thing.colour} {thing.noun}"
    kinds = [str(kind) for kind in rng.permutation(list(RECEPTACLES))[:2]]
    for place, kind in zip("rs", kinds, strict=True):
        word = choose(rng, NOUNS[kind])
        names[place] = f"{RECEPTACLES[kind].preposition} the {word}"
        names[place.upper()] = kind
    names |= {"q": f"the {choose(rng, NOUNS[kinds[0]])}", "Q": kinds[0]}
    pushes = [str(way) for way in rng.permutation(_PUSHES)[:2]]
    for place, way in zip("de", pushes, strict=True):
        names |= {place: choose(rng, WAY_WORDS[way]), place.upper(): way}
    turn, beside = choose(rng, _TURNS), choose(rng, list(_PLACE_WORDS))
    names |= {"t": choose(rng, WAY_WORDS[turn]), "T": turn}
    names |= {"p": choose(rng, _PLACE_WORDS[beside]), "P": beside}
    columns = [column.strip() for column in pattern.split("=>")]
    return [column.format(**names) for column in columns]


def _different_things(rng: np.random.Generator) -> list[ObjectReference]:
    """Return three things that nobody takes for each other."""
    nouns = [str(noun) for noun in rng.permutation(list(SHAPES))[:3]]
    colours = [str(colour) for colour in rng.permutation(list(COLOURS))[:3]]
    if rng.random() < 0.3:  # of one kind; their colours tell which
        nouns = [nouns[0]] * 3
    elif rng.random() < 0.5:
        colours = [ANY if rng.random() < _NO_COLOUR else colour for colour in colours]
    return [ObjectReference(*names) for names in zip(colours, nouns, strict=True)]


def name_thing(rng: np.random.Generator, thing: ObjectReference) -> str:
    """Return words for a thing by its colour and its kind."""
    colour = "" if thing.colour == ANY else choose(rng, COLOURS[thing.colour])
    noun = choose(rng, NOUNS[thing.noun])
    return f"the {colour} {noun}".replace("  ", " ") if colour or noun != "one" else "that one"
