"""Sentences for a meaning, and sentences that ask for nothing."""

import re
from collections.abc import Collection, Sequence
from typing import Literal, get_args

import numpy as np

from vlm_robot_ros.language.distractors import ASKED, CHATTER, CHATTER_HELD
from vlm_robot_ros.language.lexicon import (
    ASKING,
    COLOUR_WORDS,
    FORBID,
    LINKS,
    NOUNS,
    OBJECT_LINKS,
    PHRASE,
    PHRASE_BARE,
    POLITE,
    Paraphrases,
    placement_phrases,
    templates,
    verbs,
)
from vlm_robot_ros.language.role_tags import MARKS, strip_tags, tag_words
from vlm_robot_ros.language.task_spec import ANY, NONE, ObjectReference, TaskSpec
from vlm_robot_ros.tasks.objects import RECEPTACLES
from vlm_robot_ros.tasks.tasks import SKILLS

Split = Literal["plain", "seen", "held", "synonyms"]
"""Whose words: the first choices, training's, sentences held out, or words held out."""
Useless = Literal["chatter", "forbidden", "bare", "incomplete"]
"""Why a sentence asks for nothing: small talk, "do not", a thing and no verb, a part missing."""
USELESS: tuple[Useless, ...] = get_args(Useless)
_LOOSE_FRACTION = 0.25
"""Part of the training's sentences that keep to no order."""
_PRONOUNS = ("it", "that")
"""What does not tell which thing is meant."""


def generate_sentence(rng: np.random.Generator, meaning: TaskSpec, split: Split = "seen") -> str:
    """Return a sentence for a meaning; see `generate_tagged_sentence`."""
    return strip_tags(generate_tagged_sentence(rng, meaning, split))[0]


def generate_tagged_sentence(
    rng: np.random.Generator, meaning: TaskSpec, split: Split = "seen"
) -> str:
    """Return a sentence for a meaning, with `MARKS` at the words for its things.

    A sentence of the split "synonyms" has one word that training never hears; one of "held" a
    construction that it never hears, and half of its parts are said as it never hears them.
    """
    if split == "seen" and meaning.target.noun != NONE and rng.random() < _LOOSE_FRACTION:
        return _choose(rng, POLITE, "seen").format(s=_loose_sentence(rng, meaning))
    odd = ""
    if split == "synonyms":
        places = ["verb", *(name for name in ("target", "reference")
                            if getattr(meaning, name).noun != NONE)]  # fmt: skip
        odd = places[int(rng.integers(len(places)))]
    target = tag_words(_thing_words(rng, meaning.target, split, odd == "target"), MARKS[0])
    reference = _thing_words(rng, meaning.reference, split, odd == "reference")
    reference = tag_words(reference, MARKS[1])
    template = _choose(rng, templates(meaning.skill), split, odd == "verb", must=True)
    while odd == "verb" and "{o}" in template and "{v}" not in template:
        template = _choose(rng, templates(meaning.skill), split)
    way, verb = _placement_phrase(meaning), verbs(meaning.skill)
    sentence = template.format(
        v=_choose(rng, verb, split, odd == "verb") if verb else "",
        o=target,
        d=_choose(rng, way, split).format(r=reference) if way else "",
    )
    return _choose(rng, POLITE, split).format(s=sentence)


def _loose_sentence(rng: np.random.Generator, meaning: TaskSpec) -> str:
    """Return the parts of a sentence in any order: what is said counts, not where it stands."""
    way, verb = _placement_phrase(meaning), verbs(meaning.skill)
    assert verb is not None
    names = ["{o}", "{d}"] if way else ["{o}"]
    if way is None or meaning.skill.startswith("turn") or rng.random() < 0.8:
        names.append("{v}")
    target, reference = (
        tag_words(_loose_thing(rng, thing), mark)
        for thing, mark in zip((meaning.target, meaning.reference), MARKS, strict=True)
    )
    links = [link for link in LINKS if "{v}" in names or link not in ASKING]
    return _shuffled_parts(rng, names, links, templates(meaning.skill).held).format(
        o=target,
        d=_choose(rng, way, "seen").format(r=reference) if way else "",
        v=_choose(rng, verb, "seen"),
    )


def _shuffled_parts(
    rng: np.random.Generator, parts: list[str], links: Sequence[str], held: Collection[str]
) -> str:
    """Return parts with words between them; not as a held-out construction has them."""
    words: list[str] = []
    while not words or " ".join(words) in held:
        words = []
        for number in rng.permutation(len(parts)):
            words += [links[int(i)] for i in rng.integers(0, len(links), int(rng.integers(0, 3)))]
            words.append(parts[number])
    return " ".join(words)


def _placement_phrase(meaning: TaskSpec) -> Paraphrases | None:
    kind = RECEPTACLES.get(meaning.reference.noun)
    return placement_phrases(meaning.skill, kind.preposition if kind else "in")


def _loose_thing(rng: np.random.Generator, thing: ObjectReference) -> str:
    if thing.noun == NONE:
        return ""
    noun = _choose(rng, NOUNS[thing.noun], "seen")
    if thing.colour == ANY:
        return f"the {noun}"
    colour = _choose(rng, COLOUR_WORDS[thing.colour], "seen")
    if rng.random() < 0.6:
        return _choose(rng, PHRASE, "seen").format(c=colour, n=noun)
    link = OBJECT_LINKS[int(rng.integers(len(OBJECT_LINKS)))]
    article = "the " if rng.random() < 0.6 else ""
    return f"{article}{noun} {link} {colour}"


def _thing_words(rng: np.random.Generator, thing: ObjectReference, split: Split, odd: bool) -> str:
    if thing.noun == NONE:
        return ""
    at_colour = odd and thing.colour != ANY and rng.random() < 0.5
    noun = _choose(rng, NOUNS[thing.noun], split, odd and not at_colour)
    if thing.colour == ANY:
        return _choose(rng, PHRASE_BARE, split).format(n=noun)
    colour = _choose(rng, COLOUR_WORDS[thing.colour], split, at_colour)
    return _choose(rng, PHRASE, split).format(c=colour, n=noun)


def _choose(
    rng: np.random.Generator,
    wording: Paraphrases,
    split: Split,
    odd: bool = False,
    must: bool = False,
) -> str:
    choices = wording.seen
    if split == "plain":
        return choices[0]
    if split == "held" and wording.held and (must or rng.random() < 0.5):
        choices = wording.held
    elif odd and wording.synonyms:
        choices = wording.synonyms
    return choices[int(rng.integers(len(choices)))]


def generate_non_task(
    rng: np.random.Generator, kind: Useless, meaning: TaskSpec, split: Split = "seen"
) -> str:
    """Return a sentence that asks for nothing the arm can do.

    Args:
        rng: Random numbers.
        kind: Why it asks for nothing.
        meaning: What is forbidden, or what a part is left out of; with a target.
        split: "seen" or "held".
    """
    if kind == "chatter":
        if split == "seen" and rng.random() < 0.5:
            return _question(rng, meaning)
        chatter = CHATTER_HELD if split == "held" else CHATTER
        return chatter[int(rng.integers(len(chatter)))]
    if kind == "forbidden":
        return _choose(rng, FORBID, split, must=True).format(
            s=generate_sentence(rng, meaning, split)
        )
    if kind == "bare":
        thing = _thing_words(rng, meaning.target, split, odd=False)
        return f"please {thing}" if rng.random() < 0.3 else thing
    return strip_tags(generate_incomplete(rng, meaning, split)[0])[0]


def _question(rng: np.random.Generator, meaning: TaskSpec) -> str:
    """Return a question or a remark about things; none that is held out."""
    way, verb = _placement_phrase(meaning), verbs(meaning.skill)
    assert verb is not None
    text = CHATTER_HELD[0]
    while text in CHATTER_HELD:
        asked = ASKED[int(rng.integers(len(ASKED)))]
        if "{d}" in asked and way is None:
            continue
        reference = _thing_words(rng, meaning.reference, "seen", odd=False)
        text = asked.format(
            o=_thing_words(rng, meaning.target, "seen", odd=False),
            d=_choose(rng, way, "seen").format(r=reference) if way else "",
            v=_choose(rng, verb, "seen"),
        )
    return text


def generate_incomplete(
    rng: np.random.Generator, meaning: TaskSpec, split: Split = "seen"
) -> tuple[str, TaskSpec, bool]:
    """Return a command that does not say what to handle, or not where to.

    Returns:
        The command, with `MARKS`, what it does say, and whether it says which skill is asked for.
    """
    way, verb = _placement_phrase(meaning), verbs(meaning.skill)
    assert verb is not None
    if way is not None and rng.random() < 0.5:
        said = TaskSpec(meaning.skill, meaning.target)
        place = ""
        if "{r}" in way.seen[0] and rng.random() < 0.5:
            place = _choose(rng, way, split).format(r="")
        target = tag_words(_thing_words(rng, meaning.target, split, odd=False), MARKS[0])
        parts = {"o": target, "d": place}
    else:
        said = TaskSpec(meaning.skill, ObjectReference(), meaning.reference)
        parts = {"o": ("", *_PRONOUNS)[int(rng.integers(3))], "d": ""}
        if way is not None:
            reference = _thing_words(rng, meaning.reference, split, odd=False)
            reference = tag_words(reference, MARKS[1])
            parts["d"] = _choose(rng, way, split).format(r=reference)
    parts["v"] = _choose(rng, verb, split)
    text = _choose(rng, POLITE, split).format(s=_without_part(rng, meaning.skill, parts, split))
    return " ".join(text.split()), said, bool(parts["d"]) or way is None


def _without_part(
    rng: np.random.Generator, skill: str, parts: dict[str, str], split: Split
) -> str:
    """Return a sentence for a skill of parts some of which are empty."""
    wording = templates(skill)
    if split == "seen" and rng.random() < _LOOSE_FRACTION:
        said = ("", *_PRONOUNS)
        gone = {key: word if word in said else f"{{{key}}}" for key, word in parts.items()}
        held = {" ".join(text.format(**gone).split()) for text in wording.held}
        kept = [part for part in gone.values() if part]
        return _shuffled_parts(rng, kept, LINKS, held).format(**parts)
    while True:
        template = _choose(rng, wording, split, must=True)
        # "Let it go" means the fingers.
        if "let " not in template or "{v}" in template:
            return template.format(**parts)


def generate_gibberish(rng: np.random.Generator, words: list[str]) -> str:
    """Return words in no order, some of them of no meaning."""
    some = [words[int(i)] for i in rng.integers(0, len(words), int(rng.integers(1, 8)))]
    if rng.random() < 0.5:
        return " ".join(some)
    # Words outside the vocabulary all look alike to the model: any stand-in will do.
    return " ".join([*("qqq" if rng.random() < 0.6 else word for word in some), "qqq"])


def vocabulary() -> list[str]:
    """Return every word that training hears, sorted."""
    wordings = [*NOUNS.values(), *COLOUR_WORDS.values(), PHRASE, PHRASE_BARE, POLITE, FORBID]
    for skill in SKILLS:
        parts = [
            templates(skill),
            verbs(skill),
            placement_phrases(skill),
            placement_phrases(skill, "on"),
        ]
        wordings += [part for part in parts if part]
    texts = [*CHATTER, *ASKED, *LINKS] + [text for wording in wordings for text in wording.seen]
    words = {word for text in texts for word in re.sub(r"\{.\}", " ", text).split()}
    return sorted(words)
