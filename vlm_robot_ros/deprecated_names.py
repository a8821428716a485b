"""Python modules by the names that they had in version 0.1, which end with version 0.3.

`deprecated_names.tsv` lists them: `module` or `module:name`, old and new.
"""

import importlib
import sys
import warnings
from collections.abc import Sequence
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

_PACKAGE = "vlm_robot_ros."
_TABLE = Path(__file__).with_suffix(".tsv")


@cache
def deprecated_names() -> dict[str, str]:
    """Return new names by old ones: of modules, and of what is in them as `module:name`."""
    lines = _TABLE.read_text().splitlines()[1:]
    return dict(line.split("\t") for line in lines)


class _OldModule(Loader):
    """Loads a module that hands out what the new one has."""

    def __init__(self, new: str) -> None:
        self._new = new

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python create an empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Warn, and forward each name to the new module."""
        old, new, names = module.__name__, self._new, deprecated_names()
        if not new:
            return  # an old package, which held nothing but modules
        text = f"{old} is now {new}; the old name ends with version 0.3"
        warnings.warn(text, DeprecationWarning, stacklevel=2)

        def forward(name: str) -> Any:
            target, _, new_name = names.get(f"{old}:{name}", f"{new}:{name}").partition(":")
            return getattr(importlib.import_module(target), new_name)

        module.__dict__["__getattr__"] = forward


class _OldNames(MetaPathFinder):
    """Finds modules by their old names, after all other finders."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load an old module; None for other names."""
        if not name.startswith(_PACKAGE):
            return None
        names = deprecated_names()
        if name in names:
            return ModuleSpec(name, _OldModule(names[name]))
        if any(old.startswith(f"{name}.") for old in names):
            return ModuleSpec(name, _OldModule(""), is_package=True)
        return None


def find_old_modules() -> None:
    """Let Python find modules by their old names, with a warning."""
    if not any(isinstance(finder, _OldNames) for finder in sys.meta_path):
        sys.meta_path.append(_OldNames())
