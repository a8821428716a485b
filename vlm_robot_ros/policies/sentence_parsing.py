"""What sentences mean, by a trained network or by another parser with the same methods."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch

from vlm_robot_ros.language.interpretation import Interpretation
from vlm_robot_ros.language.program_tokens import END, MAX_TOKENS, decode, next_tokens
from vlm_robot_ros.models.sentence_parser import WIDTH
from vlm_robot_ros.models.sentence_parser_files import load_parser, to_pieces
from vlm_robot_ros.models.token_writer import TokenWriter
from vlm_robot_ros.paths import SHIPPED_CHECKPOINT, shipped_sentence_parser, user_path


class ParsedSentence(NamedTuple):
    """What a parser makes of a sentence."""

    meaning: Interpretation
    confidence: float
    """Probability that the meaning is this one, 0 to 1."""
    unknown_words: tuple[str, str] = ("", "")
    """Words of no known meaning that may tell target and reference, of parsers that know words."""


class SentenceParser(Protocol):
    """Any parser of sentences."""

    def parse(self, text: str, after: str = "") -> ParsedSentence:
        """Return what a sentence means, said after another one or after none."""


@runtime_checkable
class PhraseEncoder(Protocol):
    """A parser that can tell how alike phrases are."""

    def encode_phrases(self, phrases: Sequence[str]) -> np.ndarray:
        """Return unit vectors of phrases; the more alike they are, the greater their product.

        Shape (N, width).
        """
        ...


OWN_WORDS = "checkpoint"
"""Name of the parser that is a checkpoint's own words."""


def load_sentence_parser(
    name: str | Path = "", synonyms: Mapping[str, str] | None = None
) -> "LearnedSentenceParser | None":
    """Load a sentence parser by its name.

    Args:
        name: A folder of `vlm-robot train-parser`, `OWN_WORDS`; empty or `shipped` for the
            shipped one.
        synonyms: Words that a user taught, and the words that they stand for.

    Returns:
        The parser; None for `OWN_WORDS`.

    Raises:
        CheckpointError: it is missing or corrupt.
    """
    if str(name) == OWN_WORDS:
        return None
    shipped = str(name) in ("", SHIPPED_CHECKPOINT)
    folder = shipped_sentence_parser() if shipped else user_path(name)
    return LearnedSentenceParser(folder, synonyms)


def has_words(text: str) -> bool:
    """Tell whether at least half of a text is words in Latin letters, and little of it is signs.

    Other texts are far from what the parser learned from, and it would take them for anything.
    """
    parts = text.split()
    words = [part for part in parts if re.search(r"[A-Za-z\u00c0-\u024f]{2}", part)
             and not re.search(r"\d[A-Za-z]|[^\x00-\u024f]", part)]  # fmt: skip
    signs = len(_SIGNS.findall(text))
    return bool(words) and 2 * len(words) >= len(parts) and signs <= _MOST_SIGNS * len(text)


_SIGNS = re.compile(r"[<>{}\[\]()$%\\|=_^~*#;:/@\"`]")
_MOST_SIGNS = 0.25
"""Where more characters of a text are signs of programs, it is no sentence."""


class LearnedSentenceParser:
    """The parser that `vlm-robot train-parser` makes."""

    def __init__(self, checkpoint: Path, synonyms: Mapping[str, str] | None = None) -> None:
        """Load a checkpoint folder.

        Args:
            checkpoint: The folder.
            synonyms: Words that a user taught, and the words that they stand for.

        Raises:
            CheckpointError: it is missing or corrupt.
        """
        model, self._pieces = load_parser(checkpoint)
        self._writer = TokenWriter(model)
        self._encoder = model.encoder
        self._synonyms = {word.lower(): meaning for word, meaning in (synonyms or {}).items()}
        words = "|".join(map(re.escape, self._synonyms))
        self._taught = re.compile(rf"\b({words})\b", re.IGNORECASE) if words else None
        tokens = model.config.tokens
        self._number = {token: number for number, token in enumerate(tokens)}
        # What is said while the arm acts may be either, and means the same steps.
        self._acting = [self._number[f"act {act}"] for act in ("command", "correction")]

    @torch.inference_mode()
    def parse(self, text: str, after: str = "") -> ParsedSentence:
        """Return what a sentence means, said after another one or after none."""
        if not has_words(text):
            return ParsedSentence(Interpretation("unclear"), 1.0)
        if self._taught:
            text, after = (
                self._taught.sub(lambda word: self._synonyms[word[0].lower()], each)
                for each in (text, after)
            )
        pieces, segments, mask, encodings = to_pieces(
            self._pieces, [(after, text) if after else text]
        )
        part_logits = self._writer.read(pieces, segments, mask)
        tokens, log_probability = self._write()
        if tokens[-1] != END:
            return ParsedSentence(Interpretation("unclear"), 0.0)
        own = 1 if after else 0
        inside = [
            offset
            for offset, of, logit in zip(
                encodings[0].offsets, encodings[0].sequence_ids, part_logits.tolist(), strict=True
            )
            if of == own and logit > 0
        ]
        part = text[inside[0][0] : inside[-1][1]] if inside else ""
        has_obstacle = any(token.startswith("obstacle ") for token in tokens)
        # "The same for the cube" takes its measure from the sentence before.
        meaning = decode(tokens, f"{text} {after}", part if has_obstacle else "")
        return ParsedSentence(meaning, math.exp(log_probability))

    @torch.inference_mode()
    def encode_phrases(self, phrases: Sequence[str]) -> np.ndarray:
        """Return unit vectors of phrases: what their pieces mean, on average. Shape (N, width)."""
        alike = dict[int, list[int]]()
        for index, each in enumerate(self._pieces.encode_batch(list(phrases))):
            alike.setdefault(sum(each.attention_mask), []).append(index)
        vectors = np.zeros((len(phrases), WIDTH))
        for indices in alike.values():
            pieces, segments, mask, _ = to_pieces(self._pieces, [phrases[i] for i in indices])
            vectors[indices] = self._encoder(pieces, segments, mask).mean(1).numpy()
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _write(self) -> tuple[list[str], float]:
        """Return the likeliest tokens for the sentence that was read, and their log probability.

        They come to no end where there are too many of them.
        """
        tokens: list[str] = []
        log_probability, given = 0.0, list[int]()
        while True:
            logits, guesses = self._writer.write(given, len(tokens))
            scores = logits.log_softmax(-1)
            for row in range(len(guesses)):
                # Skills of other packages are not among the tokens that it learned.
                allowed = [token for token in next_tokens(tokens) if token in self._number]
                numbers = [self._number[token] for token in allowed]
                best = int(scores[row, numbers].argmax())
                acts = numbers[best] in self._acting
                sure = scores[row, self._acting] if acts else scores[row, numbers[best], None]
                log_probability += float(sure.logsumexp(-1))
                tokens.append(allowed[best])
                if tokens[-1] == END or len(tokens) == MAX_TOKENS:
                    return tokens, log_probability
                if row + 1 == len(guesses) or numbers[best] != given[row + 1]:
                    break
            given = [numbers[best], *guesses[row]][: MAX_TOKENS - len(tokens)]
