"""Whether a map fits a checkpoint of LeRobot: its inputs and outputs, by name and shape."""

from typing import Any

from vlm_robot_ros.policies.remote.policy_map import (
    CameraMap,
    PolicyMap,
    action_width,
    state_width,
)
from vlm_robot_ros.robot.config import RobotConfig


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
    problems = []
    for key, (_, shape) in about["inputs"].items():
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


def _image_size(camera: CameraMap, robot: RobotConfig) -> tuple[int, int]:
    """Return height and width [px]."""
    if camera.size is not None:
        return camera.size[1], camera.size[0]
    known = robot.camera(camera.camera)
    height, width = known.crop[2:] if known.crop else (known.height, known.width)
    return (width, height) if camera.rotate in (90, 270) else (height, width)
