"""How people ask for the tasks, and what they say that means nothing to the arm."""

import numpy as np

from vlm_robot_ros.sim.scene import COLOURS, SHAPES, Scene
from vlm_robot_ros.sim.tasks import Task

_NOUNS = {
    "cube": ("cube", "block", "box", "object", "one"),
    "cylinder": ("cylinder", "can", "tin", "object", "one"),
}
_PICK = ("pick up {o}", "pick {o} up", "grab {o}", "lift {o}", "take {o}", "grasp {o}", "get {o}")
_PUSH = ("push {o} {d}", "move {o} {d}", "shove {o} {d}", "slide {o} {d}", "nudge {o} {d}")
_WHERE = {
    "push left": ("left", "to the left", "leftwards"),
    "push right": ("right", "to the right", "rightwards"),
    "push away": ("away", "forward", "away from you", "further away"),
    "push closer": ("closer", "towards you", "back", "nearer"),
}
_POLITE = (
    "{s}",
    "{s}",
    "{s}",
    "please {s}",
    "{s} please",
    "could you {s}",
    "robot {s}",
    "now {s}",
)
_CHATTER = (
    "sing me a song", "what is the time", "tell me a joke", "hello there", "how are you today",
    "i like the red one", "the weather is nice", "who are you", "dance", "open the window",
    "blue is my favourite colour", "thank you", "make some coffee", "where is the cube",
    "the cube", "left", "the green block", "a nice day to you", "play some music", "read the news",
    "good robot",
    "is it raining", "what colour is the sky", "my cat likes boxes", "red", "count to ten", "you",
)  # fmt: skip


def vocabulary() -> list[str]:
    """Return every word of the grammar and of the chatter, sorted."""
    texts = [*_CHATTER, *_PICK, *_PUSH, *_POLITE, *COLOURS, *SHAPES, "the"]
    texts += [word for words in (*_NOUNS.values(), *_WHERE.values()) for word in words]
    words = {word for text in texts for word in text.split() if "{" not in word}
    return sorted(words)


def say(rng: np.random.Generator, task: Task, scene: Scene, plain: bool = False) -> str:
    """Return a sentence that asks for `task`; `plain` takes the grammar's first choices."""
    item = scene.objects[task.target]
    thing = phrase(rng, item.colour, item.shape, plain)
    return ask(rng, task.skill, thing, plain)


def phrase(rng: np.random.Generator, colour: str, shape: str, plain: bool = False) -> str:
    """Return words for an object, as in "the red cube" or "the red one"."""
    return f"the {colour} {_pick(rng, _NOUNS[shape], plain)}"


def ask(rng: np.random.Generator, skill: str, thing: str, plain: bool = False) -> str:
    """Return a sentence that asks for a skill on a thing."""
    if skill == "pick up":
        sentence = _pick(rng, _PICK, plain).format(o=thing)
    else:
        where = _pick(rng, _WHERE[skill], plain)
        sentence = _pick(rng, _PUSH, plain).format(o=thing, d=where)
    return _pick(rng, _POLITE, plain).format(s=sentence)


def say_nothing_useful(rng: np.random.Generator, words: list[str]) -> str:
    """Return a sentence that asks for nothing the arm can do, for training the refusal.

    Chatter, chatter with words nobody taught, a command that lost its verb or its object, and
    shuffled words.
    """
    kind = rng.integers(4)
    if kind == 0:
        return str(rng.choice(_CHATTER))
    if kind == 1:
        # Words outside the vocabulary all look alike to the model: any stand-in will do.
        length = int(rng.integers(1, 8))
        said = ["qqq" if rng.random() < 0.7 else str(rng.choice(words)) for _ in range(length)]
        return " ".join([*said, "qqq"])
    if kind == 2:
        shape = str(rng.choice(SHAPES))
        thing = phrase(rng, str(rng.choice(list(COLOURS))), shape)
        verb = str(rng.choice([*_PICK, *(p.replace("{d}", "").strip() for p in _PUSH)]))
        return thing if rng.random() < 0.5 else verb.replace("{o}", "").strip()
    return " ".join(str(word) for word in rng.choice(words, int(rng.integers(1, 6))))


def _pick(rng: np.random.Generator, choices: tuple[str, ...], plain: bool) -> str:
    return choices[0] if plain else str(rng.choice(choices))
