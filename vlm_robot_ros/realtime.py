"""Real-time priority of threads, like that of ros2_control's main loop."""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_RECEIVER = re.compile(r"dds\.(shm|udp)\.\d")
"""Names of Fast DDS's receive threads."""


def set_thread_priority(priority: int) -> str:
    """Set the SCHED_FIFO priority of the calling thread; threads that it starts are ordinary.

    Args:
        priority: Of SCHED_FIFO, 1 to 99; 0 is ordinary.

    Returns:
        Why the system refuses it; empty if it does not.
    """
    try:
        _schedule(threading.get_native_id(), priority)
    except OSError as error:
        return f"real-time priority {priority} is not granted: {error.strerror}"
    return ""


def raise_dds_receiver_priority(priority: int) -> None:
    """Set the SCHED_FIFO priority of Fast DDS's receive threads.

    Best effort: without permission, or with another middleware, nothing changes.
    """
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # not granted, or the thread is no more
            if _RECEIVER.match((task / "comm").read_text()):
                _schedule(int(task.name), priority)


@contextmanager
def keep_scheduling() -> Iterator[None]:
    """Give back the scheduling of all threads at the end; new ones become ordinary.

    For libraries that take real-time priority: SVT-AV1 does where root calls it, and what the
    process starts afterwards would inherit it.
    """
    before = _scheduling()
    try:
        yield
    finally:
        for thread, now in _scheduling().items():
            policy, priority = before.get(thread, (os.SCHED_OTHER, 0))
            if now != (policy, priority):
                with suppress(OSError):  # the thread is no more
                    os.sched_setscheduler(thread, policy, os.sched_param(priority))


def _scheduling() -> dict[int, tuple[int, int]]:
    """Return policy and priority of each thread of the process."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        thread = int(task.name)
        with suppress(OSError):
            found[thread] = (
                os.sched_getscheduler(thread), os.sched_getparam(thread).sched_priority
            )  # fmt: skip
    return found


def _schedule(thread: int, priority: int) -> None:
    # Always with the flag: whoever is not privileged may not take it off again.
    policy = os.SCHED_FIFO if priority else os.SCHED_OTHER
    os.sched_setscheduler(thread, policy | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
