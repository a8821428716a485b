"""Names of policies that another process computes."""

LEROBOT_SCHEME = "lerobot"
"""Begins a name of LeRobot's; a colon and the path of a checkpoint follow."""


def is_remote(name: str) -> bool:
    """Tell whether a policy's name is of one that another process computes, which takes a map."""
    return "://" in name or name.partition(":")[0] == LEROBOT_SCHEME
