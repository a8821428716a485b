"""Texts that are no sentences: code, mashed keys, words without an order."""

import json
from collections.abc import Callable, Sequence

import numpy as np

_MARKS = "<>{}[]()$%=;:#|/\\\"'&*"


def garble(rng: np.random.Generator, text: str, words: Sequence[str]) -> str:
    """Return a text that means nothing.

    Args:
        rng: Where the choices come from.
        text: A sentence; some texts are made of its letters.
        words: Any words; others are made of these.
    """
    kinds: tuple[Callable[[], str], ...] = (
        lambda: text[::-1],
        lambda: " ".join(word[::-1] for word in text.split()),
        lambda: " ".join(_mashed(rng) for _ in range(int(rng.integers(1, 6)))),
        lambda: " ".join(_some(rng, words, 8)),
        lambda: " ".join(_some(rng, words, 1) * int(rng.integers(3, 12))),
        lambda: " ".join(_some(rng, [*words[:1], *_numbers(rng)], 6)),
        lambda: _code(rng, words),
    )
    return kinds[int(rng.integers(len(kinds)))]().strip() or "..."


def _some(rng: np.random.Generator, words: Sequence[str], most: int) -> list[str]:
    return [words[int(i)] for i in rng.integers(len(words), size=int(rng.integers(1, most + 1)))]


def _mashed(rng: np.random.Generator) -> str:
    letters = list("abcdefghijklmnopqrstuvwxyz" if rng.random() < 0.5 else "asdfghjkl")
    return "".join(rng.choice(letters, int(rng.integers(2, 12))).tolist())


def _numbers(rng: np.random.Generator) -> list[str]:
    return [
        str(int(rng.integers(10_000))), f"{rng.normal():.3g}", f"{rng.normal() * 1e9:.2e}",
        hex(int(rng.integers(2**31))), "nan", "-inf", "null", "NaN", "0x0", "1e309",
    ]  # fmt: skip


def _code(rng: np.random.Generator, words: Sequence[str]) -> str:
    """Return something like a line of a program, with words that commands have, too."""
    actions = ["move", "pick", "place", "push", "open", "close", "home", "put", "turn", "stack"]
    names = [*actions, *_some(rng, words, 4)]
    one, two, three = (names[int(i)] for i in rng.integers(len(names), size=3))
    lines = (
        f"<{one}>{two}()</{one}>", f"{one}.{two}({three});", f"{one}({two}, {three})",
        json.dumps({one: two, three: None}), f"SELECT {one} FROM {two} WHERE {three} = 1;",
        f"; {one} -rf /{two} #", f"def {one}({two}): return {three}", f"${{{one}}} %s %n {two}",
        f"{{self.{one}}}%d{{{two}}}", f"import {one}.{two} as {three}", f"/{one}/{two}?{three}=1",
        f"[{one}] {two}: {three} = {int(rng.integers(100))}", f"{one}_{two}({three}=True)",
        f"https://www.{one}.com/{two}/{three}", f"{one} && {two} || {three} > /dev/null",
    )  # fmt: skip
    line = lines[int(rng.integers(len(lines)))]
    return line if rng.random() < 0.8 else line + str(rng.choice(list(_MARKS)))
