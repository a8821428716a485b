"""YAML whose mappings know the lines of their keys, so that errors can name them."""

import re
from typing import Any

import yaml

from vlm_robot_ros.file_limits import FileLimitError, check_yaml


class ContractError(ValueError):
    """A contract that cannot be used: says file, field, line, what was given, what is valid."""


def read_yaml(text: str, where: str) -> Any:
    """Return what YAML holds; `where` names it in errors.

    Raises:
        ContractError: it is not valid, says a key twice, or exceeds a limit of `file_limits`.
    """
    try:
        check_yaml(text, where)
        return yaml.load(text, _Loader)
    except FileLimitError as error:
        raise ContractError(str(error)) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ContractError(f"{where}: not valid YAML: {error}") from error


class _Mapping(dict):
    """A mapping that knows the lines of its keys."""

    line: int
    lines: dict[str, int]


class _Loader(yaml.SafeLoader):
    """Reads mappings as `_Mapping`, and no key twice."""

    def read_mapping(self, node: yaml.MappingNode) -> _Mapping:
        content = _Mapping(self.construct_mapping(node, deep=True))
        content.line, content.lines = node.start_mark.line + 1, {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.value in content.lines:
                raise yaml.YAMLError(f"'{key.value}' stands twice, the second time in line {line}")
            content.lines[key.value] = line
        return content


# YAML 1.1 takes 5e-06, without a dot, for a text.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _Loader.read_mapping)
