"""What clients of policies in other processes have in common."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

KEY_VARIABLE, KEY_FILE_VARIABLE = "VLM_ROBOT_POLICY_KEY", "VLM_ROBOT_POLICY_KEY_FILE"
"""Environment variables with the key of a server, and with the path of a file that holds it."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0
"""Between two attempts to connect."""
_SHOWN_CHARACTERS, _LONGEST_TEXT = 300, 500


class RemotePolicyError(Exception):
    """Why a server gave no answer; prints as that."""

    def __init__(self, text: str) -> None:
        super().__init__(text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}...")

    def __repr__(self) -> str:
        return str(self)


class PolicyClient(Protocol):
    """Asks a policy that another process computes."""

    url: str
    """Names it in errors."""
    metadata: dict[str, Any]
    """What it says of itself."""

    def infer(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        """Return its answer to an observation.

        Raises:
            RemotePolicyError: there is none; says why.
        """

    def reset(self) -> None:
        """Begin an episode.

        Raises:
            RemotePolicyError: it does not answer.
        """

    def close(self) -> None:
        """End the connection for good."""


class ConnectionPause:
    """The time between two attempts to connect: longer after each failure, up to 8 s."""

    def __init__(self) -> None:
        self._pause, self._next, self._problem = _FIRST_PAUSE_S, 0.0, ""

    def check(self) -> None:
        """Raise RemotePolicyError while it is too early for another attempt."""
        wait = self._next - time.monotonic()
        if wait > 0:
            raise RemotePolicyError(f"{self._problem}; connects again in {wait:.1f} s")

    def on_success(self) -> None:
        """Begin with a short pause the next time."""
        self._pause = _FIRST_PAUSE_S

    def on_failure(self, problem: str) -> RemotePolicyError:
        """Return the error for a problem; begin a pause."""
        self._problem, self._next = problem, time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_S)
        return RemotePolicyError(problem)


def short_text(text: str) -> str:
    """Return the last line of a text that says something, cut where it is long."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1] if lines else "it says nothing")[:_SHOWN_CHARACTERS]


def server_key() -> str:
    """Return the key of a server that the environment has; empty where it has none.

    Raises:
        ValueError: its file cannot be read, or it is no key.
    """
    path, key = os.environ.get(KEY_FILE_VARIABLE, ""), os.environ.get(KEY_VARIABLE, "")
    if path:
        try:
            key = Path(path).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{KEY_FILE_VARIABLE}: '{path}' cannot be read: {error}") from error
    if not path and KEY_VARIABLE not in os.environ:
        return ""
    if not key or not key.isprintable() or not key.isascii():
        raise ValueError(f"the key in {KEY_FILE_VARIABLE if path else KEY_VARIABLE} is not one "
                         "line of printable ASCII")  # fmt: skip
    return key
