"""Image messages of pictures."""

import numpy as np
from sensor_msgs.msg import Image


def from_rgb(picture: np.ndarray) -> Image:
    """Return a message, without its header, of a picture of shape (H, W, 3), uint8 RGB."""
    height, width, _ = picture.shape
    message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    message.data = picture.tobytes()
    return message
