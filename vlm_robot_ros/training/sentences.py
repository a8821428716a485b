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
    """Token ids and the slots they fill; the slots of useless ones are not to be learned."""

    words: Tensor
    """Shape (B, MAX_WORDS)."""
    skill: Tensor
    """Shape (B,)."""
    colour: Tensor
    """Of target and reference. Shape (B, 2)."""
    noun: Tensor
    """Shape (B, 2)."""
    useless: Tensor
    """1 where the words ask for nothing the arm can do. Shape (B,)."""


class SentenceSource:
    """Draws sentences of the training's words and constructions."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 1])
        self._vocabulary = vocabulary()
        self._tokenizer = Tokenizer(self._vocabulary)
        self._fillers = {self._tokenizer(word)[0] for word in _FILLERS}

    def draw(self, size: int) -> Sentences:
        """Return `size` random sentences."""
        rows = [self._one() for _ in range(size)]
        ids, meanings, useless = zip(*rows, strict=True)
        things = [(meaning.target, meaning.reference) for meaning in meanings]
        return Sentences(
            torch.tensor(ids),
            torch.tensor([SKILLS.index(meaning.skill) for meaning in meanings]),
            torch.tensor([[COLOUR_SLOT.index(t.colour) for t in pair] for pair in things]),
            torch.tensor([[NOUN_SLOT.index(t.noun) for t in pair] for pair in things]),
            torch.tensor(useless),
        )

    def _one(self) -> tuple[list[int], Meaning, float]:
        rng = self._rng
        if rng.random() < _USELESS:
            return self._tokenizer(self._nonsense()), Meaning(SKILLS[0]), 1.0
        meaning = sample_meaning(rng)
        ids = self._tokenizer(say(rng, meaning, "plain" if rng.random() < _PLAIN else "seen"))
        roll = rng.random()
        if roll < 0.1:
            # A word that is not understood: a filler may be missed, nothing else.
            at = int(rng.integers(sum(number != PAD for number in ids)))
            filler = ids[at] in self._fillers
            ids[at] = UNKNOWN
            return ids, meaning, float(not filler)
        if roll < 0.15 and ids[-1] == PAD:
            # One before or after it all may be missed, too.
            end = ids.index(PAD)
            kept = ids[:end]
            kept = [UNKNOWN, *kept] if rng.random() < 0.5 else [*kept, UNKNOWN]
            ids = kept + [PAD] * (MAX_WORDS - len(kept))
        return ids, meaning, 0.0

    def _nonsense(self) -> str:
        rng = self._rng
        if rng.random() < 0.3:
            return make_no_sense(rng, self._vocabulary)
        kind = USELESS[int(rng.integers(len(USELESS)))]
        meaning = sample_meaning(rng)
        while kind != "forbidden" and meaning.target.noun == NONE:
            meaning = sample_meaning(rng)
        return say_nothing_useful(rng, kind, meaning)
