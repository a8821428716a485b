"""Keeps Python from importing modules of the folder that a node or a command is started in.

That folder may be anybody's: a dataset, a download, a shared folder. With `python -c` and
`python -m` Python looks there first, and with an empty entry in PYTHONPATH, too.
"""

import os
import sys
import sysconfig
from pathlib import Path

_SAFE_PATH = "PYTHONSAFEPATH"


def exclude_working_directory() -> None:
    """Remove the working directory from where modules are looked for, here and in child processes.

    It stays where PYTHONPATH names it (`PYTHONPATH=.`), where this package itself lies in it and
    nowhere else, and where an installation added it, which comes after the standard library.
    Python 3.10 knows no PYTHONSAFEPATH: there a child process looks for the standard library's
    modules in the working directory until it has taken over this process's paths.
    """
    entries = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    if "PYTHONPATH" in os.environ:
        os.environ["PYTHONPATH"] = os.pathsep.join(entries)
    os.environ[_SAFE_PATH] = "1"
    try:
        here = os.path.realpath(os.getcwd())
    except OSError:  # it was removed
        here = ""
    kept = "" if here in map(os.path.realpath, entries) else here
    standard = sysconfig.get_paths()["stdlib"]
    end = sys.path.index(standard) if standard in sys.path else len(sys.path)
    before = [path for path in sys.path[:end] if path and os.path.realpath(path) != kept]
    after = [path for path in sys.path[end:] if path]
    sys.path[:] = [*before, *after]
    package = Path(__file__).resolve().parent
    found = (Path(path) / package.name for path in sys.path)
    if not any(path.is_dir() for path in found):
        sys.path.append(str(package.parent))
