"""Other sentences from one with a known meaning: other names, noise of speaking and of typing."""

import re
from dataclasses import replace

import numpy as np

from vlm_robot_ros.language.everyday_words import COLOURS, NOUNS
from vlm_robot_ros.language.sentence_file import LabelledSentence
from vlm_robot_ros.language.task_spec import ObjectReference
from vlm_robot_ros.tasks.objects import RECEPTACLES, SHAPES
from vlm_robot_ros.training.sentence_frames import FRAMES, choose
from vlm_robot_ros.training.typing_mistakes import mistype

_OTHER_WORDS = 0.25
"""How often a name is not the usual one."""


def _pattern(names: dict[str, tuple[str, ...]]) -> tuple[re.Pattern[str], dict[str, str]]:
    meaning = {form: name for name, forms in names.items() for form in forms}
    forms = map(re.escape, sorted(meaning, key=len, reverse=True))
    # "Can you": no tin.
    words = "|".join(r"can(?! (?:you|we|i|it)\b)" if form == "can" else form for form in forms)
    return re.compile(rf"\b({words})(s|es|ves)?\b", re.I), meaning


_THINGS = {name: forms for name, forms in NOUNS.items() if name != "object"}
_COLOUR_PATTERN, _COLOUR_OF = _pattern(COLOURS)
_NOUN_PATTERN, _NOUN_OF = _pattern(_THINGS)


def swap_names(rng: np.random.Generator, sentence: LabelledSentence) -> LabelledSentence:
    """Return the sentence with other colours and things, in words and meaning alike.

    A name of the meaning that the words do not show in a known form, misspelt perhaps, keeps all
    names of its kind as they are.
    """
    if rng.random() < 0.75:
        colours = dict(zip(COLOURS, rng.permutation(list(COLOURS)).tolist(), strict=True))
        sentence = _swap(rng, sentence, _COLOUR_PATTERN, _COLOUR_OF, COLOURS, colours)
    if rng.random() < 0.6:
        kinds = (list(SHAPES), list(RECEPTACLES))
        nouns = {old: str(new) for kind in kinds
                 for old, new in zip(kind, rng.permutation(kind), strict=True)}  # fmt: skip
        sentence = _swap(rng, sentence, _NOUN_PATTERN, _NOUN_OF, _THINGS, nouns)
    return sentence


def _swap(
    rng: np.random.Generator,
    sentence: LabelledSentence,
    pattern: re.Pattern[str],
    known: dict[str, str],
    forms: dict[str, tuple[str, ...]],
    new: dict[str, str],
) -> LabelledSentence:
    said = {known[match[1].lower()] for text in (sentence.text, sentence.after)
            for match in pattern.finditer(text)}  # fmt: skip
    is_colour = forms is COLOURS
    wanted = set[str]()
    for step in sentence.meaning.steps:
        for thing in (step.target, step.reference):
            wanted |= {name for name in _names(thing, is_colour) if name in forms}
    if not wanted <= said:
        return sentence
    chosen = {name: _form(rng, forms[name]) for name in forms}

    def other(match: re.Match[str]) -> str:
        word = chosen[new[known[match[1].lower()]]]
        if match[2]:
            word = word if is_colour else _plural(word)
        return word[0].upper() + word[1:] if match[0][0].isupper() else word

    steps = tuple(
        replace(step, target=_renamed(step.target, new), reference=_renamed(step.reference, new))
        for step in sentence.meaning.steps
    )
    text, after, part = (
        _mend_articles(pattern.sub(other, words))
        for words in (sentence.text, sentence.after, sentence.meaning.part)
    )
    part = part if part in text else ""
    return replace(
        sentence, text=text, after=after, meaning=replace(sentence.meaning, steps=steps, part=part)
    )


def _names(thing: ObjectReference | None, colours: bool) -> set[str]:
    if thing is None:
        return set()
    own = {thing.colour if colours else thing.noun}
    for part in (thing.landmark, thing.excluded, thing.alternative):
        own |= _names(part, colours)
    return own


def _renamed(thing: ObjectReference, new: dict[str, str]) -> ObjectReference:
    def part(other: ObjectReference | None) -> ObjectReference | None:
        return None if other is None else _renamed(other, new)

    return replace(
        thing,
        colour=new.get(thing.colour, thing.colour),
        noun=new.get(thing.noun, thing.noun),
        landmark=part(thing.landmark),
        excluded=part(thing.excluded),
        alternative=part(thing.alternative),
    )


def _form(rng: np.random.Generator, forms: tuple[str, ...]) -> str:
    return forms[0] if rng.random() > _OTHER_WORDS else forms[int(rng.integers(len(forms)))]


def _plural(word: str) -> str:
    if word in ("milk", "bread", "trash", "garbage", "rubbish"):
        return word
    if word.endswith("loaf"):
        return word[:-1] + "ves"
    first, of, rest = word.partition(" of ")
    return (
        f"{_plural(first)} of {rest}"
        if of
        else word + ("es" if word.endswith(("x", "sh")) else "s")
    )


def _mend_articles(text: str) -> str:
    text = re.sub(r"\b([Aa]) (?=[aeiouAEIOU])", r"\1n ", text)
    return re.sub(r"\b([Aa])n (?=[bcdfghj-np-tv-zBCDFGHJ-NP-TV-Z])", r"\1 ", text)


def add_noise(rng: np.random.Generator, text: str) -> str:
    """Return a text as somebody may type or say it: case, signs, fillers, politeness, mistakes."""
    if rng.random() < 0.12:
        text = f"{choose(rng, FRAMES['beginnings'])} {uncapitalized(text)}"
    if rng.random() < 0.1:
        text = f"{text.rstrip('.!?')} {choose(rng, FRAMES['endings'])}"
    if rng.random() < 0.12:
        words = text.split()
        words.insert(int(rng.integers(len(words) + 1)), choose(rng, FRAMES["fillers"]))
        text = " ".join(words)
    if rng.random() < 0.3:
        text = mistype(rng, text)
    if rng.random() < 0.35:
        text = text.lower()
    elif rng.random() < 0.02:
        text = text.upper()
    if rng.random() < 0.3:
        text = re.sub(r"[.,!?;:]", "", text) if rng.random() < 0.6 else text.rstrip(".!?")
    return text


def uncapitalized(text: str) -> str:
    """Return a text as it stands within a sentence."""
    return text if re.match(r"I\b", text) else text[:1].lower() + text[1:]
