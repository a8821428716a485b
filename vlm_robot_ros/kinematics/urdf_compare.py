"""Whether a contract says of an arm what its robot description says."""

from xml.etree import ElementTree

import numpy as np
import pinocchio

from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.robot.config import Joint, RobotConfig

_SLACK = 1e-3
"""By how much limits may differ [rad, rad/s]."""
_APART_M, _APART_RAD = 0.002, 0.01
"""How far apart the tool may be."""
_TRIED = 8
"""Positions of the arm in which it is compared."""
_LINK = pinocchio.FrameType.BODY


def urdf_differences(robot: RobotConfig, urdf: str) -> list[str]:
    """Return what a contract says otherwise than a robot description; empty if nothing.

    Compared are joints, the limits of their positions and speeds, which may be narrower in the
    contract, and where the tool is in several positions of the arm.

    Args:
        robot: The contract.
        urdf: Text of the description; of a xacro what `xacro` makes of it.
    """
    try:
        model = pinocchio.buildModelFromXML(urdf)
    except (ValueError, RuntimeError, ElementTree.ParseError) as error:
        return [f"the description cannot be read: {error}"]
    names = [joint.name for joint in robot.joints]
    missing = [name for name in names if not model.existJointName(name)]
    if missing:
        known = ", ".join(list(model.names)[1:]) or "none"
        return [f"the description has no joint {', '.join(missing)}; it has {known}"]
    links = {frame.name for frame in model.frames if frame.type == _LINK}
    lost = [name for name in (robot.base_frame, robot.tool_frame) if name not in links]
    found = [problem for joint in robot.joints for problem in _limits(joint, model)]
    if lost:
        return [*found, f"the description has no link {', '.join(lost)}: the tool's place is not "
                        "compared"]  # fmt: skip
    return found + _tool(robot, names, model)


def _limits(joint: Joint, model: pinocchio.Model) -> list[str]:
    number = model.getJointId(joint.name)
    kind, found = model.joints[number], []
    if kind.nq == 1:
        ends = model.lowerPositionLimit[kind.idx_q], model.upperPositionLimit[kind.idx_q]
        if joint.position[0] < ends[0] - _SLACK or joint.position[1] > ends[1] + _SLACK:
            found.append(f"{joint.name} may go from {joint.position[0]:.3f} to "
                         f"{joint.position[1]:.3f} rad; in the description from {ends[0]:.3f} to "
                         f"{ends[1]:.3f}")  # fmt: skip
    speed = float(model.velocityLimit[kind.idx_v])
    if 0.0 < speed < joint.velocity - _SLACK:
        found.append(f"{joint.name} may turn at {joint.velocity:.3f} rad/s; in the description at "
                     f"{speed:.3f}")  # fmt: skip
    return found


def _tool(robot: RobotConfig, names: list[str], model: pinocchio.Model) -> list[str]:
    """Compare where the tool is at home, and in positions between the limits."""
    kinematics, data, rng = Kinematics(robot), model.createData(), np.random.default_rng(0)
    ends = np.array([joint.position for joint in robot.joints])
    tried = [np.array(robot.home), *(rng.uniform(*ends.T) for _ in range(_TRIED - 1))]
    base, tool = (model.getFrameId(name, _LINK) for name in (robot.base_frame, robot.tool_frame))
    worst = (0.0, 0.0)
    for positions in tried:
        whole = pinocchio.neutral(model)
        for name, angle in zip(names, positions, strict=True):
            joint = model.joints[model.getJointId(name)]
            turn = [angle] if joint.nq == 1 else [np.cos(angle), np.sin(angle)]
            whole[joint.idx_q : joint.idx_q + joint.nq] = turn
        pinocchio.framesForwardKinematics(model, data, whole)
        theirs = (data.oMf[base].inverse() * data.oMf[tool]).homogeneous
        gap = np.linalg.inv(theirs) @ kinematics.forward(positions)
        angle = float(np.arccos(np.clip((np.trace(gap[:3, :3]) - 1) / 2, -1.0, 1.0)))
        worst = max(worst, (float(np.linalg.norm(gap[:3, 3])), angle))
    if worst[0] < _APART_M and worst[1] < _APART_RAD:
        return []
    return [f"{robot.tool_frame} is up to {100 * worst[0]:.1f} cm and {np.rad2deg(worst[1]):.1f} "
            "degrees from where the description has it"]  # fmt: skip
