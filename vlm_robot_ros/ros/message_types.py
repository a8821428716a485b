"""Message types by the names that topics have for them."""

import re
from importlib import import_module
from typing import Any

from ament_index_python.resources import get_resource

_NAME = re.compile(r"([a-z][a-z0-9_]*)/msg/([A-Z][A-Za-z0-9]*)")


def message_class(name: str) -> Any:
    """Return the class of a message type, such as `sensor_msgs/msg/Image`.

    Any peer on the network chooses the names of its topics' types. So a name becomes a Python
    module only where an installed interface package lists the type in the ament index.

    Raises:
        LookupError: it is no name of a message type, or no installed package has the type.
        ImportError, AttributeError: its package is installed without Python.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise LookupError(f"'{name}' is no message type; valid: package/msg/Type")
    package, kind = match.groups()
    content, _ = get_resource("rosidl_interfaces", package)  # a LookupError where there is none
    listed = {line.strip().rpartition(".")[0] for line in content.splitlines()}
    if f"msg/{kind}" not in listed:
        raise LookupError(f"package '{package}' has no message type '{kind}'")
    return getattr(import_module(f"{package}.msg"), kind)
