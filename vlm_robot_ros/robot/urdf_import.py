"""A contract from a robot description (URDF), to be completed by who knows the robot."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pinocchio
import yaml

from vlm_robot_ros.file_limits import read_bytes
from vlm_robot_ros.robot.contract_schema import MAX_JOINT_SPEED_RAD_S
from vlm_robot_ros.robot.contract_text import GripperRow, contract_text
from vlm_robot_ros.robot.contract_yaml import ContractError
from vlm_robot_ros.robot.joint_frames import joint_origins
from vlm_robot_ros.robot.loader import parse_robot
from vlm_robot_ros.robot.soft_limits import SoftLimits, soft_limits

DEFAULT_ACCELERATION_RAD_S2 = 5.0
"""For every joint, since a URDF says nothing of it [rad/s^2]."""
_JERK_PER_ACCELERATION = 100.0
"""As many times the acceleration [1/s]."""
_NO_LIMIT = 1e3
"""A velocity limit from here on means none [rad/s]."""
_LINK = pinocchio.FrameType.BODY
"""A joint may have the name of a link."""


def contract_from_urdf(urdf: Path, tool: str, gripper: str = "", base: str = "") -> str:
    """Return a contract as YAML text, which `load_robot` accepts as it is.

    Joints, limits and frames are those of the description. What it does not say is marked with
    "check": accelerations, home, workspace, cameras, sinks.

    Args:
        urdf: The description; of a xacro what `xacro` makes of it.
        tool: Name of the link between the fingertips, or of the last one.
        gripper: Name of the joint that the gripper is known by; the contract has no gripper if
            it is empty or if that joint is fixed.
        base: Name of the link in which poses are; the root if empty.

    Raises:
        ContractError: the file is no URDF, has no such link or joint, an arm that is not made
            of turning joints with limits of their speed, or what no contract may say.
    """
    try:
        text = read_bytes(urdf).decode()
        model = pinocchio.buildModelFromXML(text)
        soft = soft_limits(text)
    except (
        OSError,
        UnicodeDecodeError,
        ValueError,
        RuntimeError,
        ElementTree.ParseError,
    ) as error:
        raise ContractError(f"'{urdf}' cannot be read as a URDF: {error}") from error
    links = [frame.name for frame in model.frames if frame.type == _LINK]
    base = base or links[0]
    for what, name in (("tool", tool), ("base", base)):
        if name not in links:
            raise ContractError(f"no link '{name}' for the {what}; there are: {', '.join(links)}")
    data, still = model.createData(), pinocchio.neutral(model)
    pinocchio.computeJointJacobians(model, data, still)
    pinocchio.updateFramePlacements(model, data)
    foot = data.oMf[model.getFrameId(base, _LINK)].inverse()
    chain = _chain(model, base, tool)
    turns = [pinocchio.getJointJacobian(model, data, j, pinocchio.WORLD) for j in chain]
    axes = [
        foot.rotation @ turn[3:, model.joints[j].idx_v]
        for turn, j in zip(turns, chain, strict=True)
    ]
    anchors = [(foot * data.oMi[j]).translation for j in chain]
    end = foot * data.oMf[model.getFrameId(tool, _LINK)]
    frames, tool_origin = joint_origins(anchors, axes, end.homogeneous)
    rows = [
        {"name": model.names[j], "origin": list(frame), **_limits(model, j, soft)}
        for j, frame in zip(chain, frames, strict=True)
    ]
    home = [float(np.clip(0.0, *row["position"])) for row in rows]
    finger = _gripper(model, chain, gripper, soft)
    made = contract_text(
        model.name, base, tool, rows, list(tool_origin), home, finger, end.translation
    )
    parse_robot(yaml.safe_load(made), f"'{urdf}'")
    return made


def free_joints(urdf: Path, tool: str, base: str = "") -> list[str]:
    """Return the names of the moving joints that are none of the arm's: a gripper's, for example.

    Arguments as of `contract_from_urdf`, which accepted them.
    """
    model = pinocchio.buildModelFromXML(read_bytes(urdf).decode())
    links = [frame.name for frame in model.frames if frame.type == _LINK]
    return _other_links(model, _chain(model, base or links[0], tool))


def _other_links(model: pinocchio.Model, chain: list[int]) -> list[str]:
    return [name for j, name in enumerate(model.names) if j and j not in chain]


def _chain(model: pinocchio.Model, base: str, tool: str) -> list[int]:
    """Return the joints from the base to the tool, outwards."""
    stop = model.frames[model.getFrameId(base, _LINK)].parentJoint
    joint = model.frames[model.getFrameId(tool, _LINK)].parentJoint
    found: list[int] = []
    while joint not in (0, stop):
        found.insert(0, joint)
        joint = model.parents[joint]
    if joint != stop:
        raise ContractError(f"'{tool}' does not hang on '{base}'")
    if not found:
        raise ContractError(f"there is no joint between '{base}' and '{tool}'")
    for joint in found:
        if not model.joints[joint].shortname().startswith("JointModelR"):
            raise ContractError(f"joint '{model.names[joint]}' does not turn; arms must")
    return found


def _limits(model: pinocchio.Model, joint: int, soft: SoftLimits) -> dict:
    name, own = model.names[joint], model.joints[joint]
    speed = float(model.velocityLimit[own.idx_v])
    if not 0 < speed < _NO_LIMIT:
        raise ContractError(f"joint '{name}' has no limit of its velocity; add one to the URDF")
    if speed > MAX_JOINT_SPEED_RAD_S:
        raise ContractError(
            f"joint '{name}' has a velocity limit of {speed:g}; valid: up to "
            f"{MAX_JOINT_SPEED_RAD_S:g} "
            "rad/s; correct it in the URDF (is it in degrees?)"
        )
    continuous = own.nq != 1
    span = (-2 * np.pi, 2 * np.pi) if continuous else _position_range(model, joint, soft)
    return {
        "position": [round(value, 6) for value in span],
        "velocity": round(speed, 6),
        "acceleration": DEFAULT_ACCELERATION_RAD_S2,
        "jerk": DEFAULT_ACCELERATION_RAD_S2 * _JERK_PER_ACCELERATION,
        **({"continuous": True} if continuous else {}),
    }


def _position_range(model: pinocchio.Model, joint: int, soft: SoftLimits) -> tuple[float, float]:
    """Return the limits of a joint's position, the soft ones where these are narrower."""
    name, own = model.names[joint], model.joints[joint]
    low, high = (float(limit[own.idx_q]) for limit in
                 (model.lowerPositionLimit, model.upperPositionLimit))  # fmt: skip
    narrow = soft.get(name, (-np.inf, np.inf))
    both = max(low, narrow[0]), min(high, narrow[1])
    if both[0] >= both[1] and low < high:
        raise ContractError(
            f"joint '{name}' has soft limits {narrow[0]:g} to {narrow[1]:g}, but its limits are "
            f"{low:g} to {high:g}; correct its safety_controller in the URDF"
        )
    return both


def _gripper(
    model: pinocchio.Model, chain: list[int], name: str, soft: SoftLimits
) -> GripperRow | None:
    """Return the gripper, None if there is none that moves."""
    fixed = [f.name for f in model.frames if f.type == pinocchio.FrameType.FIXED_JOINT]
    if not name or name in fixed:
        return None
    others = _other_links(model, chain)
    if name not in others:
        known = f"there are: {', '.join(others)}" if others else "there is none but the arm's"
        raise ContractError(
            f"no joint '{name}' for the gripper; {known}; leave it out for an arm without gripper"
        )
    joint = model.getJointId(name)
    if model.joints[joint].nq != 1:  # a continuous joint has no ends
        return GripperRow(name, 1.0, 0.0, "invented: the joint is continuous and has no ends")
    closed, opened = _position_range(model, joint, soft)
    return GripperRow(name, round(opened, 6), round(closed, 6))
