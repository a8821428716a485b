"""Parameters with a description and valid values each; others are refused."""

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


@dataclass(frozen=True)
class Spec:
    """One parameter; numbers have a range, texts may have a list of valid values."""

    name: str
    default: bool | int | float | str
    description: str
    low: float | None = None
    high: float | None = None
    valid: tuple[str, ...] = ()
    live: bool = False
    """Whether it may be changed at any time."""


def declare(node: Node, specs: tuple[Spec, ...], fixed: Callable[[], str] = lambda: "") -> None:
    """Declare parameters; wrong values are refused now and whenever they are set.

    Args:
        node: Whose they are.
        specs: What they are.
        fixed: Why those not `live` cannot be changed now; empty when they can.

    Raises:
        ValueError: a value given at the start is not valid; says which are.
    """

    def check(parameters: list[Parameter]) -> SetParametersResult:
        for spec in specs:
            for parameter in parameters:
                wrong = spec.valid and parameter.value not in spec.valid
                if parameter.name != spec.name:
                    continue
                if wrong:
                    return SetParametersResult(reason=_refusal(spec, parameter.value))
                why = "" if spec.live else fixed()
                if why and parameter.value != node.get_parameter(spec.name).value:
                    return SetParametersResult(reason=f"{spec.name} cannot be changed now: {why}")
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)
    for spec in specs:
        try:
            node.declare_parameter(spec.name, spec.default, _describe(spec))
        except (InvalidParameterValueException, InvalidParameterTypeException) as error:
            raise ValueError(f"parameter {spec.name}: {error}; {_validity(spec)}") from error


def _describe(spec: Spec) -> ParameterDescriptor:
    result = ParameterDescriptor(description=spec.description)
    if spec.valid:
        result.additional_constraints = _validity(spec)
    if spec.low is not None and spec.high is not None:
        if isinstance(spec.default, float):
            result.floating_point_range = [
                FloatingPointRange(from_value=float(spec.low), to_value=float(spec.high))
            ]
        else:
            result.integer_range = [
                IntegerRange(from_value=int(spec.low), to_value=int(spec.high), step=1)
            ]
    return result


def _refusal(spec: Spec, value: Any) -> str:
    return f"{spec.name} is '{value}'; {_validity(spec)}"


def _validity(spec: Spec) -> str:
    if spec.valid:
        return f"valid: {', '.join(spec.valid)}"
    if spec.low is not None:
        return f"valid: {spec.low} to {spec.high}"
    return f"valid: a {type(spec.default).__name__}"
