"""Several arms that one policy moves, as one robot: each has a contract of its own."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

from annotated_types import Len, MinLen
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.robot.contract_errors import error_text
from vlm_robot_ros.robot.contract_yaml import ContractError

_ArmName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ArmEntry(_Part):
    """One of the arms."""

    name: _ArmName
    """Its topics begin with it, and the names of its cameras."""
    robot: Annotated[str, MinLen(1)]
    """Its contract: a shipped name or the path of a file."""


class ArmGroup(_Part):
    """A robot of several arms."""

    name: Annotated[str, MinLen(1)]
    arms: Annotated[list[ArmEntry], Len(2, 4)]


def is_arm_group(content: Any) -> bool:
    """Tell whether a parsed YAML file is of several arms."""
    return isinstance(content, dict) and "arms" in content


def read_arm_group(content: Any, where: str, load: Callable[[str], RobotConfig]) -> RobotConfig:
    """Return several arms as one robot: the first one, with `RobotConfig.others`.

    Args:
        content: The parsed YAML.
        where: Names it in errors.
        load: Returns the contract of one arm.

    Raises:
        ContractError: a field is missing or unknown, a name or topic is given twice, or some arms
            are simulated and others are not.
    """
    try:
        group = ArmGroup.model_validate(content)
    except ValidationError as error:
        raise ContractError(error_text(error, ArmGroup, content, where)) from error
    arms = [_named(load(entry.robot), entry.name) for entry in group.arms]
    cameras = tuple(camera for arm in arms for camera in arm.cameras)
    for what, names in (
        ("arm", [arm.arm for arm in arms]),
        ("camera", [camera.name for camera in cameras]),
        ("topic", [camera.topic for camera in cameras]),
        ("topic", [sink.topic for arm in arms for sink in arm.sinks]),
    ):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise ContractError(f"{where}: {what} '{twice[0]}' is of two arms; valid: one each")
    if len({arm.simulated for arm in arms}) > 1:
        told = ", ".join(f"{a.arm} {'' if a.simulated else 'not '}simulated" for a in arms)
        raise ContractError(f"{where}: {told}; valid: all simulated, or none")
    first, *others = arms
    return replace(
        first,
        name=group.name,
        cameras=cameras,
        others=tuple(replace(arm, cameras=()) for arm in others),
    )


def _named(robot: RobotConfig, arm: str) -> RobotConfig:
    """Return an arm whose relative topics and whose cameras begin with its name."""
    robot = replace(robot, arm=arm)
    return replace(
        robot,
        cameras=tuple(
            replace(each, name=f"{arm}_{each.name}", topic=robot.topic(each.topic))
            for each in robot.cameras
        ),
        sinks=tuple(replace(each, topic=robot.topic(each.topic)) for each in robot.sinks),
        speed_scaling=robot.topic(robot.speed_scaling) if robot.speed_scaling else "",
    )
