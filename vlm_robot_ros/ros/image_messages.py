"""Image messages of images and of distances."""

import numpy as np
from sensor_msgs.msg import Image


def from_rgb(image: np.ndarray) -> Image:
    """Return a message, without its header, of an image of shape (H, W, 3), uint8 RGB."""
    height, width, _ = image.shape
    message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    message.data = image.tobytes()
    return message


def from_depth(depth: np.ndarray) -> Image:
    """Return a message, without its header, of distances of shape (H, W) [m] (REP 118)."""
    height, width = depth.shape
    message = Image(height=height, width=width, encoding="32FC1", step=4 * width)
    message.data = depth.astype("<f4").tobytes()
    return message
