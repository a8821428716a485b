"""The reports of runs that the console hands out: regular files of one folder, no links."""

import base64
import hashlib
import os
import re
import stat
from contextlib import suppress
from itertools import islice
from pathlib import Path

_REPORT_FILE = "report.html"
_MAX_LISTED = 20
"""The newest are listed."""
_MAX_FOLDER_ENTRIES = 10_000
"""Of the folder's entries, at most."""
_MAX_REPORT_BYTES = 64 * 2**20
"""Of a report [bytes]."""
_STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)
_MAX_STYLES = 4


def list_reports(folder: Path) -> list[str]:
    """Return the names of the newest runs with a report, the newest first."""
    found = {}
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, _MAX_FOLDER_ENTRIES)]
    except OSError:
        return []
    for name in names:
        file = _open(folder, name)
        if file is not None:
            found[name] = os.fstat(file).st_mtime
            os.close(file)
    valid = [name for name in found if name.isprintable()]
    return sorted(valid, key=lambda each: found[each], reverse=True)[:_MAX_LISTED]


def read_report(folder: Path, name: str) -> bytes | None:
    """Return the report of a run, or None if there is none of this name.

    Args:
        folder: Of the runs.
        name: Of one of them.
    """
    file = _open(folder, name)
    if file is None:
        return None
    with os.fdopen(file, "rb") as report:
        return report.read(_MAX_REPORT_BYTES)


def style_hashes(page: bytes) -> list[str]:
    """Return the sources of a content security policy that allow a page's own style sheets."""
    found = islice(_STYLE.finditer(page.replace(b"\r\n", b"\n")), _MAX_STYLES)
    digests = (hashlib.sha256(each[1]).digest() for each in found)
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


def _open(folder: Path, name: str) -> int | None:
    """Open a report; None unless it is a regular file that no link leads to."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        return None
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    run = file = None
    try:
        with suppress(OSError, UnicodeError):
            root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                run = os.open(name, flags | os.O_DIRECTORY, dir_fd=root)
            finally:
                os.close(root)
            file = os.open(_REPORT_FILE, flags | os.O_NONBLOCK, dir_fd=run)
    finally:
        if run is not None:
            os.close(run)
    if file is not None and not _is_report(os.fstat(file)):
        os.close(file)
        return None
    return file


def _is_report(about: os.stat_result) -> bool:
    # A second name may be that of a file of elsewhere (hard link).
    return (
        stat.S_ISREG(about.st_mode) and about.st_nlink == 1 and about.st_size <= _MAX_REPORT_BYTES
    )
