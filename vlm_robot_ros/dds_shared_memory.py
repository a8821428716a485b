"""The shared memory that Fast DDS leaves in /dev/shm: who may read it, and when it is removed.

Fast DDS makes a segment a process, `fastdds_<16 digits>`, with the messages that it sends, and a
ring buffer a reader, `fastdds_port<number>`. Boost gives both the mode 0644, whatever the umask
is. Each has a lock file, `_el` (exclusive) or `_sl` (shared), on which its owner holds a `flock`
while it lives, and a port has a mutex, `sem.<port>_mutex`, which Fast DDS holds while it opens
the port. A killed process leaves them all behind. (`fastdds_` is `fastrtps_` before Fast DDS 3.)
"""

import ctypes
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vlm_robot_ros.file_permissions import group_readable

SHARED_MEMORY_DIR = Path("/dev/shm")
_PORT = re.compile(r"(?:sem\.)?(fast(?:dds|rtps)_port\d{1,10})(?:_el|_sl|_mutex)?")
_SEGMENT = re.compile(r"(fast(?:dds|rtps)_[0-9a-z]{16})(?:_el)?")
_MIN_AGE_S = 2.0
"""Fast DDS creates a file and locks it at once; younger ones may not be locked yet [s]."""
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.sem_open.restype = ctypes.c_void_p
for _call in (_LIBC.sem_trywait, _LIBC.sem_post, _LIBC.sem_close):
    _call.argtypes = [ctypes.c_void_p]


def restrict_segments(folder: Path = SHARED_MEMORY_DIR) -> None:
    """Let nobody else read the shared memory of this process; the group where that is asked.

    Fast DDS creates it while the first node of the process is made: call it after that. Nodes of
    other users need to write to it, too, so that the group may do that.
    """
    mode = 0o660 if group_readable() else 0o600
    prefix = f"{folder}/"
    mapped = {name.removeprefix(prefix) for name in _mapped("self") if name.startswith(prefix)}
    for name in mapped:
        beside = (f"{name}_el", f"{name}_sl", f"sem.{name}_mutex")
        for each in (name, *beside) if _PORT.fullmatch(name) or _SEGMENT.fullmatch(name) else ():
            with _open_own_file(folder / each) as file:
                if file is not None:
                    with suppress(OSError):
                        os.fchmod(file, mode)


def remove_dead_segments(folder: Path = SHARED_MEMORY_DIR) -> list[str]:
    """Remove the shared memory of this user's processes that were killed.

    Of a live process, of another user, or of what may just be made, nothing is removed.

    Returns:
        Names of the segments and ports that were removed.
    """
    try:
        names = os.listdir(folder)
    except OSError:  # no such folder here
        return []
    segments = {found[1] for found in map(_SEGMENT.fullmatch, names) if found}
    ports = {found[1] for found in map(_PORT.fullmatch, names) if found}
    removed = [name for name in sorted(segments) if _remove_segment(folder, name)]
    return removed + [name for name in sorted(ports) if _remove_port(folder, name)]


def _remove_segment(folder: Path, name: str) -> bool:
    """Remove a segment if its owner is dead; nobody makes another of its random name."""
    with _lock(folder / f"{name}_el") as held:
        if held is False or _is_young(folder / name) or _is_young(folder / f"{name}_el"):
            return False
        # Without a lock file its owner is known by its mapping only.
        if held is None and _is_mapped(folder / name):
            return False
        removed = _remove(folder / name)
        return _remove(folder / f"{name}_el") or removed


def _remove_port(folder: Path, name: str) -> bool:
    """Remove a port if its reader is dead.

    Writers may still have it mapped: nobody reads it, and Fast DDS makes a new one.
    """
    files = (folder / name, folder / f"{name}_el", folder / f"{name}_sl")
    mutex = folder / f"sem.{name}_mutex"
    with _lock(files[1]) as exclusive, _lock(files[2]) as shared:
        if exclusive is False or shared is False or any(map(_is_young, (*files, mutex))):
            return False
    # Locks are tried again under the mutex: who opens the port meanwhile holds that.
    with _mutex(folder, mutex) as entered:
        if not entered:
            return False
        with _lock(files[1]) as exclusive, _lock(files[2]) as shared:
            if exclusive is False or shared is False:
                return False
            # A port without locks was made by a writer, for a reader to come.
            if exclusive is None and shared is None and _is_mapped(files[0]):
                return False
            removed = [_remove(file) for file in files]
            if not _is_mapped(mutex, but=os.getpid()):
                removed.append(_remove(mutex))
            return any(removed)


@contextmanager
def _open_own_file(path: Path) -> Iterator[int | None]:
    """Open a regular file of this user's, which is no link; None where it is not one."""
    file = None
    with suppress(OSError):
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        about = os.fstat(file) if file is not None else None
        ours = about and stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid()
        yield file if ours else None
    finally:
        if file is not None:
            os.close(file)


@contextmanager
def _lock(path: Path) -> Iterator[bool | None]:
    """Hold a lock file: True; False where somebody else does, None where there is none."""
    if not os.path.lexists(path):
        yield None
        return
    with _open_own_file(path) as file:
        held = False
        if file is not None:
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
        yield held


@contextmanager
def _mutex(folder: Path, path: Path) -> Iterator[bool]:
    """Hold a port's mutex; False where a live process does. One without an owner is not asked."""
    if not os.path.lexists(path):
        yield True
        return
    with _open_own_file(path) as file:
        if file is None or folder != SHARED_MEMORY_DIR:
            yield file is not None
            return
    semaphore = _LIBC.sem_open(f"/{path.name.removeprefix('sem.')}".encode(), 0)
    if not semaphore:
        yield False
        return
    entered = _LIBC.sem_trywait(semaphore) == 0
    try:
        # Killed while it held the mutex: nobody has it open, and nobody will post it.
        yield entered or not _is_mapped(path, but=os.getpid())
    finally:
        if entered:
            _LIBC.sem_post(semaphore)
        _LIBC.sem_close(semaphore)


def _is_young(path: Path) -> bool:
    with suppress(OSError):
        return time.time() - path.lstat().st_ctime < _MIN_AGE_S
    return False


def _remove(path: Path) -> bool:
    with suppress(OSError):
        if path.lstat().st_uid == os.geteuid():
            path.unlink()
            return True
    return False


def _is_mapped(path: Path, but: int = 0) -> bool:
    """Tell whether a process has a file mapped, as far as can be seen.

    Args:
        path: The file.
        but: A process that does not count.
    """
    processes = (name for name in os.listdir("/proc") if name.isdigit() and int(name) != but)
    return any(str(path) in _mapped(process) for process in processes)


def _mapped(process: str) -> set[str]:
    """Return the files that a process has mapped; none where they cannot be seen."""
    with suppress(OSError):
        lines = Path("/proc", process, "maps").read_text(errors="replace").splitlines()
        return {parts[5] for parts in (line.split(None, 5) for line in lines) if len(parts) == 6}
    return set()
