"""Extensions: modules in a folder of the package, and entry points of installed packages."""

import inspect
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from typing import Any, TypeVar

from vlm_robot_ros.interfaces.sink_traits import SinkTraits

POLICIES = "vlm_robot_ros.policies"
"""Group of policies: each entry is called with the `RobotConfig` and returns a `Policy`."""
ENCODERS = "vlm_robot_ros.encoders"
"""Group of encoders: `NAME:REST` calls entry NAME with REST; it returns an `Encoder`."""
DATASET_FORMATS = "vlm_robot_ros.dataset_formats"
"""Group of dataset formats: each entry is a `DatasetFormat`."""
COMMAND_SINKS = "vlm_robot_ros.command_sinks"
"""Group of command sinks: each entry is a subclass of `SinkKind`; its `kind` is its name."""
SKILLS = "vlm_robot_ros.skills"
"""Group of skills: each entry is a subclass of `tasks.skill.Skill`; its `family` is its name."""

_T = TypeVar("_T")


def plugin_names(group: str) -> list[str]:
    """Return the names that are registered in a group."""
    return sorted(_plugins(group))


def load_plugin(group: str, name: str) -> Any:
    """Return the object that a name is registered for.

    Raises:
        KeyError: no package registers the name.
    """
    return _plugins(group)[name].load()


@cache
def command_sinks() -> dict[str, Any]:
    """Return the kinds of command sinks by name: the `SinkKind` of each, as `SinkTraits`."""
    # Contracts name sinks, so packages below `sinks` need their traits: hence no import of it.
    kinds = built_ins("vlm_robot_ros.sinks", SinkTraits)
    outside = [load_plugin(COMMAND_SINKS, name) for name in plugin_names(COMMAND_SINKS)]
    return {each.kind: each() for each in (*kinds, *outside)}


def built_ins(package: str, base: type[_T]) -> list[type[_T]]:
    """Return the concrete subclasses of a class that the modules of a package define."""
    found = []
    for info in iter_modules(import_module(package).__path__, f"{package}."):
        for each in vars(import_module(info.name)).values():
            if (
                inspect.isclass(each)
                and issubclass(each, base)
                and each.__module__ == info.name
                and not inspect.isabstract(each)
            ):
                found.append(each)
    return found


def _plugins(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}
