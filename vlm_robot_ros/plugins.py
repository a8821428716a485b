"""Extensions that installed packages register as entry points."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

POLICIES = "vlm_robot_ros.policies"
"""Group of policies: each entry is called with the `RobotConfig` and returns a `Policy`."""
ENCODERS = "vlm_robot_ros.encoders"
"""Group of encoders: `NAME:REST` calls entry NAME with REST; it returns an `Encoder`."""
DATASET_FORMATS = "vlm_robot_ros.dataset_formats"
"""Group of dataset formats: each entry is a `DatasetFormat`."""


def plugin_names(group: str) -> list[str]:
    """Return the names that are registered in a group."""
    return sorted(_plugins(group))


def load_plugin(group: str, name: str) -> Any:
    """Return the object that a name is registered for.

    Raises:
        KeyError: no package registers the name.
    """
    return _plugins(group)[name].load()


def _plugins(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}
