"""A contract from a robot description (URDF), to be completed by who knows the robot."""

from pathlib import Path

import numpy as np
import pinocchio

from vlm_robot_ros.contract.chain import origins
from vlm_robot_ros.contract.fields import ContractError

ACCELERATION = 5.0
"""For every joint, since a URDF says nothing of it [rad/s^2]."""
_JERKS = 100.0
"""As many times the acceleration [1/s]."""
_BOX = 0.15
"""The workspace at first, to each side of the tool's place at home [m]."""


def contract_from_urdf(urdf: Path, tool: str, gripper: str, base: str = "") -> str:
    """Return a contract as YAML text.

    Joints, limits and frames are those of the description. What it does not say is marked with
    "check": accelerations, home, workspace, cameras, sinks.

    Args:
        urdf: The description; of a xacro what `xacro` makes of it.
        tool: Name of the link between the fingertips, or of the last one.
        gripper: Name of the joint that the gripper is known by.
        base: Name of the link in which poses are; the root if empty.

    Raises:
        ContractError: the file is no URDF, has no such link or joint, or an arm that is not made
            of turning joints with limits of their speed.
    """
    try:
        model = pinocchio.buildModelFromXML(urdf.read_text())
    except (OSError, UnicodeDecodeError, ValueError, RuntimeError) as error:
        raise ContractError(f"'{urdf}' cannot be read as a URDF: {error}") from error
    links = [frame.name for frame in model.frames if frame.type == pinocchio.FrameType.BODY]
    base = base or links[0]
    for what, name in (("tool", tool), ("base", base)):
        if name not in links:
            raise ContractError(f"no link '{name}' for the {what}; there are: {', '.join(links)}")
    data, still = model.createData(), pinocchio.neutral(model)
    pinocchio.computeJointJacobians(model, data, still)
    pinocchio.updateFramePlacements(model, data)
    foot = data.oMf[model.getFrameId(base)].inverse()
    chain = _chain(model, base, tool)
    turns = [pinocchio.getJointJacobian(model, data, j, pinocchio.WORLD) for j in chain]
    axes = [
        foot.rotation @ turn[3:, model.joints[j].idx_v]
        for turn, j in zip(turns, chain, strict=True)
    ]
    anchors = [(foot * data.oMi[j]).translation for j in chain]
    end = foot * data.oMf[model.getFrameId(tool)]
    frames, tool_origin = origins(anchors, axes, end.homogeneous)
    rows = [
        {"name": model.names[j], "origin": list(frame), **_limits(model, j)}
        for j, frame in zip(chain, frames, strict=True)
    ]
    home = [float(np.clip(0.0, *row["position"])) for row in rows]
    finger = _gripper(model, chain, gripper)
    return _text(model.name, base, tool, rows, list(tool_origin), home, finger, end.translation)


def _chain(model: pinocchio.Model, base: str, tool: str) -> list[int]:
    """Return the joints from the base to the tool, outwards."""
    stop = model.frames[model.getFrameId(base)].parentJoint
    joint = model.frames[model.getFrameId(tool)].parentJoint
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


def _limits(model: pinocchio.Model, joint: int) -> dict:
    name, own = model.names[joint], model.joints[joint]
    speed = float(model.velocityLimit[own.idx_v])
    if not 0 < speed < 1e3:
        raise ContractError(f"joint '{name}' has no limit of its velocity; add one to the URDF")
    span = [-2 * np.pi, 2 * np.pi]  # of a joint without end
    if own.nq == 1:
        span = [float(limit[own.idx_q]) for limit in
                (model.lowerPositionLimit, model.upperPositionLimit)]  # fmt: skip
    return {
        "position": [round(value, 6) for value in span],
        "velocity": round(speed, 6),
        "acceleration": ACCELERATION,
        "jerk": ACCELERATION * _JERKS,
        **({} if own.nq == 1 else {"continuous": "true"}),
    }


def _gripper(model: pinocchio.Model, chain: list[int], name: str) -> dict:
    others = [n for j, n in enumerate(model.names) if j and j not in chain]
    if name not in others:
        known = f"there are: {', '.join(others)}" if others else "there is none but the arm's"
        raise ContractError(f"no joint '{name}' for the gripper; {known}")
    own = model.joints[model.getJointId(name)]
    closed, opened = (float(limit[own.idx_q]) for limit in
                      (model.lowerPositionLimit, model.upperPositionLimit))  # fmt: skip
    return {"joint": name, "open": round(opened, 6), "closed": round(closed, 6)}


def _row(content: dict) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in content.items()) + "}"


def _text(
    name: str,
    base: str,
    tool: str,
    joints: list[dict],
    tool_origin: list[float],
    home: list[float],
    gripper: dict,
    place: np.ndarray,
) -> str:
    low, high = ((place + side).round(3).tolist() for side in (-_BOX, _BOX))
    rows = "\n".join(f"  - {_row(joint)}" for joint in joints)
    return f"""\
# Made from a robot description. Complete what is marked with "check".
# Units: metres, radians, seconds. Poses are in `base_frame`.
name: {name}
simulation: ''
base_frame: {base}
tool_frame: {tool}

# check: acceleration and jerk; a URDF does not know them.
joints:
{rows}

tool: {tool_origin}

# check: where the arm waits, which is also the posture that it keeps near to.
home: {home}

# check: which end is open.
gripper: {_row(gripper)}

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

# check: who takes commands. Without a sink of its own the gripper is told nothing.
sinks:
  - {{kind: joint_trajectory, topic: joint_trajectory_controller/joint_trajectory}}
  - {{kind: gripper_action, topic: gripper_controller/gripper_cmd}}
"""
