"""Files of sentences and their meanings, one of each per line, with tabs between the columns."""

import csv
from dataclasses import dataclass
from pathlib import Path

from vlm_robot_ros.language.interpretation import Interpretation, parse_interpretation

COLUMNS = ("text", "after", "act", "effect", "steps", "obstacle", "part", "register")
REGISTERS = (
    "plain", "casual", "polite", "spoken", "terse", "reason", "nonnative", "typos", "contrast",
)  # fmt: skip
"""How people speak."""


@dataclass(frozen=True)
class LabelledSentence:
    """A sentence, and what somebody says it means."""

    text: str
    after: str
    """The sentence that it corrects, or nothing."""
    meaning: Interpretation
    register: str


def read_sentences(path: Path) -> list[LabelledSentence]:
    """Return the sentences of a file.

    Raises:
        ValueError: A line is not valid; says which, what was given and what is valid.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise ValueError(f"{path}:1: columns {rows[:1]}; valid: {', '.join(COLUMNS)}")
    return [_sentence(row, f"{path}:{number}") for number, row in enumerate(rows[1:], start=2)]


def _sentence(row: list[str], where: str) -> LabelledSentence:
    if len(row) != len(COLUMNS):
        raise ValueError(f"{where}: {len(row)} columns; valid: {len(COLUMNS)}")
    text, after, act, effect, steps, obstacle, part, register = (each.strip() for each in row)
    try:
        meaning = parse_interpretation(act, effect, steps, obstacle, part)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    if register not in REGISTERS:
        raise ValueError(f"{where}: register {register!r}; valid: {', '.join(REGISTERS)}")
    if not text or (act == "correction" and effect not in ("slower", "faster") and not after):
        raise ValueError(f"{where}: no text, or a correction of nothing; valid: both are said")
    if part and part.lower() not in text.lower():
        raise ValueError(f"{where}: part {part!r} is not in the text; valid: words of the text")
    return LabelledSentence(text, after, meaning, register)
