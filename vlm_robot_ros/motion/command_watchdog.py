"""Notices that a moving arm gets no more commands."""

import threading
import time
from collections.abc import Callable


class CommandWatchdog:
    """Calls `stop` from a thread of its own when a moving arm gets no more commands.

    Whoever tells it may be held up. What is told positions or paths comes to a stand by itself
    then; what is told speeds does not.
    """

    def __init__(self, stop: Callable[[], None], patience: float) -> None:
        """Start; `stop` is called once when no command came for `patience` [s]."""
        self._stop, self._patience = stop, patience
        self._since: float | None = None
        """When a moving arm got its last command."""
        self._changed, self._over = threading.Condition(), False
        self._thread = threading.Thread(target=self._run, name="output watch", daemon=True)
        self._thread.start()

    def on_command(self, moving: bool) -> None:
        """Note a command of now, and whether it moves the arm."""
        with self._changed:
            begins = moving and self._since is None
            self._since = time.monotonic() if moving else None
            if begins:
                self._changed.notify()

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._over:
                late = 0.0 if self._since is None else time.monotonic() - self._since
                if late >= self._patience:
                    self._since = None
                    self._stop()
                self._changed.wait(None if self._since is None else self._patience - late)
