"""The sentences of LIBERO-Para (arXiv:2603.28301), for the scenes of the suite `goal`."""

import csv
import os
import random
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from vlm_robot_ros.paths import atomic_write_text, user_path

_TABLE = "metrics/libero_para_metadata.csv"
"""The file in the repository of LIBERO-Para that has its sentences."""
_CLONE_TIMEOUT_S = 600.0


class Paraphrase(NamedTuple):
    """One sentence."""

    number: int
    """Its row in the table, from 0."""
    text: str
    original: str
    """The sentence of the task that it means."""
    kind: str
    """How it was made: "obj lexical", "act pragmatical", ..."""


def read_paraphrases(source: str) -> list[Paraphrase]:
    """Return the sentences of a table, of a folder with the repository, or of its git address.

    Raises:
        ValueError: it has none, or git fails; says why.
    """
    path = Path(user_path(source))
    if path.is_dir():
        path = path / _TABLE
    elif "://" in source or source.endswith(".git"):
        path = _clone(source) / _TABLE
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [
            Paraphrase(
                number, row["new_instruction"], row["original_instruction"],
                f"{row['high']} {row['mid']}",
            )
            for number, row in enumerate(rows)
        ]  # fmt: skip
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"--paraphrases '{source}' has no sentences of LIBERO-Para: {error!r}; valid: its "
            f"{_TABLE}, a folder with its repository, or the repository's git address"
        ) from error


def sample(paraphrases: list[Paraphrase], count: int, seed: int) -> list[Paraphrase]:
    """Return some random ones, in their order; all if there are no more."""
    chosen = random.Random(seed).sample(paraphrases, min(count, len(paraphrases)))
    return sorted(chosen)


def _clone(address: str) -> Path:
    """Return a folder with the table of a repository; nothing else of it is downloaded."""
    name = "".join(each if each.isalnum() else "_" for each in address)
    folder = Path(user_path("~/.cache/vlm_robot_ros/libero_para")) / name
    if (folder / _TABLE).exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Others may fetch it at the same time, and a part of it is none.
    with tempfile.TemporaryDirectory(dir=folder.parent) as part:
        fetch = ["git", "clone", "--quiet", "--depth", "1", "--filter=blob:none", "--sparse"]
        only = ["git", "-C", part, "sparse-checkout", "set", "metrics"]
        for command in ([*fetch, "--", address, part], only):
            try:
                subprocess.run(
                    command, check=True, capture_output=True, text=True,
                    timeout=_CLONE_TIMEOUT_S, env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
                )  # fmt: skip
            except (OSError, subprocess.SubprocessError) as error:
                said = getattr(error, "stderr", "") or error
                raise ValueError(f"--paraphrases '{address}': git failed: {said}") from error
        if (Path(part) / _TABLE).exists():
            (folder / _TABLE).parent.mkdir(parents=True, exist_ok=True)
            atomic_write_text(folder / _TABLE, (Path(part) / _TABLE).read_text())
    return folder
