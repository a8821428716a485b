"""The words of the table: how people ask for its tasks, and which ways training never hears.

In a template {o} is the object, {r} the thing it is related to, {d} a direction, {i} "in" or "on".
"""

from typing import NamedTuple


class Wording(NamedTuple):
    """Ways to say one thing."""

    seen: tuple[str, ...]
    """Training hears these; the first is the plain one."""
    held: tuple[str, ...] = ()
    """Held out: other sentences of words that training hears elsewhere."""
    synonyms: tuple[str, ...] = ()
    """Held out: words that training never hears."""


NOUNS = {
    "cube": Wording(("cube", "block", "box"), (), ("brick", "die")),
    "cylinder": Wording(("cylinder", "tube", "drum"), (), ("canister", "tin")),
    "bottle": Wording(("bottle", "flask"), (), ("vial", "jar")),
    "milk": Wording(("milk", "milk carton", "carton"), (), ("packet",)),
    "lemon": Wording(("lemon", "fruit"), (), ("citrus", "lime")),
    "bread": Wording(("bread", "loaf", "loaf of bread"), (), ("bun", "baguette")),
    "object": Wording(("object", "thing", "one"), (), ("item",)),
    "plate": Wording(("plate", "dish"), (), ("saucer",)),
    "bowl": Wording(("bowl",), (), ("basin",)),
    "bin": Wording(("bin", "container", "tray"), (), ("basket", "crate")),
}
COLOUR_WORDS = {
    "red": Wording(("red",), (), ("crimson", "scarlet")),
    "orange": Wording(("orange",), (), ("tangerine",)),
    "yellow": Wording(("yellow",), (), ("golden",)),
    "green": Wording(("green",), (), ("emerald",)),
    "cyan": Wording(("cyan", "light blue"), (), ("turquoise", "teal")),
    "blue": Wording(("blue", "dark blue"), (), ("navy",)),
    "purple": Wording(("purple",), (), ("violet",)),
    "pink": Wording(("pink",), (), ("rosy",)),
}
PHRASE = Wording(
    ("the {c} {n}", "the {c} {n}", "the {c} {n}", "that {c} {n}", "{c} {n}", "a {c} {n}",
     "the {n} that is {c}", "the {n} which is {c}", "this {n} which is {c}"),
    ("this {c} {n}", "that {n} that is {c}", "a {n} which is {c}"),
)  # fmt: skip
"""An object by colour and noun."""
PHRASE_BARE = Wording(("the {n}", "the {n}", "that {n}", "a {n}"), ("this {n}",))

_WHERE = {
    "left": Wording(
        ("left", "to the left", "leftwards", "to your left", "to the left side"),
        ("over to the left", "towards the left"),
    ),
    "right": Wording(
        ("right", "to the right", "rightwards", "to your right", "to the right side"),
        ("over to the right", "towards the right"),
    ),
    "away": Wording(
        ("away", "away from you", "forward", "further away", "forwards"),
        ("further away from you", "further forward"),
    ),
    "closer": Wording(
        ("closer", "closer to you", "towards you", "nearer", "nearer to you", "towards yourself"),
        ("over towards you", "further towards you"),
    ),
    "turn left": Wording(
        ("left", "to the left", "counterclockwise", "anticlockwise"),
        ("over to the left", "towards the left"),
    ),
    "turn right": Wording(
        ("right", "to the right", "clockwise"), ("over to the right", "towards the right")
    ),
    "place left": Wording(
        ("to the left of", "left of", "on the left of", "on the left side of"),
        ("at the left side of", "to the left side of"),
    ),
    "place right": Wording(
        ("to the right of", "right of", "on the right of", "on the right side of"),
        ("at the right side of", "to the right side of"),
    ),
    "place in front": Wording(("in front of", "before", "at the front of"), ("to the front of",)),
    "place behind": Wording(("behind", "in back of", "at the back of"), ("to the back of",)),
}
_PUSH = Wording(
    ("push {o} {d}", "move {o} {d}", "slide {o} {d}", "nudge {o} {d}", "give {o} a push {d}",
     "take {o} and push it {d}", "{o} push it {d}", "push {d} {o}", "shift {o} {d}",
     "make {o} go {d}", "can {o} go {d}", "i want {o} {d}", "slide {o} over {d}"),
    ("give {o} a nudge {d}", "{o} slide it {d}", "take {o} and move it {d}",
     "i want {o} to go {d}", "{d} is where {o} must go", "make {o} slide {d}"),
    ("shove {o} {d}", "budge {o} {d}", "drag {o} {d}"),
)  # fmt: skip
_PLACE = Wording(
    ("put {o} {d} {r}", "place {o} {d} {r}", "set {o} {d} {r}", "move {o} {d} {r}",
     "put {o} down {d} {r}", "take {o} and put it {d} {r}", "{o} must go {d} {r}",
     "{d} {r} put {o}", "pick up {o} and place it {d} {r}", "{o} put it {d} {r}"),
    ("take {o} and set it down {d} {r}", "{o} place it {d} {r}", "{d} {r} is where {o} must go",
     "i want {o} {d} {r}", "pick {o} up and put it {d} {r}"),
    ("arrange {o} {d} {r}", "lay {o} {d} {r}"),
)  # fmt: skip
_TURN = Wording(
    ("turn {o} {d}", "rotate {o} {d}", "turn {o} {d} by 90 degrees", "rotate {o} 90 degrees {d}",
     "turn {o} a quarter {d}", "rotate {o} {d} by a quarter", "give {o} a quarter turn {d}",
     "take {o} and turn it {d}", "{o} rotate it {d}", "turn {o} by ninety degrees {d}"),
    ("give {o} a turn {d}", "take {o} and rotate it 90 degrees {d}", "{o} turn it {d}",
     "rotate {o} by ninety degrees {d}"),
    ("twist {o} {d}", "swivel {o} {d}"),
)  # fmt: skip
TEMPLATES = {
    "pick up": Wording(
        ("pick up {o}", "pick {o} up", "grab {o}", "lift {o}", "take {o}", "grasp {o}", "get {o}",
         "raise {o}", "lift {o} up", "lift up {o}", "take {o} and lift it", "{o} pick it up",
         "get {o} off the table", "hold {o} up", "grab {o} and hold it up", "i want {o} up"),
        ("raise {o} up", "lift {o} off the table", "grab {o} and lift it up", "{o} grab it",
         "take {o} off the table", "get {o} up"),
        ("fetch {o}", "hoist {o}", "seize {o}"),
    ),
    "put": Wording(
        ("put {o} {i} {r}", "place {o} {i} {r}", "drop {o} {i} {r}", "set {o} {i} {r}",
         "move {o} {i} {r}", "take {o} and put it {i} {r}", "{o} must go {i} {r}",
         "{i} {r} put {o}", "pick up {o} and place it {i} {r}", "{o} put it {i} {r}"),
        ("take {o} and drop it {i} {r}", "{o} place it {i} {r}", "{i} {r} is where {o} must go",
         "i want {o} {i} {r}", "pick {o} up and set it down {i} {r}"),
        ("toss {o} {i} {r}", "deposit {o} {i} {r}"),
    ),
    "stack": Wording(
        ("stack {o} on {r}", "put {o} on top of {r}", "place {o} on {r}", "set {o} on top of {r}",
         "stack {o} on top of {r}", "put {o} on {r}", "take {o} and stack it on {r}",
         "on top of {r} put {o}", "{o} must go on top of {r}"),
        ("take {o} and put it on top of {r}", "{o} stack it on {r}", "i want {o} on top of {r}",
         "pick up {o} and stack it on {r}"),
        ("pile {o} on {r}", "balance {o} on {r}"),
    ),
    "open": Wording(
        ("open the gripper", "open your hand", "open the fingers", "let go", "open up",
         "open your gripper", "let it go", "open the hand"),
        ("open your fingers", "let the thing go", "open up your hand"),
        ("release", "unclench"),
    ),
    "close": Wording(
        ("close the gripper", "close your hand", "close the fingers", "shut the gripper",
         "close your gripper", "shut your hand"),
        ("close your fingers", "shut the fingers", "close the hand"),
        ("clench", "clamp"),
    ),
    "home": Wording(
        ("go home", "move home", "return home", "go back home", "home", "go to the home position",
         "return to the start", "move back to the home position"),
        ("go to the start", "move back home", "return to the home position"),
        ("retreat home", "park"),
    ),
}  # fmt: skip
"""Sentences for the skills without a direction."""
IN = {
    "in": Wording(("in", "into", "inside"), ("down into",), ("within",)),
    "on": Wording(("on", "onto"), ("down on",), ("upon",)),
}
POLITE = Wording(
    ("{s}", "{s}", "{s}", "{s}", "please {s}", "{s} please", "could you {s}", "robot {s}",
     "now {s}", "can you {s}", "would you {s}", "please could you {s}", "ok {s}", "next {s}",
     "hey robot {s}", "go ahead and {s}", "i want you to {s}", "i would like you to {s}",
     "{s} now", "{s} for me", "could you please {s} for me", "{s} thanks", "and now {s}"),
    ("{s}", "robot please {s}", "would you please {s}", "ok robot {s}", "please {s} now",
     "ok now {s}", "can you {s} please", "hey could you {s}"),
)  # fmt: skip
CHATTER = (
    "sing me a song", "what is the time", "tell me a joke", "hello there", "how are you today",
    "i like the red one", "the weather is nice", "who are you", "dance", "open the window",
    "blue is my favourite colour", "thank you", "make some coffee", "where is the cube",
    "the cube", "left", "the green block", "a nice day to you", "play some music", "read the news",
    "good robot", "is it raining", "what colour is the sky", "my cat likes boxes", "red",
    "count to ten", "you", "is there a lemon on the table", "how many bottles are there",
    "the milk is on the table", "i can see a blue box", "close the door", "go to the kitchen",
    "turn on the light", "turn left", "pick a number", "put on some music", "drop dead",
    "what can you do", "is the red cube left of the bowl", "i would like some bread please",
    "hey robot", "ok", "please", "do nothing", "wait", "never mind", "what a nice bowl",
)  # fmt: skip
CHATTER_HELD = (
    "what is your name", "do you like the blue one", "the plate is nice", "open the door",
    "make me a coffee", "where are you", "i like lemon", "how many cubes are there", "right",
    "is there milk", "what is on the table", "turn off the light", "play a song", "the red bottle",
    "good morning", "put on your hat", "move the sun", "pick a card", "who is there",
    "read a book",
)  # fmt: skip
FORBID = Wording(
    ("do not {s}", "never {s}", "you must not {s}", "dont {s}", "please do not {s}"),
    ("please never {s}", "robot do not {s}", "i do not want you to {s}"),
)
"""What makes a command none."""


def templates(skill: str) -> Wording:
    """Return the sentences for a skill, with {d} for its direction where it has one."""
    family = skill.split()[0]
    return {"push": _PUSH, "place": _PLACE, "turn": _TURN}.get(family) or TEMPLATES[skill]


def where(skill: str) -> Wording | None:
    """Return the directions of a skill, or None."""
    family, _, name = skill.partition(" ")
    return _WHERE.get(name if family == "push" else skill)
