"""Marks at words that tell whose they are: the target's or the reference's."""

MARKS = ("\x01", "\x02")
"""End the words for the target, for the reference."""


def tag_words(words: str, mark: str) -> str:
    """Return words with a mark at each."""
    return " ".join(word + mark for word in words.split())


def strip_tags(text: str) -> tuple[str, list[int]]:
    """Return a sentence without marks, and of each word 1 + the index of its mark, or 0."""
    marks = [1 + MARKS.index(word[-1]) if word[-1] in MARKS else 0 for word in text.split()]
    return text.translate(dict.fromkeys(map(ord, MARKS))), marks
