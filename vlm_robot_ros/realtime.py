"""Real-time priority of threads, as ros2_control takes it for its main loop."""

import os
import re
import threading
from contextlib import suppress
from pathlib import Path

_RECEIVER = re.compile(r"dds\.(shm|udp)\.\d")
"""How Fast DDS names its threads that take messages from other processes."""


def set_thread_priority(priority: int) -> str:
    """Let the calling thread compute before all ordinary ones; what it starts is ordinary.

    Args:
        priority: Of SCHED_FIFO, 1 to 99; 0 is ordinary.

    Returns:
        Why it is not granted; empty where it is.
    """
    try:
        _schedule(threading.get_native_id(), priority)
    except OSError as error:
        return f"real-time priority {priority} is not granted: {error.strerror}"
    return ""


def raise_dds_receiver_priority(priority: int) -> None:
    """Give it to the threads of Fast DDS that receive: no thread hears before they have heard.

    Where it is not granted, or another middleware receives, they stay as they are.
    """
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # not granted, or the thread is no more
            if _RECEIVER.match((task / "comm").read_text()):
                _schedule(int(task.name), priority)


def _schedule(thread: int, priority: int) -> None:
    # Always with the flag: whoever is not privileged may not take it off again.
    policy = os.SCHED_FIFO if priority else os.SCHED_OTHER
    os.sched_setscheduler(thread, policy | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
