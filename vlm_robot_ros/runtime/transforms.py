"""From the messages of TF to where the contract's cameras are."""

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from vlm_robot_ros.kinematics.transform_buffer import TransformBuffer, TransformError
from vlm_robot_ros.robot.config import Camera

TRANSFORM_TOPICS = MappingProxyType({"/tf": False, "/tf_static": True})
"""Where TF is published, and whether what comes there is static."""


def add_transforms(buffer: TransformBuffer, message: Any, static: bool) -> Iterator[str]:
    """Take a tf2_msgs TFMessage; yields why a transform of it cannot be used."""
    for each in message.transforms:
        stamp, place, turn = (
            each.header.stamp, each.transform.translation, each.transform.rotation
        )  # fmt: skip
        pose = np.array([place.x, place.y, place.z, turn.x, turn.y, turn.z, turn.w])
        time = stamp.sec + stamp.nanosec * 1e-9
        try:
            buffer.add(each.header.frame_id, each.child_frame_id, time, pose, static)
        except TransformError as error:
            yield str(error)


def placed_camera(camera: Camera, base: str, buffer: TransformBuffer, time: float) -> Camera:
    """Return a camera with the place that TF has for it at a time.

    Args:
        camera: Of the contract.
        base: The arm's base frame.
        buffer: What TF has published.
        time: When the image was taken [s].

    Raises:
        TransformError: it is not known then.
    """
    frame = buffer.look_up(base, camera.frame, time)
    turn = Rotation.from_matrix(frame[:3, :3]).as_euler("xyz")
    return replace(camera, pose=(*frame[:3, 3].tolist(), *turn.tolist()))
