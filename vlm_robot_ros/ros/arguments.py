"""ROS arguments as rcl takes them, out of those that users write."""

import re
import sys
from collections.abc import Sequence

_NAMESPACE = re.compile(r"((?:[^\s:]+:)?__ns:=)(.*)", re.DOTALL)


def corrected_arguments(arguments: Sequence[str] | None = None) -> list[str]:
    """Return a command line whose namespaces are as rcl takes them: `/arm` for `/arm/` and `arm`.

    rcl refuses a slash at the end and a namespace without one in front.

    Args:
        arguments: Those of this process if not given.
    """
    given = sys.argv if arguments is None else arguments
    return [_corrected(argument) for argument in given]


def absolute_namespace(namespace: str) -> str:
    """Return a namespace with one slash in front and none at the end; `/` where it is empty."""
    return "/" + namespace.strip().strip("/")


def _corrected(argument: str) -> str:
    match = _NAMESPACE.fullmatch(argument)
    return match[1] + absolute_namespace(match[2]) if match else argument
