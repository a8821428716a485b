"""A contract as YAML text with comments on what its writer could not know."""

from typing import Any, NamedTuple

import numpy as np
import yaml

_WORKSPACE_HALF_M = 0.15
"""The workspace at first, to each side of the tool's position at home [m]."""


class GripperRow(NamedTuple):
    """What the text says of a gripper."""

    joint: str
    open: float
    closed: float
    note: str = ""
    """What is wrong with the numbers; empty if they are the description's."""


def _name(value: str) -> str:
    """Return a name that no reader of YAML takes for a number, a boolean, null or two names."""
    return yaml.safe_dump(value, default_style='"', width=float("inf")).strip()


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    return _name(value) if isinstance(value, str) else str(value)


def _number(value: float) -> str:
    """Return a number that YAML 1.1 takes for one: 4e-06 would be a text."""
    text = repr(value)
    return text if "." in text else text.replace("e", ".0e")


def _row(content: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in content.items()) + "}"


def contract_text(
    name: str,
    base: str,
    tool: str,
    joints: list[dict[str, Any]],
    tool_origin: list[float],
    home: list[float],
    gripper: GripperRow | None,
    place: np.ndarray,
) -> str:
    """Return the text.

    Args:
        name: Of the robot.
        base: Frame in which poses are.
        tool: Frame of the tool.
        joints: Fields of each joint, from the base outwards.
        tool_origin: Tool frame in the last joint's: x, y, z [m], roll, pitch, yaw [rad].
        home: Joint positions [rad].
        gripper: None for an arm without one.
        place: Position of the tool, joints at 0, base frame. Shape (3,), [m].
    """
    low, high = (
        (place + side).round(3).tolist() for side in (-_WORKSPACE_HALF_M, _WORKSPACE_HALF_M)
    )
    rows = "\n".join(f"  - {_row(joint)}" for joint in joints)
    fingers, sink = "# The arm has no gripper that is commanded.\ngripper: null", ""
    if gripper:
        note = f" The numbers are {gripper.note}." if gripper.note else ""
        fields = {"joint": gripper.joint, "open": gripper.open, "closed": gripper.closed}
        fingers = f"# check: which end is open.{note}\ngripper: {_row(fields)}"
        sink = "\n  - {kind: gripper_action, topic: gripper_controller/gripper_cmd}"
    advice = " Without a sink of its own the gripper is told nothing." if gripper else ""
    return f"""\
# Made from a robot description. Complete what is marked with "check".
# Units: metres, radians, seconds. Poses are in `base_frame`.
name: {_name(name)}
simulation: ''
base_frame: {_name(base)}
tool_frame: {_name(tool)}

# check: acceleration and jerk; a URDF does not know them.
joints:
{rows}

tool: {_value(tool_origin)}

# check: where the arm waits, which is also the posture that it keeps near to.
home: {_value(home)}

{fingers}

# check: the box that the tool may be commanded to; at first it is small and around home.
workspace:
  min: {low}
  max: {high}
  speed: 0.1

# check: topics, frames, sizes and rates of your cameras.
cameras:
  - {{name: front, topic: camera/front/image_raw, frame: camera_optical_frame, \
width: 640, height: 480, rate: 30.0}}

# check: the rate of joint_states.
joint_state_rate: 100.0

# check: who takes commands.{advice}
sinks:
  - {{kind: joint_trajectory, topic: joint_trajectory_controller/joint_trajectory}}{sink}
"""
