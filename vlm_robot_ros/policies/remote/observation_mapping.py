"""Observations in the words of a policy of somebody else."""

from typing import Any

import numpy as np

from vlm_robot_ros.image_resize import resize_image
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.policies.remote.policy_map import CameraMap, PolicyMap, StatePart
from vlm_robot_ros.policies.remote.rotations import write_rotation


def map_observation(found: PolicyMap, observation: Observation) -> dict[str, Any]:
    """Return what a policy is sent: images, shape (H, W, 3) or (3, H, W), uint8; states, float32.

    Raises:
        ValueError: a camera or the joints are missing.
    """
    message: dict[str, Any] = {}
    for camera in found.cameras:
        if camera.camera not in observation.images:
            raise ValueError(f"there is no image of camera '{camera.camera}'")
        _store(message, camera.key, map_image(camera, observation.images[camera.camera]))
    for state in found.state:
        values = [_values(part, observation) for part in state.parts]
        _store(message, state.key, np.concatenate(values).astype(np.float32))
    if found.prompt is not None:
        text = found.prompt.text.format(instruction=observation.instruction)
        _store(message, found.prompt.key, text)
    return message


def map_image(camera: CameraMap, image: np.ndarray) -> np.ndarray:
    """Return an image, shape (H, W, 3), uint8 RGB, as a policy wants it."""
    image = np.rot90(image, camera.rotate // 90)
    image = image[:, ::-1] if camera.mirror else image
    if camera.size is not None:
        image = resize_image(image, camera.size[0], camera.size[1], camera.fit)
    return np.ascontiguousarray(image if camera.layout == "hwc" else image.transpose(2, 0, 1))


def _values(part: StatePart, whole: Observation) -> np.ndarray:
    observation = whole.others.get(part.arm, whole)
    if part.values == "joints":
        if observation.joints is None:
            raise ValueError("the positions of the joints are not known")
        return np.rad2deg(observation.joints) if part.unit == "deg" else observation.joints
    if part.values == "gripper":
        closed, opened = np.array(part.closed), np.array(part.open)
        return closed + observation.opening * (opened - closed)
    if part.values == "position":
        return observation.pose[:3]
    return write_rotation(part.values, observation.pose[3:])


def _store(message: dict[str, Any], key: str | list[str], value: Any) -> None:
    *outer, last = [key] if isinstance(key, str) else key
    for name in outer:
        message = message.setdefault(name, {})
    message[last] = value
