"""Policies that installed packages register by name."""

from importlib.metadata import EntryPoint, entry_points

ENTRY_POINT_GROUP = "vlm_robot_ros.policies"
"""Group of entry points; each leads to a class that is given the robot's contract."""


def registered_policies() -> dict[str, EntryPoint]:
    """Return the entry points of installed packages by their names."""
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
