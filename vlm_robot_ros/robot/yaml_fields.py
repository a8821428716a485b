"""Reads YAML field by field, so that errors name file, field, line and what is valid."""

import math
import re
import sys
from collections.abc import Callable, Collection
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


class MappingReader:
    """The fields of one mapping, read one by one so that errors can name them."""

    def __init__(self, content: Any, where: str) -> None:
        """Take a mapping; `where` names it in errors.

        Raises:
            ContractError: here, and in all that reads a field, where it is not what it must be.
        """
        if not isinstance(content, dict):
            raise ContractError(f"{where}: expected a mapping, got {type(content).__name__}")
        self.where = where
        self._left = dict(content)
        self._lines: dict[str, int] = getattr(content, "lines", {})
        self._begins: int | None = getattr(content, "line", None)
        self._read: list[str] = []

    def _required(self, key: str, accept: Callable[[Any], bool], valid: str) -> Any:
        self._read.append(key)
        if key not in self._left:
            begins = f" (the mapping begins in line {self._begins})" if self._begins else ""
            raise ContractError(f"{self.where}: '{key}' is missing; it must be {valid}{begins}")
        value = self._left.pop(key)
        if not accept(value):
            raise self.error(key, f"got {value!r}; it must be {valid}")
        return value

    def error(self, key: str, problem: str) -> ContractError:
        """Return what to raise about a field that was read."""
        return ContractError(f"{self.where}: {key}: {problem}{self._line(key)}")

    def _line(self, key: str) -> str:
        return f" (line {self._lines[key]})" if key in self._lines else ""

    def choice(self, key: str, valid: Collection[str], first: str = "") -> str:
        """Return one of some texts; errors say `first` before they list those not empty."""
        listed = f"{first}one of {', '.join(filter(None, valid))}"
        return self._required(key, lambda v: isinstance(v, str) and v in valid, listed)

    def has(self, key: str) -> bool:
        """Tell whether there is a field that may be missing."""
        self._read.append(key)
        return key in self._left

    def is_mapping(self, key: str) -> bool:
        """Tell whether a field is there and is a mapping; it is not read by this."""
        return self.has(key) and isinstance(self._left[key], dict)

    def is_null(self, key: str) -> bool:
        """Tell whether a field is there and says null; it has been read then."""
        if not self.has(key) or self._left[key] is not None:
            return False
        del self._left[key]
        return True

    def flag(self, key: str) -> bool:
        """Return true or false; false where it is missing."""
        if not self.has(key):
            return False
        return self._required(key, lambda v: isinstance(v, bool), "true or false")

    def text(self, key: str) -> str:
        """Return a text that is not empty."""
        return self._required(key, _is_text, "a text")

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts that are not empty."""
        accept = lambda v: isinstance(v, list) and all(map(_is_text, v))  # noqa: E731
        return tuple(self._required(key, accept, "a list of texts"))

    def number(self, key: str, above: float = -math.inf, most: float = math.inf) -> float:
        """Return a finite number."""
        valid = "a number" if above == -math.inf else f"a number above {above}"
        valid += f", {most:g} at most" if most < math.inf else ""
        return float(self._required(key, lambda v: _is_number(v) and above < v <= most, valid))

    def whole(self, key: str) -> int:
        """Return a whole number from 1."""
        accept = lambda v: _is_number(v) and v >= 1 and v % 1 == 0  # noqa: E731
        return int(self._required(key, accept, "a whole number from 1"))

    def numbers(self, key: str, length: int | None = None) -> tuple[float, ...]:
        """Return a list of finite numbers."""
        valid = "a list of numbers" if length is None else f"a list of {length} numbers"
        value = self._required(
            key,
            lambda v: (
                isinstance(v, list)
                and all(map(_is_number, v))
                and (length is None or len(v) == length)
            ),
            valid,
        )
        return tuple(map(float, value))

    def span(self, key: str) -> tuple[float, float]:
        """Return a lower and an upper limit."""
        low, high = self.numbers(key, 2)
        if low >= high:
            raise self.error(key, f"{low} must be below {high}")
        return low, high

    def child(self, key: str) -> "MappingReader":
        """Return the fields of a mapping within."""
        return MappingReader(
            self._required(key, lambda v: isinstance(v, dict), "a mapping"), f"{self.where}: {key}"
        )

    def items(self, key: str, some: bool = True) -> list["MappingReader"]:
        """Return the fields of each mapping of a list, which must have `some`."""
        valid = "a list of mappings" if some else "a list of mappings, or []"
        value = self._required(key, lambda v: isinstance(v, list) and (bool(v) or not some), valid)
        return [MappingReader(item, f"{self.where}: {key}[{i}]") for i, item in enumerate(value)]

    def check_unknown(self) -> None:
        """Refuse what was not read."""
        if self._left:
            raise ContractError(
                f"{self.where}: unknown field(s) {', '.join(map(str, self._left))}; "
                f"valid: {', '.join(dict.fromkeys(self._read))}"
                f"{self._line(str(next(iter(self._left))))}"
            )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and abs(value) <= sys.float_info.max  # which neither nan nor 10**400 is
