"""Sentences of the grammar with their meanings."""

import numpy as np

from vlm_robot_ros.language.generator import (
    Split,
    generate_incomplete,
    generate_non_task,
    generate_sentence,
)
from vlm_robot_ros.language.interpretation import Interpretation
from vlm_robot_ros.language.role_tags import strip_tags
from vlm_robot_ros.language.sentence_file import LabelledSentence
from vlm_robot_ros.language.task_spec import (
    MISSING,
    NONE,
    ObjectReference,
    TaskSpec,
    sample_meaning,
)
from vlm_robot_ros.training.sentence_augmentation import swap_names

_PLAIN = 0.25
"""How often a command is of first choices only."""


def grammar_sentence(rng: np.random.Generator) -> LabelledSentence:
    """Return a command, or one that is forbidden, without a verb, or incomplete."""
    meaning, roll = sample_meaning(rng), rng.random()
    has_target = meaning.target.noun != NONE
    if roll < 0.08 and has_target:
        text = generate_non_task(rng, "forbidden", meaning)
        return LabelledSentence(text, "", Interpretation("prohibition"), "plain")
    if roll < 0.12 and has_target:
        text = generate_non_task(rng, "bare", meaning)
        return LabelledSentence(text, "", Interpretation("unclear"), "terse")
    if roll < 0.24 and has_target:
        tagged, said, has_way = generate_incomplete(rng, meaning)
        open_step = _open_step(said, has_way)
        return LabelledSentence(strip_tags(tagged)[0], "", _command(open_step), "plain")
    return grammar_command(rng, meaning)


def grammar_command(rng: np.random.Generator, meaning: TaskSpec | None = None) -> LabelledSentence:
    """Return a command, of a meaning or of any; its names may be changed."""
    meaning = meaning or sample_meaning(rng)
    split: Split = "plain" if rng.random() < _PLAIN else "seen"
    text = generate_sentence(rng, meaning, split)
    return swap_names(rng, LabelledSentence(text, "", _command(meaning), "plain"))


def _command(meaning: TaskSpec) -> Interpretation:
    return Interpretation("command", (meaning,))


def _open_step(said: TaskSpec, has_way: bool) -> TaskSpec:
    """Return a step with marks where an incomplete command of the grammar says nothing.

    Args:
        said: What the command does say.
        has_way: Whether it says where to: a direction, or a place without its reference.
    """
    missing = ObjectReference(noun=MISSING)
    family = said.skill.partition(" ")[0]
    target = said.target if said.target.noun != NONE else missing
    if family in ("push", "turn") and not has_way:
        return TaskSpec(f"{family} ?", target)
    needs_reference = family in ("put", "place", "stack") and said.reference.noun == NONE
    # "Put the cube" asks where to, as "place the cube" does.
    skill = "put" if family == "place" and not has_way else said.skill
    return TaskSpec(skill, target, missing if needs_reference else said.reference)
