"""What the `vlm-robot` command prints to stderr, each on lines of its own."""

import sys
import warnings
from typing import TextIO


def close_progress_bars() -> None:
    """Close the progress bars that an error has left open: what is printed next is a new line."""
    if "tqdm" not in sys.modules:
        return
    from tqdm import tqdm

    for bar in list(getattr(tqdm, "_instances", ())):
        bar.close()


def print_error(text: str) -> None:
    """Print an error below any progress bar."""
    close_progress_bars()
    print(text, file=sys.stderr)


def route_warnings() -> None:
    """Have Python's warnings printed above the progress bars that are open."""
    before = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if file is not None or "tqdm" not in sys.modules:
            before(message, category, filename, lineno, file, line)
            return
        from tqdm import tqdm

        text = warnings.formatwarning(message, category, filename, lineno, line)
        tqdm.write(text.rstrip("\n"), file=sys.stderr)

    warnings.showwarning = show
