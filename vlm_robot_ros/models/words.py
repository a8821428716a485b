"""A word-level tokenizer: small, exact and readable."""

import re

PAD, UNKNOWN = 0, 1
MAX_WORDS = 16
"""Longer sentences are cut to their first words."""

_WORD = re.compile(r"[^\W_]+")


def encode(text: str, vocabulary: list[str]) -> list[int]:
    """Return the ids of a sentence's words, padded to `MAX_WORDS`; case and signs are ignored."""
    index = {word: number for number, word in enumerate(vocabulary, start=2)}
    words = [match.group() for match, _ in zip(_WORD.finditer(text.lower()), range(MAX_WORDS))]
    ids = [index.get(word, UNKNOWN) for word in words] or [UNKNOWN]
    return ids + [PAD] * (MAX_WORDS - len(ids))
