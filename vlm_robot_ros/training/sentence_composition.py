"""New sentences from several with known meanings: steps, repairs, contrasts, corrections."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vlm_robot_ros.language.everyday_words import COLOURS, NOUNS
from vlm_robot_ros.language.interpretation import Act, Interpretation
from vlm_robot_ros.language.notation import make_step
from vlm_robot_ros.language.sentence_file import LabelledSentence
from vlm_robot_ros.language.task_spec import ANY, MISSING, ObjectReference, TaskSpec
from vlm_robot_ros.tasks.objects import RECEPTACLES, SHAPES
from vlm_robot_ros.training.sentence_augmentation import uncapitalized
from vlm_robot_ros.training.sentence_frames import FRAMES, choose
from vlm_robot_ros.training.sentence_patterns import WAY_WORDS, name_thing

_WAYS = {"left": "right", "right": "left", "away": "closer", "closer": "away",
         "in front": "behind", "behind": "in front"}  # fmt: skip
_VERBS = frozenset({
    "pick", "push", "put", "place", "stack", "turn", "rotate", "open", "close", "go", "grab",
    "move", "slide", "set", "drop", "lift", "nudge", "shift", "get", "take", "spin", "bring",
    "raise", "throw", "stick", "pop", "chuck", "shunt", "scoot", "bump", "return", "let",
})  # fmt: skip
_MAX_TRIES = 20
"""Tries to find sentences that fit each other."""


def join_steps(rng: np.random.Generator, parts: Sequence[LabelledSentence]) -> LabelledSentence:
    """Return one command of several steps."""
    texts = [_inner(part.text) for part in parts]
    obstacles = [part.meaning for part in parts if part.meaning.obstacle]
    steps = tuple(step for part in parts for step in part.meaning.steps)
    if len(parts) == 2 and rng.random() < 0.2 and all(is_imperative(part) for part in parts):
        text = choose(rng, FRAMES["order"]).format(first=texts[0], second=texts[1])
    else:
        text = texts[0]
        for other in texts[1:]:
            text += choose(rng, FRAMES["then"]) + other
    meaning = replace(obstacles[0], steps=()) if obstacles else Interpretation("command", steps)
    if meaning.part not in text:
        meaning = replace(meaning, part="")
    return replace(parts[0], text=text, meaning=meaning)


def can_follow(parts: Sequence[LabelledSentence]) -> bool:
    """Tell whether commands are steps of their own: none only serves the next one."""
    picked = None
    for part in parts:
        for step in part.meaning.steps:
            if picked is not None and (picked == step.target or step.target.colour == ANY):
                return False
            picked = step.target if step.skill == "pick up" else None
    return True


def repair(
    rng: np.random.Generator, sentence: LabelledSentence, other: LabelledSentence
) -> LabelledSentence:
    """Return the sentence said after another or after a wrong name of a thing, and repaired."""
    if rng.random() < 0.4:
        return replace(
            sentence,
            text=_inner(other.text) + choose(rng, FRAMES["restarts"]) + _inner(sentence.text),
        )
    names = COLOURS if rng.random() < 0.6 else NOUNS
    words = [w for forms in names.values() for w in forms[:3] if rng.random() < 0.8]
    found = [m for m in re.finditer(r"\b[a-zA-Z]+\b", sentence.text) if m[0].lower() in words]
    if not found:
        return sentence
    match = found[int(rng.integers(len(found)))]
    wrong, marker = words[int(rng.integers(len(words)))], choose(rng, FRAMES["repairs"])
    article = "the " if rng.random() < 0.4 else ""
    text = (
        f"{sentence.text[: match.start()]}{wrong}{marker}{article}{sentence.text[match.start() :]}"
    )
    return replace(sentence, text=text)


def contrast(rng: np.random.Generator, sentence: LabelledSentence) -> LabelledSentence:
    """Return the command with a thing that is not meant."""
    thing = random_thing(rng, unlike=sentence.meaning)
    text = sentence.text.rstrip(".! ")
    if rng.random() < 0.3:
        return replace(
            sentence, text=choose(rng, FRAMES["contrasts_before"]).format(o=thing) + _inner(text)
        )
    return replace(sentence, text=text + choose(rng, FRAMES["contrasts"]).format(o=thing))


def forbid(rng: np.random.Generator, sentence: LabelledSentence) -> LabelledSentence:
    """Return the prohibition of a command."""
    text = choose(rng, FRAMES["prohibitions"]).format(s=_inner(sentence.text))
    return replace(sentence, text=text, meaning=Interpretation("prohibition"))


def condition(rng: np.random.Generator, sentence: LabelledSentence) -> LabelledSentence:
    """Return the command under a condition, which the arm cannot check."""
    text = choose(rng, FRAMES["conditions"]).format(
        s=_inner(sentence.text), c=choose(rng, FRAMES["condition_clauses"])
    )
    return replace(sentence, text=text, meaning=Interpretation("condition"))


def tell(rng: np.random.Generator, sentence: LabelledSentence) -> LabelledSentence:
    """Return a question or a statement about a command."""
    act: Act = "question" if rng.random() < 0.5 else "statement"
    text = choose(rng, FRAMES[f"{act}s"]).format(s=_inner(sentence.text))
    return replace(sentence, text=text, meaning=Interpretation(act))


def leave_open(rng: np.random.Generator) -> LabelledSentence:
    """Return a command that does not say which way."""
    family = choose(rng, ("push", "turn", "place"))
    things = [
        ObjectReference(
            ANY if rng.random() < 0.3 else choose(rng, list(COLOURS)), choose(rng, list(SHAPES))
        )
        for _ in range(2 if family == "place" else 1)
    ]
    words = dict(zip("or", (name_thing(rng, thing) for thing in things), strict=False))
    text = choose(rng, FRAMES[f"open_{family}"]).format(**words)
    step = make_step(f"{family} ?", things)
    return LabelledSentence(text, "", Interpretation("command", (step,)), "plain")


def answer(rng: np.random.Generator, asked: LabelledSentence) -> LabelledSentence | None:
    """Return what settles the first step of a command that leaves something open, if it can."""
    step, *rest = asked.meaning.steps
    family, _, way = step.skill.partition(" ")
    if way == "?":
        ways = {"push": ("left", "right", "away", "closer"), "turn": ("left", "right"),
                "place": ("left", "right", "in front", "behind")}[family]  # fmt: skip
        chosen = choose(rng, ways)
        words, new = choose(rng, WAY_WORDS[chosen]), replace(step, skill=f"{family} {chosen}")
    elif step.target.alternative:
        thing = step.target.alternative if rng.random() < 0.5 else step.target
        thing = replace(thing, alternative=None)
        words, new = name_thing(rng, thing), replace(step, target=thing)
    elif step.target.noun == MISSING:
        colour = ANY if rng.random() < 0.3 else choose(rng, list(COLOURS))
        thing = ObjectReference(colour, choose(rng, list(SHAPES)))
        words, new = name_thing(rng, thing), replace(step, target=thing)
    elif step.reference.noun == MISSING and step.skill == "put":
        kind = choose(rng, list(RECEPTACLES))
        words = f"{RECEPTACLES[kind].preposition} the {choose(rng, NOUNS[kind])}"
        new = replace(step, reference=ObjectReference(ANY, kind))
    else:
        return None
    text = choose(rng, FRAMES["answers"]).format(a=words)
    return _correction(asked, text, "replace", (new, *rest))


def correct(
    rng: np.random.Generator, before: LabelledSentence, other: LabelledSentence
) -> LabelledSentence:
    """Return a correction of a sentence: another thing, another way, another command."""
    step, roll = before.meaning.steps[0], rng.random()
    family, _, way = step.skill.partition(" ")
    meaning, said = before.meaning, other.meaning
    if roll < 0.3 and len(meaning.steps) == 1 and way in _WAYS:
        words = [choose(rng, WAY_WORDS[each]) for each in (_WAYS[way], way)]
        text = choose(rng, FRAMES["other_way"]).format(d=words[0], e=words[1])
        new = (replace(step, skill=f"{family} {_WAYS[way]}", amount=""),)
        return _correction(before, text, "replace", new)
    if roll < 0.6 and len(meaning.steps) == 1 and step.target != ObjectReference():
        return _other_thing(rng, before)
    if roll < 0.75 and said.steps:
        text = choose(rng, FRAMES["added"]).format(s=_inner(other.text))
        return _correction(before, text, "add", (*meaning.steps, *said.steps))
    text = choose(rng, FRAMES["new_command"]).format(s=_inner(other.text))
    return _correction(before, text, "replace", said.steps)


def _other_thing(rng: np.random.Generator, before: LabelledSentence) -> LabelledSentence:
    step = before.meaning.steps[0]
    if step.reference.noun in RECEPTACLES and rng.random() < 0.3:
        nouns = [noun for noun in RECEPTACLES if noun != step.reference.noun]
        noun = nouns[int(rng.integers(len(nouns)))]
        text = choose(rng, FRAMES["other_thing"]).format(o=f"the {choose(rng, NOUNS[noun])}")
        new = replace(step, skill="put", reference=ObjectReference(ANY, noun))
        return _correction(before, text, "replace", (new,))
    colour = list(COLOURS)[int(rng.integers(len(COLOURS)))]
    has_reference = step.reference.noun not in ("none", *RECEPTACLES)
    of_another_kind = choose(rng, list(SHAPES))
    if rng.random() < 0.35 and of_another_kind not in (step.target.noun, step.reference.noun):
        # The other kind takes the place of the target.
        named = ObjectReference(ANY if rng.random() < 0.4 else colour, of_another_kind)
        text = choose(rng, FRAMES["other_thing"]).format(o=name_thing(rng, named))
        return _correction(before, text, "replace", (replace(step, target=named),))
    # Where two things can be meant, the noun of one of them tells which.
    which = "reference" if has_reference and rng.random() < 0.5 else "target"
    thing, rest = getattr(step, which), step.reference if which == "target" else step.target
    if has_reference and (thing.noun == rest.noun or "object" in (thing.noun, rest.noun)):
        text = choose(rng, FRAMES["other_thing"]).format(
            o=f"the {choose(rng, COLOURS[colour])} one"
        )
        new = replace(step, target=ObjectReference(colour, step.target.noun))
        return _correction(before, text, "replace", (new,))
    word = choose(rng, NOUNS[thing.noun]) if has_reference or rng.random() < 0.4 else "one"
    text = choose(rng, FRAMES["other_thing"]).format(
        o=f"the {choose(rng, COLOURS[colour])} {word}"
    )
    named = ObjectReference(colour, thing.noun)
    new = replace(step, target=named) if which == "target" else replace(step, reference=named)
    return _correction(before, text, "replace", (new,))


def _correction(
    before: LabelledSentence, text: str, effect: str, steps: tuple[TaskSpec, ...]
) -> LabelledSentence:
    meaning = Interpretation("correction", steps, effect)  # type: ignore[arg-type]
    return replace(before, text=text, after=before.text, meaning=meaning)


def random_thing(rng: np.random.Generator, unlike: Interpretation) -> str:
    """Return words for a thing that a meaning does not name."""
    named = {(thing.colour, thing.noun) for step in unlike.steps
             for thing in (step.target, step.reference)}  # fmt: skip
    for _ in range(_MAX_TRIES):
        colour = list(COLOURS)[int(rng.integers(len(COLOURS)))]
        noun = list(NOUNS)[int(rng.integers(len(NOUNS) - 3))]
        if not any(
            (colour == c and noun in (n, "object")) or (noun == n and c == ANY) for c, n in named
        ):
            return f"the {choose(rng, COLOURS[colour])} {choose(rng, NOUNS[noun])}"
    return "the other one"


def is_imperative(sentence: LabelledSentence) -> bool:
    """Tell whether a command begins with its verb."""
    return sentence.text.split()[0].lower() in _VERBS


def _inner(text: str) -> str:
    return uncapitalized(text.strip().rstrip(".!"))
