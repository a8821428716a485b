"""Sentences with their meanings, without end: written ones, changed, joined and corrected."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from vlm_robot_ros.language.interpretation import Interpretation
from vlm_robot_ros.language.program_tokens import TOKENS, encode
from vlm_robot_ros.language.replies import describe_step
from vlm_robot_ros.language.sentence_file import LabelledSentence, read_sentences
from vlm_robot_ros.models.sentence_parser_files import to_pieces
from vlm_robot_ros.training.grammar_sentences import grammar_command, grammar_sentence
from vlm_robot_ros.training.meaningless_texts import garble
from vlm_robot_ros.training.sentence_augmentation import add_noise, swap_names
from vlm_robot_ros.training.sentence_composition import (
    answer,
    can_follow,
    condition,
    contrast,
    correct,
    forbid,
    is_imperative,
    join_steps,
    leave_open,
    repair,
    tell,
)
from vlm_robot_ros.training.sentence_patterns import fill_correction, fill_steps

SENTENCES = Path(__file__).parent.parent / "language" / "sentences"
"""Folder of the written sentences."""
DEVELOPMENT = 12
"""Of so many written sentences one is kept out of training, to choose by."""
_AS_WRITTEN = 0.15
_AFTER_ANOTHER = 0.15
"""How often a command comes while another runs."""
_OF_GRAMMAR = 0.2
"""How often it is the grammar that made the command before."""
_POOL = 16
"""Batches that are drawn at once: what is as long goes into one, with little padding."""
_JOINABLE = ("plain", "casual", "polite", "terse", "nonnative", "typos")


class SentenceBatch(NamedTuple):
    """Word pieces and the tokens that they mean."""

    pieces: Tensor
    segments: Tensor
    mask: Tensor
    """As `SentenceEncoder.forward` takes them. Shape (B, S)."""
    tokens: Tensor
    """Numbers of tokens, -1 after the end. Shape (B, T)."""
    part: Tensor
    """1 at pieces of the words that cannot be done, 0 at others, -1 where nobody knows.
    Shape (B, S)."""


def split_sentences(
    files: Sequence[Path],
) -> tuple[list[LabelledSentence], list[LabelledSentence]]:
    """Return the sentences of files that train, and those that the training is chosen by."""
    train, development = list[LabelledSentence](), list[LabelledSentence]()
    for sentence in (each for path in files for each in read_sentences(path)):
        # By what it says, so that a sentence stays on its side when others are written.
        number = zlib.crc32(f"{sentence.after}\t{sentence.text}".lower().encode())
        (train if number % DEVELOPMENT else development).append(sentence)
    return train, development


class SentenceSampler:
    """Draws sentences to train with."""

    def __init__(
        self, sentences: Sequence[LabelledSentence], pieces: Tokenizer, seed: int
    ) -> None:
        """Take written sentences, and the word pieces to cut them into."""
        self._rng = np.random.default_rng([seed, 2])
        self._pieces = pieces
        self._words = sorted(word for word in pieces.get_vocab() if word.isalpha())
        self._waiting: list[list[LabelledSentence]] = []
        """Batches that were drawn and not given yet."""
        commands = [each for each in sentences if each.meaning.act == "command"]
        self._single = [each for each in commands if len(each.meaning.steps) == 1]
        self._several = [each for each in commands if len(each.meaning.steps) > 1]
        self._impossible = [each for each in commands if each.meaning.obstacle]
        self._corrections = [each for each in sentences if each.meaning.act == "correction"]
        self._idle = [
            each for each in sentences if each.meaning.act not in ("command", "correction")
        ]
        self._statements = [each for each in self._idle if each.meaning.act == "statement"]
        self._joinable = [each for each in self._single if each.register in _JOINABLE
                          and not each.meaning.is_open]  # fmt: skip
        self._open = [each for each in self._single if each.meaning.is_open]
        self._imperatives = [each for each in self._joinable if is_imperative(each)]
        self._recipes: tuple[tuple[float, Callable[[], LabelledSentence]], ...] = (
            (0.24, lambda: self._varied(self._any(self._single))),
            (0.12, lambda: grammar_sentence(self._rng)),
            (0.09, self._joined),
            (0.05, lambda: fill_steps(self._rng)),
            (0.17, lambda: self._swapped(self._any(self._several))),
            (0.17, lambda: self._swapped(self._any(self._corrections))),
            (0.04, self._corrected),
            (0.04, lambda: fill_correction(self._rng)),
            (0.03, self._answered),
            (0.03, lambda: leave_open(self._rng)),
            (0.12, self._nothing),
            (0.03, self._meaningless),
            (0.04, lambda: self._swapped(self._any(self._impossible))),
            (0.02, lambda: forbid(self._rng, self._swapped(self._any(self._imperatives)))),
            (0.02, lambda: condition(self._rng, self._swapped(self._any(self._imperatives)))),
            (0.03, lambda: tell(self._rng, self._swapped(self._any(self._imperatives)))),
        )

    def draw(self, size: int) -> SentenceBatch:
        """Return `size` random sentences, of about the same length."""
        if not self._waiting:
            sentences = [self.sample() for _ in range(_POOL * size)]
            sentences.sort(key=lambda each: len(each.after) + len(each.text))
            self._waiting = [sentences[i : i + size] for i in range(0, len(sentences), size)]
            self._rng.shuffle(self._waiting)
        return to_batch(self._waiting.pop(), self._pieces)

    def sample(self) -> LabelledSentence:
        """Return a random sentence."""
        weights = np.array([weight for weight, _ in self._recipes])
        sentence = self._recipes[self._rng.choice(len(weights), p=weights / weights.sum())][1]()
        if sentence.meaning.act == "command" and self._rng.random() < _AFTER_ANOTHER:
            sentence = self._after_another(sentence)
        if self._rng.random() < _AS_WRITTEN:
            return sentence
        text = add_noise(self._rng, sentence.text)
        after = add_noise(self._rng, sentence.after) if sentence.after else ""
        part = sentence.meaning.part if sentence.meaning.part in text else ""
        return replace(
            sentence, text=text, after=after, meaning=replace(sentence.meaning, part=part)
        )

    def _any(self, sentences: Sequence[LabelledSentence]) -> LabelledSentence:
        return sentences[int(self._rng.integers(len(sentences)))]

    def _swapped(self, sentence: LabelledSentence) -> LabelledSentence:
        return swap_names(self._rng, sentence)

    def _varied(self, sentence: LabelledSentence) -> LabelledSentence:
        """Return a command in other words: with a repair, a contrast or a remark at times."""
        sentence, roll = self._swapped(sentence), self._rng.random()
        if roll < 0.08:
            return repair(self._rng, sentence, self._swapped(self._any(self._joinable)))
        if roll < 0.17 and sentence.register != "contrast" and not sentence.meaning.is_open:
            return contrast(self._rng, sentence)
        if roll < 0.24:
            remark = self._swapped(self._any(self._statements)).text
            mark = "" if remark.endswith((".", "!")) else "."
            text = f"{remark}{mark} {sentence.text}"
            return replace(
                sentence, text=text if roll < 0.21 else f"{sentence.text.rstrip('.!')}. {remark}"
            )
        return sentence

    def _joined(self) -> LabelledSentence:
        for _ in range(10):
            count = 2 if self._rng.random() < 0.7 else 3
            parts = [self._swapped(self._any(self._joinable)) for _ in range(count)]
            if self._rng.random() < 0.08:
                parts[int(self._rng.integers(count))] = self._swapped(self._any(self._impossible))
            if can_follow(parts):
                return join_steps(self._rng, parts)
        return parts[0]

    def _corrected(self) -> LabelledSentence:
        before = self._first()
        return correct(self._rng, before, self._swapped(self._any(self._joinable)))

    def _answered(self) -> LabelledSentence:
        while True:
            asked = self._swapped(self._any(self._open))
            asked = asked if self._rng.random() < 0.5 else leave_open(self._rng)
            if found := answer(self._rng, asked):
                return found

    def _after_another(self, sentence: LabelledSentence) -> LabelledSentence:
        """Return a command said while another runs: what is done from then on."""
        meaning = sentence.meaning
        if meaning.steps and not meaning.is_open:
            meaning = Interpretation("correction", meaning.steps, "replace")
        return replace(sentence, after=self._running(), meaning=meaning)

    def _first(self) -> LabelledSentence:
        """Return a command that another sentence follows."""
        if self._rng.random() < _OF_GRAMMAR:
            return grammar_command(self._rng)
        return self._swapped(self._any(self._joinable))

    def _running(self) -> str:
        """Return a command that runs, as somebody or as the arm puts it."""
        before = self._first()
        return before.text if self._rng.random() < 0.5 else describe_step(before.meaning.steps[0])

    def _nothing(self) -> LabelledSentence:
        """Return a sentence that asks for nothing, after a command at times."""
        sentence = self._swapped(self._any(self._idle))
        return replace(sentence, after=self._running()) if self._rng.random() < 0.3 else sentence

    def _meaningless(self) -> LabelledSentence:
        """Return what is no sentence, after a command at times."""
        text = garble(self._rng, self._any(self._single).text, self._words)
        after = self._running() if self._rng.random() < 0.5 else ""
        return LabelledSentence(text, after, Interpretation("unclear"), "plain")


def to_batch(sentences: Sequence[LabelledSentence], pieces: Tokenizer) -> SentenceBatch:
    """Return sentences as tensors."""
    texts: list[str | tuple[str, str]] = [
        (each.after, each.text) if each.after else each.text for each in sentences
    ]
    ids, segments, mask, encodings = to_pieces(pieces, texts)
    number = {token: i for i, token in enumerate(TOKENS)}
    rows = [[number[token] for token in encode(each.meaning)] for each in sentences]
    longest = max(map(len, rows))
    tokens = torch.tensor([row + [-1] * (longest - len(row)) for row in rows])
    part = torch.full(ids.shape, -1.0)
    for row, each, encoding in zip(part, sentences, encodings, strict=True):
        start = each.text.find(each.meaning.part) if each.meaning.part else -1
        if start < 0:
            continue
        own = 1 if each.after else 0
        for i, (of, (first, last)) in enumerate(
            zip(encoding.sequence_ids, encoding.offsets, strict=True)
        ):
            if of == own:
                inside = first < start + len(each.meaning.part) and last > start
                row[i] = float(inside)
    return SentenceBatch(ids, segments, mask, tokens, part)
