"""Where a sentence may name things, in any words."""

import re

_DETERMINERS = r"(?:the|a|an|that|this|some|my|your|our)"
_ENDS = frozenset({
    "is", "are", "was", "were", "be", "being", "been", "should", "must", "needs", "need",
    "has", "have", "had", "goes", "go", "belongs", "ought", "to", "that", "which", "who",
    "whose", "where", "on", "onto", "in", "into", "inside", "at", "atop", "over", "under",
    "beneath", "above", "next", "beside", "near", "by", "from", "off", "up", "down", "out",
    "away", "and", "or", "but", "so", "then", "please", "than", "it", "its", "there", "here",
    "front", "behind", "between", "across", "around", "along", "as", "if", "when", "while",
    "until", "because", "before", "after", "below", "only", "instead", "back", "except", "you",
    "we", "i", "they", "he", "she", "no", "never", "also", "too", "the", "a", "an", "this",
    "stands", "lies", "sits", "rests", "hangs", "comes", "does", "do", "did", "with",
    "without", "for", "of", "could", "would", "will", "may", "might", "not", "now", "upon",
    "requires", "require", "lacks", "misses", "awaits",
    "against", "toward", "towards", "through", "put", "place", "set", "move", "take",
})  # fmt: skip
"""Words that are no part of the name of a thing."""
_ALSO_FIRST = frozenset({
    "can", "left", "right", "forward", "forwards", "backward", "backwards", "closer",
    "further", "farther", "aside", "again", "together", "nearer",
})  # fmt: skip
"""Words that a name may begin with; after one they are no part of it."""
_CONTAINERS = frozenset({
    "box", "carton", "can", "tin", "bottle", "packet", "pack", "package", "jar", "stick",
    "bag", "block", "tub", "cup", "glass", "piece", "roll", "tube", "loaf", "pair", "set",
    "deck", "flask", "container", "ball",
})  # fmt: skip
"""Words before "of" that belong to the name: a can of soup."""
_SELECTING = frozenset({
    "other", "leftmost", "rightmost", "nearest", "closest", "farthest", "furthest", "first",
    "second", "third", "last", "left", "right", "middle", "same", "another",
})  # fmt: skip
"""Words that tell which of several things is meant."""
_PARTICIPLES = frozenset({
    "located", "placed", "moved", "positioned", "stacked", "used", "called", "labelled",
    "labeled", "marked", "transferred", "brought", "resting", "sitting", "standing", "lying",
    "laying", "leaning", "waiting", "being", "slid", "pushed", "carried", "lifted", "dropped",
    "shown", "seen", "made", "meant", "supposed", "intended", "missing",
    "ready", "required", "filled", "adjacent", "closest", "nearest",
})  # fmt: skip
"""Words that tell of a thing what comes after its name."""
_PARTS = frozenset({
    "top", "front", "back", "side", "edge", "rim", "middle", "center", "centre", "left",
    "right", "surface", "inside", "interior", "corner", "rear", "end", "way", "place", "spot",
    "position", "table", "floor", "counter", "countertop", "tabletop", "room", "robot", "arm",
    "gripper", "hand", "task", "picture", "photo", "photograph", "look", "break", "note",
    "moment", "bit", "wash", "minute", "second", "favour", "favor", "rest", "seat", "walk",
    "breath", "turn", "step", "guess", "nap", "question", "list", "time", "thing", "things",
    "one", "object", "item",
})  # fmt: skip
"""Parts and places that are no things of their own."""

_NAMELESS = (
    rf"(?!{_DETERMINERS}\b|it\b|its\b|them\b|this\b|that\b|these\b|those\b|me\b|you\b|up\b|down\b"
    r"|off\b|out\b|on\b|in\b|left\b|right\b|forwards?\b|backwards?\b|back\b|away\b"
    r"|closer\b|aside\b"
    r"|here\b|there\b|top\b|front\b|home\b|everything\b|something\b|nothing\b|all\b"
    r"|both\b|two\b|place\b"
    r"|to\b|at\b|over\b|by\b|with\b|next\b|ready\b|lost\b|going\b|care\b)(?=[a-z])"
)
_TERSE_VERB = re.compile(
    r"^((?:please |now |then )*(?:pick up|take|grab|grasp|get|put|place|set|move|lift"
    r"|push|slide|bring|drop"
    rf"|stack|lay|fetch|position)) {_NAMELESS}",
    re.IGNORECASE,
)
_TERSE_PLACE = re.compile(
    r"\b(on top of|onto|on|into|inside|in front of|in|next to|beside|behind|left of"
    r"|right of|from) "
    rf"{_NAMELESS}",
    re.IGNORECASE,
)


def with_determiners(text: str) -> str:
    """Return a terse request with "the": "put apple on plate"; other sentences as they are."""
    if re.search(rf"\b{_DETERMINERS}\b", text, re.IGNORECASE):
        return text
    verb = _TERSE_VERB.sub(r"\1 the ", text)
    return text if verb == text else _TERSE_PLACE.sub(r"\1 the ", verb)


def noun_phrases(text: str) -> list[tuple[int, int]]:
    """Return from where to where a text may name things, without "the"."""
    found = []
    for begin in re.finditer(rf"\b{_DETERMINERS} (?=[a-z])", text, re.IGNORECASE):
        end = _end_of_phrase(text, begin.end())
        words = text[begin.end() : end].lower().split()
        if not words:
            continue
        joined = re.compile(rf" of (?:{_DETERMINERS} )?", re.I).match(text, end)
        if words[-1] in _CONTAINERS and joined is not None:
            further = _end_of_phrase(text, joined.end())
            last = text[joined.end() : further].lower().split()[-1:]
            if last and last[0] not in _PARTS:
                end = further
        start = begin.end()
        while len(words) > 1 and words[0] in _SELECTING:  # the parser is to read these
            start += len(words.pop(0)) + 1
        if words[-1] not in _PARTS:
            found.append((start, end))
    return [
        span for span in found
        if not any(other != span and other[0] <= span[0] and span[1] <= other[1]
                   for other in found)
    ]  # fmt: skip


def _end_of_phrase(text: str, start: int) -> int:
    end = start
    for count, word in enumerate(re.finditer(r"[a-z0-9'-]+", text[start:], re.IGNORECASE)):
        said = word[0].lower()
        glued = text[end : start + word.start()].strip(" ") == "" or (
            count > 0 and text[end : start + word.start()] == ", " and said.endswith("coloured")
        )
        if not glued or said in _ENDS or count == 5:
            break
        if count and (said in _PARTICIPLES or said in _ALSO_FIRST):
            break
        end = start + word.end()
    return end
