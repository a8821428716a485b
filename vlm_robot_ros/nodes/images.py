"""Image messages of pictures."""

import numpy as np
from rclpy.logging import get_logger
from sensor_msgs.msg import Image

from vlm_robot_ros.policy.base import Policy


def from_rgb(picture: np.ndarray) -> Image:
    """Return a message, without its header, of a picture of shape (H, W, 3), uint8 RGB."""
    height, width, _ = picture.shape
    message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    message.data = picture.tobytes()
    return message


def drawn_by(policy: Policy) -> np.ndarray | None:
    """Return the last picture and what a policy found in it, if it draws any."""
    try:
        return policy.draw()
    except Exception as error:  # a picture that cannot be drawn must not end the policy
        get_logger("policy_node").warning(f"no overlay: {error}", once=True)
        return None
