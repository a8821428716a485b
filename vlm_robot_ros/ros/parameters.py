"""Parameters with a description and valid values each; others are refused."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

_TYPES = {bool: "a boolean", int: "an integer", float: "a floating-point number", str: "a text"}

_COERCED = {
    bool: "on, off, yes, no, true and false without quotes for booleans",
    int: "digits without quotes for a number",
    float: "digits without quotes for a number",
}
"""What YAML makes of a text."""


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter; numbers have a range, texts may have a list of valid values."""

    name: str
    default: bool | int | float | str
    description: str
    minimum: float | None = None
    maximum: float | None = None
    valid: tuple[str, ...] = ()
    dynamic: bool = False
    """Whether it may be changed at any time."""
    digits: bool = False
    """Of a text: whether an integer is taken as its digits, as of `device:=1`."""
    pattern: str = ""
    """Of a text with `valid`: regular expression of other valid texts."""
    pattern_description: str = ""
    """How errors describe these."""


class ReadOnlyReasons:
    """Says what to do where a read-only parameter is refused; to be inherited before the node."""

    read_only: frozenset[str] = frozenset()
    """Names of parameters that keep the value of the start."""
    reconfiguration = ""
    """Name of the parameter that lets others be changed, if the node has one."""

    def set_parameters_atomically(self, parameters: list[Parameter]) -> SetParametersResult:
        """Set parameters as the node does."""
        result = super().set_parameters_atomically(parameters)  # type: ignore[misc]
        refused = [each.name for each in parameters if each.name in self.read_only]
        if result.successful or "read-only" not in result.reason or not refused:
            return result
        way = f"restart the node with -p {refused[0]}:=..."
        if self.reconfiguration and self.reconfiguration not in refused:
            way += f", or start it with -p {self.reconfiguration}:=true"
        names = ", ".join(refused)
        return SetParametersResult(reason=f"{names} is read-only after the start; {way}")


def declare_parameters(
    node: Node,
    specs: tuple[ParameterSpec, ...],
    fixed: Callable[[], str] = lambda: "",
    remote: tuple[str, tuple[str, ...]] | None = None,
) -> None:
    """Declare parameters; wrong values are refused now and whenever they are set.

    An integer is accepted for a floating-point parameter.

    Args:
        node: Whose they are.
        specs: What they are.
        fixed: Why those not `live` cannot be changed now; empty when they can.
        remote: A boolean parameter and those that keep the value of the start unless it is true;
            the boolean itself keeps it in any case. If not given, all that are not `live` keep
            it: a node that reads them only when it is made.

    Raises:
        ValueError: a value given at the start is not valid; says which are.
    """
    by_name = {spec.name: spec for spec in specs}
    read_only = {spec.name for spec in specs if not spec.dynamic}

    def convert(parameters: list[Parameter]) -> list[Parameter]:
        return [_converted(by_name.get(each.name), each) for each in parameters]

    def check(parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            spec = by_name.get(parameter.name)
            if spec is None:
                continue
            if problem := _problem(spec, parameter.value):
                return SetParametersResult(reason=problem)
            why = "" if spec.dynamic else fixed()
            if why and parameter.value != node.get_parameter(spec.name).value:
                return SetParametersResult(reason=f"{spec.name} cannot be changed now: {why}")
        return SetParametersResult(successful=True)

    node.add_pre_set_parameters_callback(convert)
    node.add_on_set_parameters_callback(check)
    if remote is not None:
        _declare(node, by_name[remote[0]], read_only=True)
        allowed = node.get_parameter(remote[0]).value
        read_only = {remote[0]} if allowed else {remote[0], *remote[1]}
    for spec in specs:
        if not node.has_parameter(spec.name):
            _declare(node, spec, spec.name in read_only)
    if isinstance(node, ReadOnlyReasons):
        node.read_only = frozenset(read_only)
        node.reconfiguration = "" if remote is None else remote[0]


def _declare(node: Node, spec: ParameterSpec, read_only: bool) -> None:
    descriptor = _describe(spec, read_only)
    try:
        node.declare_parameter(spec.name, spec.default, descriptor)
    except InvalidParameterTypeException:
        value = _overridden_value(node, spec)
        try:
            node.declare_parameter(spec.name, value, descriptor, ignore_override=True)
        except InvalidParameterValueException as error:
            raise ValueError(f"parameter {spec.name}: {error}; {_validity(spec)}") from error
    except InvalidParameterValueException as error:
        raise ValueError(f"parameter {spec.name}: {error}; {_validity(spec)}") from error


def _overridden_value(node: Node, spec: ParameterSpec) -> Any:
    """Return the value of another type that was given for a parameter, as its own type.

    Raises:
        ValueError: it is none of it; says what was given and what to write.
    """
    node.declare_parameter(spec.name, None, ParameterDescriptor(dynamic_typing=True))
    given = node.get_parameter(spec.name)
    node.undeclare_parameter(spec.name)
    value = _converted(spec, given).value
    if type(value) is not type(spec.default):
        raise ValueError(f"parameter {_wrong_type(spec, value)}")
    return value


def _converted(spec: ParameterSpec | None, parameter: Parameter) -> Parameter:
    """Return a parameter with an integer as what is meant by it."""
    value = parameter.value
    if spec is None or type(value) is not int:
        return parameter
    if isinstance(spec.default, float):
        return Parameter(spec.name, value=float(value))
    if isinstance(spec.default, str) and spec.digits:
        return Parameter(spec.name, value=str(value))
    return parameter


def _problem(spec: ParameterSpec, value: Any) -> str:
    """Return what is wrong with a value of the right type, or nothing."""
    if type(value) is not type(spec.default):
        return ""  # rclpy refuses it
    if isinstance(value, float) and not math.isfinite(value):
        return _refusal(spec, value)
    formed = spec.pattern and re.fullmatch(spec.pattern, str(value))
    return _refusal(spec, value) if spec.valid and value not in spec.valid and not formed else ""


def _wrong_type(spec: ParameterSpec, value: Any) -> str:
    """Return what to say of a value of another type, and what to write."""
    kind = _TYPES.get(type(value), f"a {type(value).__name__}")
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    said = f"{spec.name} is {shown} ({kind}), but it must be {_TYPES[type(spec.default)]}"
    if isinstance(spec.default, str):
        because = _COERCED.get(type(value), "[...] for a list")
        example = shown if type(value) in (int, float) else "off" if shown == "false" else "on"
        example = spec.valid[0] if spec.valid else example
        valid = f"; {_validity(spec)}" if spec.valid else ""
        return (
            f"{said}{valid}. YAML takes {because}: for a text write both kinds of quotes, "
            f"-p {spec.name}:='\"{example}\"'"
        )
    example = str(spec.default).lower()
    if isinstance(spec.default, int) and isinstance(value, float) and value.is_integer():
        example = str(int(value))
    return (
        f"{said}; {_validity(spec)}: write for example -p {spec.name}:={example}, without quotes"
    )


def _describe(spec: ParameterSpec, read_only: bool) -> ParameterDescriptor:
    result = ParameterDescriptor(description=spec.description, read_only=read_only)
    if spec.valid:
        result.additional_constraints = _validity(spec)
    if spec.minimum is not None and spec.maximum is not None:
        if isinstance(spec.default, float):
            result.floating_point_range = [
                FloatingPointRange(from_value=float(spec.minimum), to_value=float(spec.maximum))
            ]
        else:
            result.integer_range = [
                IntegerRange(from_value=int(spec.minimum), to_value=int(spec.maximum), step=1)
            ]
    return result


def _refusal(spec: ParameterSpec, value: Any) -> str:
    return f"{spec.name} is '{value}'; {_validity(spec)}"


def _validity(spec: ParameterSpec) -> str:
    if spec.valid:
        return f"valid: {', '.join(filter(None, (*spec.valid, spec.pattern_description)))}"
    if spec.minimum is not None:
        return f"valid: {spec.minimum} to {spec.maximum}"
    return "valid: true, false" if isinstance(spec.default, bool) else "valid: a text"
