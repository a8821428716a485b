"""A process in another interpreter that answers messages over its pipes, one at a time."""

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import IO, Any, BinaryIO, cast

from vlm_robot_ros.pipe_messages import FrameError, RequestError, read_message, write_message

_NOT_PASSED_ON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""Variables that are for this interpreter only."""
_END_TIMEOUT_S = 5.0
"""A process that was killed may take so long to end [s]."""


class PipedProcessError(Exception):
    """The process has ended, does not answer, or answers with what is no message."""


class PipedProcess:
    """Ends when it is closed, when it does not answer in time, and with this process."""

    def __init__(self, command: Sequence[str], without: Collection[str] = ()) -> None:
        """Start it, in a session of its own: Ctrl-C is for this process, which ends it.

        Args:
            command: Of the process; its standard input and output are for messages.
            without: Variables of the environment that it does not get, besides Python's.

        Raises:
            OSError: it cannot be started.
        """
        hidden = {*_NOT_PASSED_ON, *without}
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        self.begun = time.monotonic()
        """When it was started [s]."""
        self._process = subprocess.Popen(
            list(command), env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def wait_for_answer(self, timeout: float) -> bool:
        """Wait until it says something, or ends, so long [s]; returns whether it does."""
        return bool(select.select([_pipe(self._process.stdout)], [], [], timeout)[0])

    def exchange(self, request: dict[str, Any] | None, timeout: float) -> dict[str, Any]:
        """Send a request, if there is one, and return the next answer.

        Raises:
            RequestError: the request cannot be written; the process goes on.
            PipedProcessError: it does not answer, and was ended; says why.
        """
        hung = threading.Event()

        def end() -> None:
            hung.set()
            self._kill()

        timer = threading.Timer(timeout, end)
        timer.start()
        try:
            if request is not None:
                write_message(_pipe(self._process.stdin), request)
            return read_message(_pipe(self._process.stdout))
        except RequestError:
            raise
        except FrameError as error:
            self._kill()
            raise PipedProcessError(str(error)) from error
        except Exception as error:  # a pipe that ends, or anything that is no message
            late = f"it has not answered for {timeout:g} s, and was ended"
            problem = late if hung.is_set() else self._ending()
            self._kill()
            raise PipedProcessError(problem) from error
        finally:
            timer.cancel()

    def close(self) -> None:
        """End it."""
        self._kill()
        with suppress(OSError):  # of what nobody has read
            _pipe(self._process.stdin).close()
        _pipe(self._process.stdout).close()

    def _kill(self) -> None:
        """End it and what it has begun: an interpreter may be begun by a script."""
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_TIMEOUT_S)

    def _ending(self) -> str:
        """Return how it has ended, where it does not answer any more."""
        try:
            code = self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return "its process does not answer"
        how = f"by signal {-code}" if code < 0 else f"with status {code}"
        return f"its process has ended {how}"


def _pipe(stream: IO[bytes] | None) -> BinaryIO:
    return cast(BinaryIO, stream)  # it was asked for
