"""The arms that can be simulated: robosuite's models, with servos and the Panda's gripper.

Only robosuite's model files are used. The visual meshes cost 32 ms a frame on a CPU; the collision
meshes, recoloured, look alike and cost 4 ms, so the visual ones are dropped.
"""

import importlib.util
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import mujoco

from vlm_robot_ros.robot.config import RobotConfig

_WHITE, _GREY, _DARK = (0.93, 0.94, 0.95, 1), (0.55, 0.56, 0.58, 1), (0.22, 0.23, 0.25, 1)
_LINK_COLOURS = (_GREY, _WHITE, _WHITE, _WHITE, _GREY, _WHITE, _GREY, _DARK)
TOOL_OFFSET = 0.0965
"""From the hand to between the fingertips [m]."""


@dataclass(frozen=True)
class ServoModel:
    """How a model stands at the table, and how strong its servos are."""

    mount: tuple[float, float, float]
    """Of the arm's base in the table's frame [m]."""
    stiffness: tuple[float, ...]
    """Of the position servos [Nm/rad]; damping is `SERVO_LAG` times that [Nm s/rad]."""
    torque: tuple[float, ...]
    """Limits [Nm]."""


SERVO_LAG = 0.1
"""How long after what it is told a joint in motion is there [s]."""
# Servos: stiff enough that the tool follows within millimetres, as on real arms.
_SEVEN = (4500, 4500, 3500, 3500, 2000, 2000, 2000)
_STRONG = (150, 150, 150, 150, 60, 60, 60)
ARMS = {
    "panda": ServoModel((0.0, 0.0, 0.0), _SEVEN, (87, 87, 87, 87, 12, 12, 12)),
    "ur5e": ServoModel(
        (0.0, 0.0, 0.0), (4500, 4500, 3500, 2000, 2000, 2000), (150,) * 3 + (28,) * 3
    ),
    "kinova3": ServoModel((0.0, 0.0, 0.0), _SEVEN, (105, 105, 52, 52, 52, 52, 52)),
    "xarm7": ServoModel((0.12, 0.0, 0.0), _SEVEN, _STRONG),
    "iiwa": ServoModel((0.0, 0.0, 0.0), _SEVEN, (176, 176, 110, 110, 110, 40, 40)),
    "sawyer": ServoModel((0.0, 0.0, 0.0), _SEVEN, (80, 80, 40, 40, 9, 9, 9)),
}
"""The arms by robosuite's names."""


def asset_dir() -> Path:
    """Return robosuite's folder of model files.

    Raises:
        ModuleNotFoundError: robosuite is not installed.
    """
    found = importlib.util.find_spec("robosuite")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(
            "the simulator needs robosuite: pip install 'vlm_robot_ros[sim]'"
        )
    return Path(found.submodule_search_locations[0]) / "models" / "assets"


def arm_with_gripper(robot: RobotConfig) -> mujoco.MjSpec:
    """Return the model of a contract's arm; the hand is the body "right_hand".

    Raises:
        ValueError: there is no model of it, or it has another number of joints.
    """
    if robot.simulation not in ARMS:
        raise ValueError(
            f"the contract of {robot.name} has simulation '{robot.simulation}'; valid: "
            f"{', '.join(ARMS)}"
        )
    spec = mujoco.MjSpec.from_file(str(asset_dir() / "robots" / robot.simulation / "robot.xml"))
    gripper = mujoco.MjSpec.from_file(str(asset_dir() / "grippers" / "panda_gripper.xml"))
    if len(spec.joints) != len(robot.joints):
        raise ValueError(
            f"the contract of {robot.name} has {len(robot.joints)} joints; "
            f"{robot.simulation} has {len(spec.joints)}"
        )
    spec.body("base").pos = ARMS[robot.simulation].mount
    _add_servos(spec, robot)
    for part in (spec, gripper):
        _drop_visuals(part)
    for geom, colour in zip(spec.geoms, cycle(_LINK_COLOURS), strict=False):
        geom.rgba, geom.material = colour, ""
    for geom in gripper.geoms:
        geom.rgba = _DARK if "finger" in geom.name else _WHITE
    spec.body("right_hand").add_frame().attach_body(gripper.body("right_gripper"), "", "")
    for body in spec.bodies:
        if body.name != "world":
            body.gravcomp = 1.0
    return spec


def _drop_visuals(spec: mujoco.MjSpec) -> None:
    for sensor in list(spec.sensors):  # they hang on the sites
        spec.delete(sensor)
    solid = any(geom.group == 0 for geom in spec.geoms)
    for geom in list(spec.geoms):
        if geom.group == 1 and solid:  # the xArm has nothing else
            spec.delete(geom)
    shown = {geom.meshname for geom in spec.geoms}
    for mesh in list(spec.meshes):
        if mesh.name not in shown:
            spec.delete(mesh)
    for unused in [*spec.materials, *spec.cameras, *spec.sites]:
        spec.delete(unused)


def _add_servos(spec: mujoco.MjSpec, robot: RobotConfig) -> None:
    """Replace the torque motors by position servos named as the contract's joints."""
    for motor in list(spec.actuators):
        spec.delete(motor)
    arm = ARMS[robot.simulation]
    for index, (joint, own) in enumerate(zip(robot.joints, list(spec.joints), strict=True)):
        own.armature = 0.1
        own.range, own.limited = joint.position, mujoco.mjtLimited.mjLIMITED_TRUE
        servo = spec.add_actuator(name=joint.name, target=own.name)
        servo.trntype = mujoco.mjtTrn.mjTRN_JOINT
        servo.set_to_position(kp=arm.stiffness[index], kv=arm.stiffness[index] * SERVO_LAG)
        servo.ctrlrange = joint.position
        servo.forcerange = (-arm.torque[index], arm.torque[index])
