"""What the parts of a contract must not be, seen together."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from vlm_robot_ros.robot.config import ISAAC_SIM, RobotConfig
from vlm_robot_ros.robot.sros2_policy import PUBLISHED_TOPICS, SUBSCRIBED_TOPICS

MAX_JOINTS = 10
_TOPIC = re.compile(r"~?/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*", re.ASCII)


def validate_robot(robot: RobotConfig) -> Iterator[tuple[str, str]]:
    """Say what cannot be meant: under which key of the contract, and why."""
    for each in (_joints, _names, _topics, _cameras, _gripper, _servos, _sinks):
        yield from each(robot)


def _joints(robot: RobotConfig) -> Iterator[tuple[str, str]]:
    if len(robot.joints) > MAX_JOINTS:
        yield "joints", f"{len(robot.joints)} of them; valid: {MAX_JOINTS} at most"
    if len(robot.home) != len(robot.joints):
        yield "home", f"{len(robot.home)} positions for {len(robot.joints)} joints"
    for joint, home in zip(robot.joints, robot.home, strict=False):
        if not joint.position[0] <= home <= joint.position[1]:
            yield "home", f"{joint.name} at {home} is outside its limits {joint.position}"


def _names(robot: RobotConfig) -> Iterator[tuple[str, str]]:
    for key, names in (
        ("joints", robot.joint_names),
        ("cameras", [camera.name for camera in robot.cameras]),
        ("gripper", [*robot.joint_names, *robot.finger_names]),
    ):
        if same := _repeated(names):
            yield key, f"names must differ; more than once: {same}"


def _topics(robot: RobotConfig) -> Iterator[tuple[str, str]]:
    cameras = [camera.topic for camera in robot.cameras]
    sinks = [sink.topic for sink in robot.sinks]
    for key, topics in (("cameras", cameras), ("sinks", sinks)):
        for topic in topics:
            if not _TOPIC.fullmatch(topic):
                yield key, f"topic '{topic}'; valid: letters, digits, _ and /, as camera/image_raw"
        if same := _repeated(map(_is_plain_name, topics)):
            yield key, f"topics must differ; more than once: {same}"
    scaling = [robot.speed_scaling] if robot.speed_scaling else []
    for topic in scaling:
        if not _TOPIC.fullmatch(topic):
            yield "speed_scaling", f"topic '{topic}'; valid: letters, digits, _ and /"
    taken = set(map(_is_plain_name, (*SUBSCRIBED_TOPICS, *PUBLISHED_TOPICS, *cameras, *scaling)))
    for topic in sinks:
        if _is_plain_name(topic) in taken:
            yield "sinks", f"topic '{topic}' is one that the node itself uses; give it another"


def _cameras(robot: RobotConfig) -> Iterator[tuple[str, str]]:
    if not robot.colour_cameras:
        yield "cameras", "all are depth cameras; one of colour is needed"
    infos = [camera.info_topic for camera in robot.cameras]
    for camera in robot.cameras:
        if camera.pose_from_tf and robot.simulated:
            yield (
                "cameras",
                f"'{camera.name}' has its pose from TF, which the simulated arm does not publish; "
                "valid: numbers",
            )
        if camera.depth and infos.count(camera.info_topic) > 1:
            yield (
                "cameras",
                f"the calibration of '{camera.name}' would be on '{camera.info_topic}', "
                "as another camera's: put its images into another folder",
            )


def _servos(robot: RobotConfig) -> Iterator[tuple[str, str]]:
    if robot.servos is None:
        return
    for key in ("stiffness", "torque"):
        count = len(getattr(robot.servos, key))
        if count != len(robot.joints):
            yield "simulation", f"{key} has {count} values for {len(robot.joints)} joints"


def _gripper(robot: RobotConfig) -> Iterator[tuple[str, str]]:
    if robot.has_gripper:
        return
    if robot.simulated and robot.simulation != ISAAC_SIM:
        yield "gripper", f"null, but the simulated '{robot.simulation}' has one; name its joint"
    for sink in robot.sinks:
        if not sink.traits.commands_arm:
            yield "sinks", f"{sink.kind} commands a gripper, but the contract's gripper is null"


def _sinks(robot: RobotConfig) -> Iterator[tuple[str, str]]:
    """A simulated arm may have all sinks at once, of which its controllers hear some."""
    if robot.simulated:
        return
    for what, kinds in (
        ("the arm", [sink.kind for sink in robot.sinks if sink.traits.commands_arm]),
        ("the gripper", [sink.kind for sink in robot.sinks if sink.traits.commands_gripper]),
    ):
        if len(kinds) > 1:
            yield "sinks", f"{what} would be commanded by {' and '.join(kinds)}; valid: by one"


def _is_plain_name(topic: str) -> str:
    return topic.lstrip("/")


def _repeated(names: Iterable[str]) -> str:
    return ", ".join(name for name, count in Counter(names).items() if count > 1)
