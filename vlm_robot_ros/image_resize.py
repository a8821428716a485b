"""Images in another size: the same for what a policy learns from and for what it is sent."""

from typing import Literal

import numpy as np
from PIL import Image

Fit = Literal["pad", "squash"]
"""How an image of another shape becomes a size: with black bars on both sides, or distorted."""


def resize_image(image: np.ndarray, width: int, height: int, fit: Fit) -> np.ndarray:
    """Return an image in another size, with bars as openpi has them.

    Args:
        image: Shape (H, W, 3), uint8.
        width: Wanted [px].
        height: Wanted [px].
        fit: What to do where the shape is another one.
    """
    if image.shape[:2] == (height, width):
        return image
    given = Image.fromarray(np.ascontiguousarray(image))
    if fit == "squash":
        return np.asarray(given.resize((width, height), Image.Resampling.BILINEAR))
    ratio = max(given.width / width, given.height / height)
    inner = max(1, int(given.width / ratio)), max(1, int(given.height / ratio))
    whole = Image.new("RGB", (width, height))
    whole.paste(
        given.resize(inner, Image.Resampling.BILINEAR),
        ((width - inner[0]) // 2, (height - inner[1]) // 2),
    )
    return np.asarray(whole)
