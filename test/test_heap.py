"""Free memory goes back to the system, and what is done all the time keeps none."""

import ctypes
import gc
import subprocess
import sys

import numpy as np
import pytest
from plans import plan

from vlm_robot_ros.inference import malloc_trim
from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.motion.motion_controller import MotionController
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.runtime.chunk_executor import ChunkExecutor
from vlm_robot_ros.runtime.stream_monitor import StreamMonitor

CODE = """
import ctypes
from vlm_robot_ros.inference.malloc_trim import _resident_bytes, trim_malloc_heap
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
assert not trim_malloc_heap()
before = _resident_bytes()
blocks = [libc.malloc(100_000) for _ in range(6000)]
for block in blocks:
    ctypes.memset(block, 1, 100_000)
assert trim_malloc_heap()  # nothing is free: nothing goes back
full = _resident_bytes()
assert full - before > 550e6, full - before
for block in blocks[::2]:  # between others that stay
    libc.free(block)
assert not trim_malloc_heap()
more = [libc.malloc(110_000) for _ in range(3000)]  # they fit into no gap
for block in more:
    ctypes.memset(block, 1, 110_000)
assert trim_malloc_heap()
assert _resident_bytes() - full < 100e6, _resident_bytes() - full
assert not trim_malloc_heap()
"""


@pytest.mark.skipif(malloc_trim._trim is None, reason="the C library is not glibc")
def test_what_is_free_between_blocks_in_use_goes_back():
    result = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


class _Mallinfo2(ctypes.Structure):
    _fields_ = [(f"field_{number}", ctypes.c_size_t) for number in range(10)]


def _used():
    """What the C library has given and not got back, of whoever asked for it [bytes]."""
    gc.collect()
    _mallinfo2.restype = _Mallinfo2
    return _mallinfo2().field_7  # uordblks


_mallinfo2 = getattr(ctypes.CDLL(None), "mallinfo2", None)


@pytest.mark.long
@pytest.mark.skipif(_mallinfo2 is None, reason="the C library is not glibc 2.33 or newer")
@pytest.mark.parametrize("mode", list(ActionMode)[::3])
def test_what_is_done_at_every_tick_keeps_no_memory(mode):
    robot, period = load_robot("panda_sim"), 0.02
    joints, watch = np.array(robot.home), StreamMonitor("front camera", 1e6, 30.0)
    pilot, driver = (
        ChunkExecutor(robot, [watch], period),
        MotionController(robot, period, trajectories=True),
    )
    pose = transform_to_pose7(Kinematics(robot).forward(joints))
    watch.on_message(1.0)
    said, now = pilot.set_instruction("pick up the cube", 1.0), 1.0

    def tick():
        nonlocal now, joints, pose
        if round(now / period) % 5 == 0:
            start = pose if mode == ActionMode.END_EFFECTOR_POSE else joints
            values = np.tile(start, (8, 1))
            values[:, 1] += 0.05 * np.sin(now)
            pilot.set_chunk(plan([0, 0, 0], mode=mode, values=values), said.number, now, now)
        command = pilot.step(now, joints, pose, 1.0)
        drive = driver.update(now, command, pilot.preview(now, 5), joints)
        assert not driver.tripped
        if drive is not None:
            joints = drive.preview.setpoints[0].position
            pose = transform_to_pose7(Kinematics(robot).forward(joints))
        now += period

    for _ in range(300):
        tick()
    before = _used()
    for _ in range(1500):
        tick()
    assert _used() - before < 1500 * 10, (_used() - before) / 1500
