"""Sentences with what they mean, without end."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vlm_robot_ros.language.generator import (
    USELESS,
    Split,
    generate_gibberish,
    generate_incomplete,
    generate_non_task,
    generate_tagged_sentence,
    vocabulary,
)
from vlm_robot_ros.language.lexicon import LINKS
from vlm_robot_ros.language.role_tags import strip_tags
from vlm_robot_ros.language.task_spec import COLOUR_SLOT, NONE, NOUN_SLOT, TaskSpec, sample_meaning
from vlm_robot_ros.models.tokenizer import MAX_WORDS, PAD, UNKNOWN, Tokenizer
from vlm_robot_ros.tasks.tasks import SKILLS

_USELESS = 0.3
_PLAIN = 0.15
_FILLERS = (
    "please", "could", "you", "robot", "now", "can", "would", "ok", "next", "hey", "ahead", "for",
    "me", "thanks", "the", "a", "that", "this", "like",
)  # fmt: skip
"""Words that change nothing when they are not understood."""
_ARTICLES = ("the", "a", "this", "that", "one", "it", "please", "now")
"""Words that a sentence can often do without."""
_CROWDED, _SHORT = 0.35, 0.2
"""Parts of the sentences that get words in between, that lose articles."""


class InstructionBatch(NamedTuple):
    """Token ids and the slots they fill."""

    words: Tensor
    """Shape (B, MAX_WORDS)."""
    skill: Tensor
    """-1 where it is not said. Shape (B,)."""
    colour: Tensor
    """Of target and reference, -1 where they are not to be learned. Shape (B, 2)."""
    noun: Tensor
    """As `colour`. Shape (B, 2)."""
    useless: Tensor
    """1 where the words ask for nothing the arm can do. Shape (B,)."""
    owner: Tensor
    """Of each word: 1 if it is of the target, 2 of the reference, 0 of neither, -1 not known.
    Shape (B, MAX_WORDS)."""


class _Row(NamedTuple):
    text: str
    """With marks where something is said."""
    said: TaskSpec | None = None
    skilled: bool = True
    useless: float = 0.0


class InstructionSampler:
    """Draws sentences of the training's words and constructions."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 1])
        self._vocabulary = vocabulary()
        self._tokenizer = Tokenizer(self._vocabulary)
        self._fillers = {self._tokenizer(word)[0] for word in _FILLERS}
        self._between = [self._tokenizer(word)[0] for text in (*LINKS, *_FILLERS)
                         for word in text.split()]  # fmt: skip
        self._articles = {self._tokenizer(word)[0] for word in _ARTICLES}

    def draw(self, size: int) -> InstructionBatch:
        """Return `size` random sentences."""
        ids, slots, owners = [], [], []
        for _ in range(size):
            row = self._sample_row()
            text, marks = strip_tags(row.text)
            words, missed = self._tokenizer(text), 0.0
            known = row.said is not None and len(marks) <= MAX_WORDS
            owner = [*marks, *[-1] * MAX_WORDS][:MAX_WORDS] if known else [-1] * MAX_WORDS
            if row.said is not None:
                words, owner = self._insert_and_drop_words(words, owner)
            if not row.useless:
                words, owner, missed = self._mask_words(words, owner)
            ids.append(words)
            owners.append(owner)
            slots.append((*_slots(None if missed else row), max(row.useless, missed)))
        filled = torch.tensor(slots)
        skill, things = filled[:, 0].long(), filled[:, 1:5].long()
        return InstructionBatch(torch.tensor(ids), skill, things[:, :2], things[:, 2:],
                         filled[:, 5],
                         torch.tensor(owners))  # fmt: skip

    def _sample_row(self) -> _Row:
        rng = self._rng
        meaning = sample_meaning(rng)
        if rng.random() > _USELESS:
            split: Split = "plain" if rng.random() < _PLAIN else "seen"
            return _Row(generate_tagged_sentence(rng, meaning, split), meaning)
        if rng.random() < 0.3:
            return _Row(generate_gibberish(rng, self._vocabulary), useless=1.0)
        kind = USELESS[int(rng.integers(len(USELESS)))]
        while kind != "forbidden" and meaning.target.noun == NONE:
            meaning = sample_meaning(rng)
        if kind == "incomplete":
            # What is missing is missed by the slots, too.
            return _Row(*generate_incomplete(rng, meaning), useless=1.0)
        return _Row(generate_non_task(rng, kind, meaning), useless=1.0)

    def _insert_and_drop_words(
        self, ids: list[int], owner: list[int]
    ) -> tuple[list[int], list[int]]:
        """Put words in between that say nothing, and leave out some: what is said is the same."""
        rng = self._rng
        pairs = [pair for pair in zip(ids, owner, strict=True) if pair[0] != PAD]
        if rng.random() < _CROWDED:
            for _ in range(int(rng.integers(1, 4))):
                at = int(rng.integers(len(pairs) + 1))
                inside = 0 < at < len(pairs) and pairs[at - 1][1] == pairs[at][1]
                word = self._between[int(rng.integers(len(self._between)))]
                pairs.insert(at, (word, pairs[at][1] if inside else 0))
        if rng.random() < _SHORT:
            kept = [p for p in pairs if p[0] not in self._articles or rng.random() < 0.5]
            pairs = kept or pairs
        pairs = [*pairs, *[(PAD, -1)] * MAX_WORDS][:MAX_WORDS]
        return [number for number, _ in pairs], [whose for _, whose in pairs]

    def _mask_words(self, ids: list[int], owner: list[int]) -> tuple[list[int], list[int], float]:
        """Return words some of which are not understood, and whether they are useless by that."""
        rng = self._rng
        roll = rng.random()
        if roll < 0.1:
            # A word that is not understood: a filler may be missed, nothing else.
            at = int(rng.integers(sum(number != PAD for number in ids)))
            filler = ids[at] in self._fillers
            return [*ids[:at], UNKNOWN, *ids[at + 1 :]], owner, float(not filler)
        if roll < 0.15 and ids[-1] == PAD:
            # One before or after it all may be missed, too.
            if rng.random() < 0.5:
                return [UNKNOWN, *ids[:-1]], [0, *owner[:-1]], 0.0
            end = ids.index(PAD)
            return [*ids[:end], UNKNOWN, *ids[end + 1 :]], owner, 0.0
        return ids, owner, 0.0


def _slots(row: _Row | None) -> tuple[float, ...]:
    """Return skill, the colours of target and reference, and their nouns."""
    if row is None or row.said is None:
        return (-1.0,) * 5
    things = (row.said.target, row.said.reference)
    skill = SKILLS.index(row.said.skill) if row.skilled else -1
    colours = [COLOUR_SLOT.index(thing.colour) for thing in things]
    return (skill, *colours, *(NOUN_SLOT.index(thing.noun) for thing in things))
