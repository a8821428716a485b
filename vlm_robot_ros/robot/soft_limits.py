"""Soft limits of a URDF's joints, which its other readers leave out."""

import math
from xml.etree import ElementTree

SoftLimits = dict[str, tuple[float, float]]
"""Lower and upper soft limit of joints by their names, infinite where one is not given."""


def soft_limits(urdf: str) -> SoftLimits:
    """Return the soft limits that `safety_controller` elements give [rad or m].

    A pair that is equal says nothing: 0 is what the format assumes of both.

    Raises:
        ValueError: a limit is no number.
        ElementTree.ParseError: the text is no XML.
    """
    found: SoftLimits = {}
    for joint in ElementTree.fromstring(urdf).iter("joint"):
        element = joint.find("safety_controller")
        if element is None:
            continue
        low = _number(element, "soft_lower_limit", -math.inf)
        high = _number(element, "soft_upper_limit", math.inf)
        if low != high:
            found[joint.get("name", "")] = low, high
    return found


def _number(element: ElementTree.Element, name: str, missing: float) -> float:
    value = float(element.get(name, missing))
    if math.isnan(value):
        raise ValueError(f"{name} is nan; valid: a number")
    return value
