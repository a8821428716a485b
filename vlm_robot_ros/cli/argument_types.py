"""Numbers and sizes on the command line that must be in a range."""

import argparse
import re
from collections.abc import Callable


def int_at_least(least: int) -> Callable[[str], int]:
    """Return what reads a whole number for argparse, and says what is valid."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"{text!r}; valid: whole numbers, {least} or more")
        return number

    return read


def image_size(text: str) -> tuple[int, int]:
    """Read a width and a height for argparse, as 224x224 [px]."""
    found = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    width, height = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (8 <= width <= 4096 and 8 <= height <= 4096) or width % 2 or height % 2:
        raise argparse.ArgumentTypeError(f"{text!r}; valid: WIDTHxHEIGHT, each even, 8 to 4096")
    return width, height
