"""Whether a map fits a checkpoint of LeRobot: its inputs and outputs, by name and shape."""

from typing import Any

from vlm_robot_ros.policies.lerobot.policy_server import EMPTY_CAMERA
from vlm_robot_ros.policies.remote.policy_map import (
    CameraMap,
    PolicyMap,
    action_width,
    state_width,
)
from vlm_robot_ros.robot.config import RobotConfig

ACTION_KEY = "action"
"""What LeRobot calls its actions."""


def find_misfits(found: PolicyMap, robot: RobotConfig, about: dict[str, Any]) -> list[str]:
    """Return what does not fit, naming both sides.

    Args:
        found: The map.
        robot: That it is for.
        about: What the checkpoint says: `inputs` has type and shape of each key, `outputs` the
            shape.
    """
    given: dict[str, list[int]] = {
        str(each.key): [3, *_image_size(each, robot)] for each in found.cameras
    }
    given |= {
        str(each.key): [sum(state_width(part, robot) for part in each.parts)]
        for each in found.state
    }
    problems = find_unfit_keys(found)
    for key, (_, shape) in about["inputs"].items():
        if EMPTY_CAMERA in key:
            continue
        if key not in given:
            has = ", ".join(given) or "nothing"
            problems.append(f"the checkpoint needs '{key}'; the map gives {has}")
        elif given[key] != list(shape):
            problems.append(
                f"'{key}' has shape {tuple(given[key])}; the checkpoint learned {tuple(shape)}"
            )
    needed = action_width(found.actions, robot)
    for key, shape in about["outputs"].items():
        if key == found.actions.key and list(shape)[-1] < needed:
            problems.append(
                f"the checkpoint's actions have {list(shape)[-1]} values; the map for robot "
                f"'{robot.name}' needs {needed} at least"
            )
    return problems


def find_unfit_keys(found: PolicyMap) -> list[str]:
    """Return what of a map no policy of LeRobot can have."""
    keys = [camera.key for camera in found.cameras] + [state.key for state in found.state]
    keys += [found.prompt.key] if found.prompt else []
    problems = [
        f"key {key} is a list; valid for LeRobot: a text"
        for key in keys
        if not isinstance(key, str)
    ]
    problems += [
        f"layout of '{camera.key}' is {camera.layout}; valid for LeRobot: hwc"
        for camera in found.cameras
        if camera.layout != "hwc"
    ]
    if found.actions.key != ACTION_KEY or found.actions.tables:
        problems.append(f"the actions' key is {found.actions.key}; valid: {ACTION_KEY}")
    return problems


def _image_size(camera: CameraMap, robot: RobotConfig) -> tuple[int, int]:
    """Return height and width [px]."""
    if camera.size is not None:
        return camera.size[1], camera.size[0]
    known = robot.camera(camera.camera)
    height, width = known.crop[2:] if known.crop else (known.height, known.width)
    return (width, height) if camera.rotate in (90, 270) else (height, width)
