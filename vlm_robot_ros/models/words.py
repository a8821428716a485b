"""A word-level tokenizer: small, exact and readable."""

import re
from itertools import islice

PAD, UNKNOWN = 0, 1
MAX_WORDS = 16
"""Longer sentences are cut to their first words."""

_WORD = re.compile(r"[^\W_]+")


def encode(text: str, vocabulary: list[str]) -> list[int]:
    """Return the ids of a sentence's words, padded to `MAX_WORDS`; case and signs are ignored."""
    index = {word: number for number, word in enumerate(vocabulary, start=2)}
    words = (match.group() for match in _WORD.finditer(text.lower()))
    ids = [index.get(word, UNKNOWN) for word in islice(words, MAX_WORDS)] or [UNKNOWN]
    return ids + [PAD] * (MAX_WORDS - len(ids))
