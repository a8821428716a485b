"""Who may read the files that this program writes: its user, and the group where that is asked."""

import os

GROUP_READABLE = "VLM_ROBOT_GROUP_READABLE"
"""Environment variable: 1 lets the group read bags, logs and reports, and share memory."""
_YES, _NO = ("1", "true", "yes"), ("", "0", "false", "no")


def group_readable() -> bool:
    """Tell whether the group may read what is written.

    Raises:
        ValueError: the environment variable has another value than yes or no.
    """
    given = os.environ.get(GROUP_READABLE, "")
    if given.lower() not in (*_YES, *_NO):
        raise ValueError(f"{GROUP_READABLE} is '{given}'; valid: 1 or 0")
    return given.lower() in _YES


def restrict_umask(group: bool = False) -> None:
    """Have files that this process and its children create be readable by the user only.

    Args:
        group: The group may read them, too; also where the environment says so.
    """
    if group:
        os.environ[GROUP_READABLE] = "1"
    before = os.umask(0o077)
    os.umask((before | 0o027) & ~0o050 if group_readable() else before | 0o077)


def folder_mode() -> int:
    """Return the mode of a folder of ours."""
    return 0o750 if group_readable() else 0o700
