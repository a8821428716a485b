"""Small files that unpack to far more than their size, and processes of little memory."""

import io
import os
import resource
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np


def run_with_little_memory(code, *arguments, limit="", memory=2 * 2**30, seconds=60):
    """Run Python code in a process that may take so much memory [bytes] and time [s].

    Returns:
        The completed process; `limit` is its VLM_ROBOT_SIZE_LIMIT.
    """

    def cap():
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "VLM_ROBOT_SIZE_LIMIT": limit, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=seconds,
        preexec_fn=cap,
    )


def laughing_yaml(levels=9):
    """Return YAML whose aliases stand for nine to the power of `levels` texts."""
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]")
    return "\n".join(lines) + "\n"


def large_png(width, height):
    """Return a PNG of a few kilobytes whose pixels take width * height * 3 bytes."""

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def array_declaring(path: Path, shape):
    """Write a .npz file with one array that declares a shape and has no data."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("image.npy", head.getvalue())


def mcap_of(compression, data, declared):
    """Return an MCAP file with one chunk of compressed data that declares its unpacked size."""
    magic = b"\x89MCAP0\r\n"

    def record(kind, content):
        return struct.pack("<BQ", kind, len(content)) + content

    def text(value):
        return struct.pack("<I", len(value)) + value.encode()

    head = record(0x01, text("ros2") + text("test"))
    chunk = struct.pack("<QQQI", 0, 10, declared, 0) + text(compression)
    chunk += struct.pack("<Q", len(data)) + data
    end = record(0x0F, struct.pack("<I", 0)) + record(0x02, struct.pack("<QQI", 0, 0, 0))
    return magic + head + record(0x06, chunk) + end + magic
