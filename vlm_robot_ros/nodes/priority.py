"""Real-time priority of a thread, as ros2_control takes it for its main loop."""

import os
import threading


def take_priority(priority: int) -> str:
    """Let the calling thread compute before all ordinary ones; what it starts is ordinary.

    Args:
        priority: Of SCHED_FIFO, 1 to 99; 0 is ordinary.

    Returns:
        Why it is not granted; empty where it is.
    """
    policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK if priority else os.SCHED_OTHER
    try:
        os.sched_setscheduler(threading.get_native_id(), policy, os.sched_param(priority))
    except OSError as error:
        return f"real-time priority {priority} is not granted: {error.strerror}"
    return ""
