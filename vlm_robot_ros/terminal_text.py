"""Text from files, bags and topics, made safe to print.

A terminal obeys escape sequences: they move the cursor, hide lines, set the title or answer as if
somebody had typed. Format characters reorder what is read. Neither belongs into a log.
"""

import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

_LAYOUT = "\n\t"
"""What the program's own output may have besides printable characters."""


def escape_unprintable(text: object, limit: int = 0) -> str:
    """Return a text on one line, with every control and format character escaped.

    Args:
        text: Anything; `str` is applied.
        limit: Cut after so many characters; 0: never.
    """
    whole = str(text)
    part = whole[:limit] if limit else whole
    escaped = part if part.isprintable() else "".join(map(_escaped, part))
    return escaped if len(part) == len(whole) else f"{escaped}… ({len(whole)} characters)"


def _escaped(character: str) -> str:
    # Spaces other than U+0020 are not "printable" to Python.
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode("ascii")


class EscapingStream:
    """A text stream that escapes what `printable` escapes, except line feeds and tabs.

    A carriage return stays where a write begins with it: tqdm draws its bars so.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text escaped; returns its length before that."""
        rest = text.lstrip("\r")
        if not rest.isprintable():
            rest = "".join(each if each in _LAYOUT else _escaped(each) for each in rest)
        self._stream.write("\r" * (len(text) > 0 and text[0] == "\r") + rest)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def escape_output() -> Iterator[None]:
    """Escape all that Python code writes to stdout and stderr."""
    saved = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (EscapingStream(each) for each in saved)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = saved
