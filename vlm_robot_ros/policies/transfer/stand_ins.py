"""Nouns that the parser knows, in place of the names of things."""

import itertools
import re
from collections.abc import Sequence

from vlm_robot_ros.language.lexicon import NOUNS
from vlm_robot_ros.policies.transfer.mentions import Mention

_CARRIED = ("lemon", "bread", "cube", "cylinder", "bottle")
_TAKING = ("bin", "plate", "bowl")
"""Nouns of the parser that stand for things: for what is carried, for what takes it."""
_WORDS_OF = {
    noun: {word for names in NOUNS[noun].all for name in names for word in name.split()}
    for noun in (*_CARRIED, *_TAKING)
}
"""What people say for these nouns."""
_MOST_NAMES = 5
"""Names in a sentence; each may stand for either."""


def stand_ins(count: int, rest: str) -> list[tuple[str, ...]]:
    """Return the words that may stand for the names of a sentence, the likeliest first.

    What is named last mostly takes what is named before.

    Args:
        count: Of the names.
        rest: The sentence without them: what it says itself stands for nothing else.
    """
    said = set(re.findall(r"[a-z]+", rest.lower()))
    free = [
        [noun for noun in nouns if not said & _WORDS_OF[noun]] for nouns in (_CARRIED, _TAKING)
    ]
    found = []
    kinds = sorted(
        itertools.product("ct", repeat=count) if count <= _MOST_NAMES else (),
        key=lambda each: (abs(each.count("t") - min(1, count - 1)), each[-1:] != ("t",)),
    )
    for each in kinds:
        if each.count("t") <= len(free[1]) and each.count("c") <= len(free[0]):
            carried, taking = iter(free[0]), iter(free[1])
            found.append(tuple(next(carried if kind == "c" else taking) for kind in each))
    return found


def replaced(text: str, mentions: Sequence[Mention], words: Sequence[str]) -> str:
    """Return a sentence with words in place of what it mentions."""
    parts, last = [], 0
    for mention, word in zip(mentions, words, strict=True):
        parts += [text[last : mention.start], word]
        last = mention.end
    return "".join([*parts, text[last:]])
