"""The words of the table: how people ask for its tasks, and which ways training never hears.

In a template {o} is the object, {v} the verb, {d} where to, {r} the thing that is related to.
"""

from typing import NamedTuple


class Paraphrases(NamedTuple):
    """Ways to say one thing."""

    seen: tuple[str, ...]
    """Training hears these; the first is the plain one."""
    held: tuple[str, ...] = ()
    """Held out: other sentences of words that training hears elsewhere."""
    synonyms: tuple[str, ...] = ()
    """Held out: words that training never hears."""


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

VERBS = {
    "pick": Paraphrases(
        ("pick up", "grab", "lift", "take", "grasp", "get", "raise", "lift up"), (),
        ("fetch", "hoist", "seize"),
    ),
    "push": Paraphrases(
        ("push", "move", "slide", "nudge", "shift"), (), ("shove", "budge", "drag")
    ),
    "put": Paraphrases(("put", "place", "drop", "set", "move"), (), ("toss", "deposit")),
    "place": Paraphrases(("put", "place", "set", "move"), (), ("arrange", "lay")),
    "stack": Paraphrases(("stack", "put", "place", "set"), (), ("pile", "balance")),
    "turn": Paraphrases(("turn", "rotate", "spin"), (), ("twist", "swivel")),
}  # fmt: skip
"""By the first word of the skill."""
PICK = Paraphrases(
    ("{v} {o}", "{v} {o}", "take {o} and {v} it", "{o} {v} it", "i want {o} up", "pick {o} up",
     "lift {o} up", "{v} {o} off the table", "{o} is what you should {v}", "you should {v} {o}",
     "what you should {v} is {o}", "the thing to {v} is {o}", "hold {o} up", "{o} must go up",
     "grab {o} and hold it up", "get {o} off the table", "you must {v} {o}",
     "let me see you {v} {o}", "grab it i mean {o}", "it is {o} that you should {v}",
     "{o} is the one to {v}", "what i want is {o} up", "see {o} and {v} it", "go and {v} {o}",
     "{o} should go up"),
    ("the one to {v} is {o}", "{o} is the thing to {v}", "you see {o} now {v} it",
     "can you see {o} {v} it", "i must see {o} go up", "let {o} go up"),
)  # fmt: skip
"""Sentences with a verb {v} and nothing but an object."""
SEND = Paraphrases(
    ("{v} {o} {d}", "{v} {o} {d}", "{v} {o} {d}", "{v} {d} {o}", "{d} {v} {o}", "{o} {v} it {d}",
     "take {o} and {v} it {d}", "i want {o} {d}", "{o} should go {d}", "{o} must go {d}",
     "make {o} go {d}", "can {o} go {d}", "{d} is where {o} must go", "let {o} go {d}",
     "{o} is what you should {v} {d}", "what you should {v} {d} is {o}",
     "you should {v} {o} {d}", "the thing to {v} {d} is {o}", "you must {v} {o} {d}",
     "{o} is to go {d}", "let me see you {v} {o} {d}", "{d} is where you should {v} {o}",
     "see {o} {v} it {d}", "{v} it {d} i mean {o}", "it is {o} that you should {v} {d}",
     "{o} is the one to {v} {d}", "what i want is {o} {d}", "see {o} and {v} it {d}",
     "go and {v} {o} {d}", "{d} should {o} go", "{d} is what i want for {o}",
     "take {o} {v} it {d}"),
    ("the one to {v} {d} is {o}", "you see {o} now {v} it {d}", "i must see {o} {d}",
     "let me see {o} go {d}", "{o} is the thing to {v} {d}", "go {v} {o} {d}",
     "{d} go and {v} {o}"),
)  # fmt: skip
"""Sentences with a verb {v}, an object and a direction or a place {d}."""
PUSH = ("give {o} a push {d}", "give {o} a nudge {d}")
TURN = ("give {o} a turn {d}", "give {o} a quarter turn {d}")

_WHERE = {
    "left": Paraphrases(
        ("left", "to the left", "leftwards", "to your left", "to the left side",
         "over to the left", "towards the left", "to your left side", "over to your left",
         "on to the left"),
        ("over on the left", "on to your left", "over to your left side"),
    ),
    "right": Paraphrases(
        ("right", "to the right", "rightwards", "to your right", "to the right side",
         "over to the right", "towards the right", "to your right side", "over to your right",
         "on to the right"),
        ("over on the right", "on to your right", "over to your right side"),
    ),
    "away": Paraphrases(
        ("away", "away from you", "forward", "further away", "forwards", "further forward",
         "further away from you", "forward away from you"),
        ("on forward", "over away from you"),
    ),
    "closer": Paraphrases(
        ("closer", "closer to you", "towards you", "nearer", "nearer to you", "towards yourself",
         "further towards you", "over towards you", "nearer to yourself"),
        ("on towards you", "over nearer to you"),
    ),
    "turn left": Paraphrases(
        ("left", "to the left", "counterclockwise", "anticlockwise", "left by 90 degrees",
         "90 degrees to the left", "counterclockwise by 90 degrees", "ninety degrees left",
         "by a quarter to the left", "a quarter left", "by ninety degrees to the left",
         "a quarter counterclockwise", "by 90 degrees left"),
        ("by a quarter turn left", "ninety degrees to the left",
         "by ninety degrees counterclockwise"),
    ),
    "turn right": Paraphrases(
        ("right", "to the right", "clockwise", "right by 90 degrees", "90 degrees to the right",
         "clockwise by 90 degrees", "ninety degrees right", "by a quarter to the right",
         "a quarter right", "by ninety degrees to the right", "a quarter clockwise",
         "by 90 degrees right"),
        ("by a quarter turn right", "ninety degrees to the right",
         "by ninety degrees clockwise"),
    ),
    "place left": Paraphrases(
        ("to the left of {r}", "left of {r}", "on the left of {r}", "on the left side of {r}",
         "to the left side of {r}", "left from {r}", "at the left side of {r}",
         "over to the left of {r}"),
        ("over on the left side of {r}", "by the left of {r}"),
    ),
    "place right": Paraphrases(
        ("to the right of {r}", "right of {r}", "on the right of {r}",
         "on the right side of {r}", "to the right side of {r}", "right from {r}",
         "at the right side of {r}", "over to the right of {r}"),
        ("over on the right side of {r}", "by the right of {r}"),
    ),
    "place in front": Paraphrases(
        ("in front of {r}", "before {r}", "at the front of {r}", "to the front of {r}",
         "on the front side of {r}", "over in front of {r}"),
        ("over at the front of {r}", "over to the front of {r}"),
    ),
    "place behind": Paraphrases(
        ("behind {r}", "in back of {r}", "at the back of {r}", "to the back of {r}",
         "on the back side of {r}", "over behind {r}"),
        ("over at the back of {r}", "over to the back of {r}"),
    ),
    "stack": Paraphrases(("on top of {r}", "on {r}", "onto {r}", "up on {r}", "on the top of {r}"),
    ("over on top of {r}", "up on top of {r}")),
    "in": Paraphrases(("in {r}", "into {r}", "inside {r}", "down into {r}", "over into {r}"),
    ("over inside {r}", "on into {r}")),
    "on": Paraphrases(("on {r}", "onto {r}", "down on {r}", "over onto {r}"),
    ("over on {r}", "over down on {r}")),
}  # fmt: skip
OWN = {
    "open": Paraphrases(
        ("open the gripper", "open your hand", "open the fingers", "let go", "open up",
         "open your gripper", "let it go", "open the hand", "you should open your hand",
         "make the gripper open", "open your fingers", "open up your hand",
         "you must open the gripper"),
        ("open the fingers up", "go and open your hand", "i want the gripper open"),
        ("release", "unclench"),
    ),
    "close": Paraphrases(
        ("close the gripper", "close your hand", "close the fingers", "shut the gripper",
         "close your gripper", "shut your hand", "you should close your hand",
         "make the gripper close", "close your fingers", "shut the fingers",
         "you must close the gripper"),
        ("i want the gripper shut", "go and close your hand", "shut your fingers"),
        ("clench", "clamp"),
    ),
    "home": Paraphrases(
        ("go home", "move home", "return home", "go back home", "home",
         "go to the home position", "return to the start", "move back to the home position",
         "you should go home", "go to the start", "move back home",
         "return to the home position", "you must go home"),
        ("i want you back home", "let me see you go home", "now back to the start"),
        ("retreat home", "park"),
    ),
}  # fmt: skip
"""Sentences for the arm's own skills."""
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
    if skill in OWN:
        return OWN[skill]
    first = skill.split()[0]
    if first == "pick":
        return PICK
    if first == "turn":
        # Without its verb, to go to the left is to be pushed there.
        seen, held = ([text for text in part if "{v}" in text] for part in SEND[:2])
        return Paraphrases((*seen, *TURN), tuple(held))
    return Paraphrases((*SEND.seen, *PUSH), SEND.held) if first == "push" else SEND


def verbs(skill: str) -> Paraphrases | None:
    """Return the verbs of a skill, or None."""
    return VERBS.get(skill.split()[0])


def placement_phrases(skill: str, preposition: str = "in") -> Paraphrases | None:
    """Return the directions or, with {r} for the reference, the places of a skill, or None.

    Args:
        skill: One of `SKILLS`.
        preposition: Of what something is put in or on.
    """
    family, _, name = skill.partition(" ")
    if family == "put":
        return _WHERE[preposition]
    return _WHERE.get(name if family == "push" else skill)
