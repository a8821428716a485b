"""Image messages of pictures."""

from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.logging import get_logger
from sensor_msgs.msg import Image

from vlm_robot_ros.policy.base import Policy


def from_rgb(picture: np.ndarray) -> Image:
    """Return a message, without its header, of a picture of shape (H, W, 3), uint8 RGB."""
    height, width, _ = picture.shape
    message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    message.data = picture.tobytes()
    return message


def publish_overlay(publisher: Any, policy: Policy, stamp: Time) -> None:
    """Publish the last picture and what a policy found in it, if it draws any."""
    try:
        drawn = policy.draw()
    except Exception as error:  # a picture that cannot be drawn must not end the policy
        get_logger("policy_node").warning(f"no overlay: {error}", once=True)
        drawn = None
    if drawn is not None:
        message = from_rgb(drawn)
        message.header.stamp = stamp
        publisher.publish(message)
