"""Sentences with what they mean, without end."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vlm_robot_ros.models.words import MAX_WORDS, PAD, UNKNOWN, Tokenizer
from vlm_robot_ros.sim.language import (
    COLOUR_SLOT,
    NONE,
    NOUN_SLOT,
    USELESS,
    Meaning,
    make_no_sense,
    sample_meaning,
    say,
    say_incompletely,
    say_nothing_useful,
    vocabulary,
)
from vlm_robot_ros.sim.tasks import SKILLS

_USELESS = 0.25
_PLAIN = 0.15
_FILLERS = (
    "please", "could", "you", "robot", "now", "can", "would", "ok", "next", "hey", "ahead", "for",
    "me", "thanks", "the", "a", "that", "this", "like",
)  # fmt: skip
"""Words that change nothing when they are not understood."""


class Sentences(NamedTuple):
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


class _Row(NamedTuple):
    text: str
    said: Meaning | None = None
    skilled: bool = True
    useless: float = 0.0


class SentenceSource:
    """Draws sentences of the training's words and constructions."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 1])
        self._vocabulary = vocabulary()
        self._tokenizer = Tokenizer(self._vocabulary)
        self._fillers = {self._tokenizer(word)[0] for word in _FILLERS}

    def draw(self, size: int) -> Sentences:
        """Return `size` random sentences."""
        ids, slots = [], []
        for _ in range(size):
            row = self._one()
            words, missed = self._tokenizer(row.text), 0.0
            if not row.useless:
                words, missed = self._miss(words)
            ids.append(words)
            slots.append((*_slots(None if missed else row), max(row.useless, missed)))
        filled = torch.tensor(slots)
        skill, things = filled[:, 0].long(), filled[:, 1:5].long()
        return Sentences(torch.tensor(ids), skill, things[:, :2], things[:, 2:], filled[:, 5])

    def _one(self) -> _Row:
        rng = self._rng
        meaning = sample_meaning(rng)
        if rng.random() > _USELESS:
            return _Row(say(rng, meaning, "plain" if rng.random() < _PLAIN else "seen"), meaning)
        if rng.random() < 0.3:
            return _Row(make_no_sense(rng, self._vocabulary), useless=1.0)
        kind = USELESS[int(rng.integers(len(USELESS)))]
        while kind != "forbidden" and meaning.target.noun == NONE:
            meaning = sample_meaning(rng)
        if kind == "incomplete":
            # What is missing is missed by the slots, too.
            return _Row(*say_incompletely(rng, meaning), useless=1.0)
        return _Row(say_nothing_useful(rng, kind, meaning), useless=1.0)

    def _miss(self, ids: list[int]) -> tuple[list[int], float]:
        """Return the words, some of them not understood, and whether they are useless by that."""
        rng = self._rng
        roll = rng.random()
        if roll < 0.1:
            # A word that is not understood: a filler may be missed, nothing else.
            at = int(rng.integers(sum(number != PAD for number in ids)))
            filler = ids[at] in self._fillers
            return [*ids[:at], UNKNOWN, *ids[at + 1 :]], float(not filler)
        if roll < 0.15 and ids[-1] == PAD:
            # One before or after it all may be missed, too.
            kept = ids[: ids.index(PAD)]
            kept = [UNKNOWN, *kept] if rng.random() < 0.5 else [*kept, UNKNOWN]
            return kept + [PAD] * (MAX_WORDS - len(kept)), 0.0
        return ids, 0.0


def _slots(row: _Row | None) -> tuple[float, ...]:
    """Return skill, the colours of target and reference, and their nouns."""
    if row is None or row.said is None:
        return (-1.0,) * 5
    things = (row.said.target, row.said.reference)
    skill = SKILLS.index(row.said.skill) if row.skilled else -1
    colours = [COLOUR_SLOT.index(thing.colour) for thing in things]
    return (skill, *colours, *(NOUN_SLOT.index(thing.noun) for thing in things))
