"""What the names of a dataset's values say: which quantity, which unit, which of two arms."""

import re
from collections import defaultdict
from collections.abc import Sequence

_QUANTITIES = {
    "velocity": "vel vels velocity velocities speed speeds qd qdot dq qvel omega",
    "acceleration": "acc accel acceleration accelerations qdd qacc",
    "torque": "torque torques tau effort efforts load",
    "force": "force forces wrench",
    "current": "current currents amps voltage pwm",
    "temperature": "temp temperature temperatures",
}
"""Quantities that are no position, and the words for them."""
_QUANTITY = {word: name for name, words in _QUANTITIES.items() for word in words.split()}
_CHANGE = {"delta", "deltas", "diff", "rel", "relative", "change"}
_POSITION = {"pos", "position", "positions", "qpos"}
_UNITS = {
    "rad": "rad", "rads": "rad", "radian": "rad", "radians": "rad",
    "deg": "deg", "degs": "deg", "degree": "deg", "degrees": "deg",
}  # fmt: skip
_SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}


def split_words(name: str) -> list[str]:
    """Return the words of a name, in small letters: `jointVel_1` has joint, vel and 1."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]


def quantity_of(name: str) -> str:
    """Return which quantity a name speaks of that is no position; empty if of none."""
    for word in split_words(name):
        for part in (word, word.rstrip("0123456789")):
            if part in _QUANTITY:
                return _QUANTITY[part]
    return ""


def is_delta(name: str) -> bool:
    """Tell whether a name speaks of the change of a joint rather than of its position."""
    return any(word in _CHANGE for word in split_words(name))


def unit_of(names: Sequence[str]) -> str:
    """Return the unit of angle that all names say: rad, deg, or empty if they do not."""
    units = [{_UNITS[word] for word in split_words(name) if word in _UNITS} for name in names]
    said = set.union(*units) if units else set()
    return said.pop() if len(said) == 1 and all(units) else ""


def side_of(name: str) -> str:
    """Return left or right where a name says it, or empty."""
    words = split_words(name)
    return next((_SIDES[word] for word in words if word in _SIDES), "")


def arms_in(names: Sequence[str]) -> dict[str, list[int]]:
    """Return the arms that names tell apart, and the places of each one's values.

    Two arms are told apart by left and right, or by one word that differs where the rest of the
    names is the same: `arm1_j1`, `arm1_j2`, `arm2_j1`, `arm2_j2`. Empty where there is one arm.
    """
    sides: dict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(names):
        sides[side_of(name)].append(number)
    # A gripper has a left and a right finger.
    if all(
        any(not re.search("finger|grip", names[n].lower()) for n in sides[side])
        for side in ("left", "right")
    ):
        return {side: sides[side] for side in ("left", "right")}
    plain = [
        [word for word in split_words(name) if word not in {*_POSITION, *_QUANTITY, *_UNITS}]
        for name in names
    ]
    for place in range(max(map(len, plain), default=0)):
        found: dict[str, dict[str, int]] = defaultdict(dict)
        for number, words in enumerate(plain):
            if len(words) > max(place, 1):
                rest = " ".join(words[:place] + words[place + 1 :])
                found[words[place]].setdefault(rest, number)
        rests = [frozenset(each) for each in found.values()]
        # One word and a number is a joint of one arm: joint_1, joint_2.
        if len(rests) > 1 and len(set(rests)) == 1 and len(rests[0]) > 1:
            return {word: sorted(each.values()) for word, each in found.items()}
    return {}
