"""A word-level tokenizer: small, exact and readable."""

import re
from collections.abc import Sequence

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
        words = split(text)[:MAX_WORDS]
        ids = [self._index.get(word, UNKNOWN) for word in words] or [UNKNOWN]
        return ids + [PAD] * (MAX_WORDS - len(ids))

    def unknown(self, text: str) -> list[str]:
        """Return the words of a sentence that it does not know, each once."""
        return list(dict.fromkeys(word for word in split(text) if word not in self._index))


def split(text: str) -> list[str]:
    """Return the words of a text, as the tokenizer takes them."""
    plain = text.lower().replace("'", "").replace("\u2019", "")
    return _WORD.findall(plain)
