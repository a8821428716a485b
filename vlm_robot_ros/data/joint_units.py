"""The unit of joint positions: stated by the data or by the user, never guessed from values."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vlm_robot_ros.data.action_columns import ActionSpace
from vlm_robot_ros.data.dataset import DataError, DatasetInfo
from vlm_robot_ros.data.value_names import unit_of

UNITS = {"rad": 1.0, "deg": float(np.pi / 180)}
"""Radians in one of each unit."""
_LARGEST_JOINT = 2 * np.pi + 0.1
"""[rad]"""


class UnknownUnitError(DataError):
    """Joint positions whose unit nobody states."""


def in_radians(
    space: ActionSpace,
    info: DatasetInfo,
    names: Sequence[str],
    values: np.ndarray,
    what: str,
    units: str = "",
) -> ActionSpace:
    """Return a space of joint positions that converts them to radians.

    Args:
        space: How values are read.
        info: Of the data.
        names: Of the values.
        values: Of some episodes. Shape (N, A).
        what: "actions" or "states".
        units: What the user says: one of `UNITS`, or empty.

    Raises:
        UnknownUnitError: neither the data nor the user says the unit.
        DataError: the values cannot be of that unit.
    """
    if units and units not in UNITS:
        raise DataError(f"units is '{units}'; valid: {', '.join(UNITS)}")
    joints = [names[column] for column in space.columns]
    unit = unit_of(joints) or info.joint_unit or units
    largest = float(np.abs(values[:, space.columns]).max(initial=0.0))
    where = f"'{info.path}': the {what} {', '.join(joints)}"
    if not unit:
        not_radians = ", so they are not radians" if largest > _LARGEST_JOINT else ""
        raise UnknownUnitError(
            f"{where} are joint positions of up to {largest:.4g} whose unit is not stated"
            f"{not_radians}; give --units rad or --units deg. Percentages of a joint's range and "
            "motor ticks cannot be converted: record the data again in degrees or radians"
        )
    if largest * UNITS[unit] > _LARGEST_JOINT:
        raise DataError(
            f"{where} have joint positions of {largest:.4g} {unit}; valid are at most "
            f"{_LARGEST_JOINT / UNITS[unit]:.4g} {unit}: are they of another unit, or ticks?"
        )
    note = f"joint positions are in {unit}"
    return replace(space, joint_scale=UNITS[unit], notes=(*space.notes, note))
