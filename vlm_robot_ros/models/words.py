"""A word-level tokenizer: small, exact and readable."""

import re
from collections.abc import Sequence
from itertools import islice

PAD, UNKNOWN = 0, 1
MAX_WORDS = 32
"""Longer sentences are cut to their first words."""

_WORD = re.compile(r"[^\W_]+")


class Tokenizer:
    """Words to ids: padding is 0, an unknown word 1, the vocabulary from 2 on."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._index = {word: number for number, word in enumerate(vocabulary, start=2)}

    def __call__(self, text: str) -> list[int]:
        """Return the ids of a sentence's words, padded to `MAX_WORDS`.

        Case and signs do not count; "don't" and "dont" are one word.
        """
        plain = text.lower().replace("'", "").replace("\u2019", "")
        words = (match.group() for match in _WORD.finditer(plain))
        ids = [self._index.get(word, UNKNOWN) for word in islice(words, MAX_WORDS)] or [UNKNOWN]
        return ids + [PAD] * (MAX_WORDS - len(ids))
