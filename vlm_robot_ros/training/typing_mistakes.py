"""Texts as people type them in a hurry: slips of the fingers, spelling by ear, short forms."""

from collections.abc import Callable

import numpy as np

from vlm_robot_ros.training.sentence_frames import FRAMES, SHORT_FORMS, SOUNDS, choose

_MEAN_MISTAKES = (1.5, 1.5, 1.5, 4.0)
"""Mistakes of a text with mistakes, of a hasty one among several; one of these is drawn."""
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def mistype(rng: np.random.Generator, text: str) -> str:
    """Return a text with mistakes; seldom without any, where short words were hit."""
    words = text.split()
    mean = _MEAN_MISTAKES[int(rng.integers(len(_MEAN_MISTAKES)))]
    for _ in range(int(rng.geometric(1 / mean))):
        at, roll = int(rng.integers(len(words))), rng.random()
        word = words[at]
        if word.lower() in SHORT_FORMS and roll < 0.6:
            words[at] = choose(rng, SHORT_FORMS[word.lower()])
        elif roll < 0.08 and at + 1 < len(words):
            words[at : at + 2] = [word + words[at + 1]]
        elif roll < 0.12 and word.lower() in FRAMES["dropped"] and len(words) > 2:
            del words[at]
        elif roll < 0.14:
            words.insert(at, word)
        elif roll < 0.17 and len(word) >= 5:
            middle = int(rng.integers(1, len(word) - 1))
            words[at : at + 1] = [word[:middle], word[middle:]]
        elif roll < 0.37:
            words[at] = _spelt_by_ear(rng, word)
        else:
            words[at] = _slip(rng, word)
    return " ".join(words)


def _spelt_by_ear(rng: np.random.Generator, word: str) -> str:
    fitting = [(sound, others) for sound, others in SOUNDS.items() if sound in word[1:].lower()]
    if not fitting:
        return _slip(rng, word)
    sound, others = fitting[int(rng.integers(len(fitting)))]
    at = word.lower().index(sound, 1)
    return word[:at] + choose(rng, others) + word[at + len(sound) :]


def _slip(rng: np.random.Generator, word: str) -> str:
    if len(word) < 3:
        return word[::-1] if rng.random() < 0.3 else word
    # The first letter is seldom wrong.
    at = int(rng.integers(0 if rng.random() < 0.15 else 1, len(word)))
    head, letter, tail = word[:at], word[at], word[at + 1 :]
    near = _near_key(rng, letter)
    kinds: tuple[Callable[[], str], ...] = (
        lambda: head + tail[:1] + letter + tail[1:] if tail else head[:-1] + letter + head[-1:],
        lambda: head + tail,
        lambda: head + letter + letter + tail,
        lambda: head + near + tail,
        lambda: head + letter + near + tail,
    )
    return kinds[int(rng.choice(len(kinds), p=(0.3, 0.25, 0.13, 0.22, 0.1)))]()


def _near_key(rng: np.random.Generator, letter: str) -> str:
    for row, keys in enumerate(_KEYS):
        if letter.lower() in keys:
            column = keys.index(letter.lower())
            rows = [_KEYS[max(0, row - 1)], keys, keys, _KEYS[min(2, row + 1)]]
            others = rows[int(rng.integers(4))]
            near = others[max(0, min(len(others) - 1, column + int(rng.integers(-1, 2))))]
            return near if near != letter.lower() else keys[column - 1]
    return letter
