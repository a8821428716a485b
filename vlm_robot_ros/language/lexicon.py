"""The words of the table: how people name its objects and ask for its tasks.

In a template {o} is the object, {v} the verb, {d} where to, {r} the thing that is related to.
"""

from vlm_robot_ros.tasks.paraphrases import Paraphrases
from vlm_robot_ros.tasks.tasks import SKILL

NOUNS = {
    "cube": Paraphrases(("cube", "block", "box"), (), ("brick", "die")),
    "cylinder": Paraphrases(("cylinder", "tube", "drum"), (), ("canister", "tin")),
    "bottle": Paraphrases(("bottle", "flask"), (), ("vial", "jar")),
    "milk": Paraphrases(("milk", "milk carton", "carton"), (), ("packet",)),
    "lemon": Paraphrases(("lemon", "fruit"), (), ("citrus", "lime")),
    "bread": Paraphrases(("bread", "loaf", "loaf of bread"), (), ("bun", "baguette")),
    "object": Paraphrases(("object", "thing", "one"), (), ("item",)),
    "plate": Paraphrases(("plate", "dish"), (), ("saucer",)),
    "bowl": Paraphrases(("bowl",), (), ("basin",)),
    "bin": Paraphrases(("bin", "container", "tray"), (), ("basket", "crate")),
}
COLOUR_WORDS = {
    "red": Paraphrases(("red",), (), ("crimson", "scarlet")),
    "orange": Paraphrases(("orange",), (), ("tangerine",)),
    "yellow": Paraphrases(("yellow",), (), ("golden",)),
    "green": Paraphrases(("green",), (), ("emerald",)),
    "cyan": Paraphrases(("cyan", "light blue"), (), ("turquoise", "teal")),
    "blue": Paraphrases(("blue", "dark blue"), (), ("navy",)),
    "purple": Paraphrases(("purple",), (), ("violet",)),
    "pink": Paraphrases(("pink",), (), ("rosy",)),
}
PHRASE = Paraphrases(
    ("the {c} {n}", "the {c} {n}", "the {c} {n}", "that {c} {n}", "{c} {n}", "a {c} {n}",
     "this {c} {n}", "the {n} that is {c}", "the {n} which is {c}", "this {n} which is {c}",
     "the one {n} that is {c}", "one {c} {n}", "the {n} the {c} one",
      "that one {n} which is {c}"),
    ("the {n} you see that is {c}", "the one that is {c} the {n}", "my {c} {n}"),
)  # fmt: skip
"""An object by colour and noun."""
PHRASE_BARE = Paraphrases(
    ("the {n}", "the {n}", "the {n}", "that {n}", "a {n}", "this {n}", "one {n}", "that one {n}"),
    ("my {n}", "the one {n}"),
)

POLITE = Paraphrases(
    ("{s}", "{s}", "{s}", "{s}", "please {s}", "{s} please", "could you {s}", "robot {s}",
     "now {s}", "can you {s}", "would you {s}", "please could you {s}", "ok {s}", "next {s}",
     "hey robot {s}", "go ahead and {s}", "i want you to {s}", "i would like you to {s}",
     "{s} now", "{s} for me", "could you please {s} for me", "{s} thanks", "and now {s}",
     "robot please {s}", "ok robot {s}", "please {s} now", "can you {s} please",
     "would you please {s}", "ok now {s}", "hey could you {s}", "please robot {s}",
     "would you {s} for me", "{s} now please", "next please {s}"),
    ("{s}", "you {s}", "would you now {s}", "could you now {s} please", "robot would you {s}",
     "and please {s}"),
)  # fmt: skip
LINKS = (
    "and", "is", "you", "should", "must", "i", "want", "see", "go", "to", "for", "what", "that",
    "it", "where", "the one", "now", "can", "let", "make", "this", "then", "so",
)  # fmt: skip
"""Between the parts of a sentence that keeps to no order."""
ASKING = ("is", "where", "what", "see", "to", "for")
"""Of these, those with which a sentence without a verb tells or asks where a thing is."""
OBJECT_LINKS = ("that is", "which is", "that one is", "this is", "is")
"""Between the noun and the colour of such a sentence."""
FORBID = Paraphrases(
    ("do not {s}", "never {s}", "you must not {s}", "dont {s}", "please do not {s}"),
    ("please never {s}", "robot do not {s}", "i do not want you to {s}"),
)
"""What makes a command none."""


def templates(skill: str) -> Paraphrases:
    """Return the sentences for a skill, with {v} for its verb and {d} for where to."""
    return SKILL[skill].templates(skill)


def verbs(skill: str) -> Paraphrases | None:
    """Return the verbs of a skill, or None."""
    return SKILL[skill].verbs(skill)


def placement_phrases(skill: str, preposition: str = "in") -> Paraphrases | None:
    """Return the directions or, with {r} for the reference, the places of a skill, or None.

    Args:
        skill: One of `SKILLS`.
        preposition: Of what something is put in or on.
    """
    return SKILL[skill].places(skill, preposition)
