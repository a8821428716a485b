"""The arms that can be simulated: robosuite's models, with servos and the Panda's gripper.

Only robosuite's model files are used. The visual meshes cost 32 ms a frame on a CPU; the collision
meshes, recoloured, look alike and cost 4 ms, so the visual ones are dropped.
"""

import importlib.util
from itertools import cycle
from pathlib import Path

import mujoco

from vlm_robot_ros.robot.config import RobotConfig, SimulatedServos

_WHITE, _GREY, _DARK = (0.93, 0.94, 0.95, 1), (0.55, 0.56, 0.58, 1), (0.22, 0.23, 0.25, 1)
_LINK_COLOURS = (_GREY, _WHITE, _WHITE, _WHITE, _GREY, _WHITE, _GREY, _DARK)
TOOL_OFFSET = 0.0965
"""From the hand to between the fingertips [m]."""


SERVO_LAG = 0.1
"""How long a joint in motion lags behind its command: damping per stiffness [s]."""


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
    folder = asset_dir() / "robots"
    models = sorted(file.parent.name for file in folder.glob("*/robot.xml"))
    if robot.servos is None or robot.simulation not in models:
        raise ValueError(
            f"the contract of {robot.name} has simulation '{robot.simulation}'; valid: a mapping "
            f"with the model (one of {', '.join(models)}), mount, stiffness and torque"
        )
    spec = mujoco.MjSpec.from_file(str(folder / robot.simulation / "robot.xml"))
    gripper = mujoco.MjSpec.from_file(str(asset_dir() / "grippers" / "panda_gripper.xml"))
    if len(spec.joints) != len(robot.joints):
        raise ValueError(
            f"the contract of {robot.name} has {len(robot.joints)} joints; "
            f"{robot.simulation} has {len(spec.joints)}"
        )
    spec.body("base").pos = robot.servos.mount
    _add_servos(spec, robot, robot.servos)
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


def _add_servos(spec: mujoco.MjSpec, robot: RobotConfig, arm: SimulatedServos) -> None:
    """Replace the torque motors by position servos named as the contract's joints."""
    for motor in list(spec.actuators):
        spec.delete(motor)
    for index, (joint, own) in enumerate(zip(robot.joints, list(spec.joints), strict=True)):
        own.armature = 0.1
        own.range, own.limited = joint.position, mujoco.mjtLimited.mjLIMITED_TRUE
        servo = spec.add_actuator(name=joint.name, target=own.name)
        servo.trntype = mujoco.mjtTrn.mjTRN_JOINT
        servo.set_to_position(kp=arm.stiffness[index], kv=arm.stiffness[index] * SERVO_LAG)
        servo.ctrlrange = joint.position
        servo.forcerange = (-arm.torque[index], arm.torque[index])
