"""Free memory goes back to the system."""

import subprocess
import sys

import pytest

from vlm_robot_ros.policy import heap

CODE = """
import ctypes
from vlm_robot_ros.policy.heap import _resident, trim_heap
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
assert not trim_heap()
before = _resident()
blocks = [libc.malloc(100_000) for _ in range(6000)]
for block in blocks:
    ctypes.memset(block, 1, 100_000)
assert trim_heap()  # nothing is free: nothing goes back
full = _resident()
assert full - before > 550e6, full - before
for block in blocks[::2]:  # between others that stay
    libc.free(block)
assert not trim_heap()
more = [libc.malloc(110_000) for _ in range(3000)]  # they fit into no gap
for block in more:
    ctypes.memset(block, 1, 110_000)
assert trim_heap()
assert _resident() - full < 100e6, _resident() - full
assert not trim_heap()
"""


@pytest.mark.skipif(heap._trim is None, reason="the C library is not glibc")
def test_what_is_free_between_blocks_in_use_goes_back():
    result = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
