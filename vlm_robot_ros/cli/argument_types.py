"""Numbers on the command line that have a least value."""

import argparse
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
