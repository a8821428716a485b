"""Memory that the C library holds back although it is free.

Glibc finds aligned blocks, as torch takes them, badly again where smaller ones lie between them
(https://sourceware.org/bugzilla/show_bug.cgi?id=14581). With 2.36 the heap of a policy beside its
simulator grew by 0.3 GB in a dozen episodes, all of it free, and once, probably for the same
reason, by 10 GB in one or two: that could not be brought about again.
"""

import ctypes
import math
import os
from pathlib import Path

_GROWTH_BYTES = 256 * 2**20
"""What the process may grow by before the C library is asked for what is free [bytes]."""
_STATM = Path("/proc/self/statm")
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
_least = math.inf


def trim_malloc_heap() -> bool:
    """Give what is free back to the system if the process has grown; returns whether it had.

    Where it has not grown, it takes 20 microseconds.
    """
    global _least
    try:
        now = _resident_bytes()
    except OSError:  # no such file here, or no more files to open
        return False
    grown = now > _least + _GROWTH_BYTES
    if grown and _trim is not None:
        _trim(0)
    # What is in use may have grown, too: the next call tells how much.
    _least = math.inf if grown else min(_least, now)
    return grown


def _resident_bytes() -> int:
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
