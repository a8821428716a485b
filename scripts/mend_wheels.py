"""Mend the CMake files of the ROS wheels in this environment.

They name the Python and numpy headers of the machine they were built on.
"""

import re
import sys
import sysconfig
from pathlib import Path

import numpy

_PYTHON = re.compile(r"/[^\";\s]*/include/python3\.\d+")
_NUMPY = re.compile(r"/[^\";\s]*/site-packages/numpy/_?core/include")


def main() -> None:
    """Rewrite every exported CMake file of the environment that needs it."""
    python, numpy_headers = sysconfig.get_path("include"), numpy.get_include()
    mended = 0
    for path in (Path(sys.prefix) / "share").rglob("*.cmake"):
        text = path.read_text()
        new = _NUMPY.sub(numpy_headers, _PYTHON.sub(python, text))
        if new != text:
            path.unlink()  # it may be a hard link into the installer's cache: leave that alone
            path.write_text(new)
            mended += 1
    print(f"mended the header paths of {mended} CMake files")


if __name__ == "__main__":
    main()
