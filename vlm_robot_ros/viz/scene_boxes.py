"""What a policy sees of a scene, as boxes over the image."""

from collections.abc import Sequence

import cv2
import numpy as np

from vlm_robot_ros.viz.overlay import to_latin1

_COLOURS = ((255, 90, 60), (60, 140, 255), (90, 220, 120), (250, 200, 60), (220, 110, 240))
_FONT, _SIZE, _PAPER = cv2.FONT_HERSHEY_SIMPLEX, 0.45, (24, 24, 28)
_LEAST_SIDE = 480
"""Images are enlarged to it, so that the words can be read [px]."""


def draw_boxes(image: np.ndarray, boxes: Sequence[tuple[np.ndarray, str]]) -> np.ndarray:
    """Return an image with a box for each thing, and what is said of it.

    Args:
        image: Shape (H, W, 3), uint8 RGB.
        boxes: Of each thing left, top, right, bottom, shape (4,), [px], and its words.
    """
    scale = max(1, -(-_LEAST_SIDE // image.shape[1]))
    canvas = np.repeat(np.repeat(image, scale, 0), scale, 1)
    for number, (box, words) in enumerate(boxes):
        if not np.isfinite(box).all():
            continue
        colour = _COLOURS[number % len(_COLOURS)]
        left, top, right, bottom = (int(side) for side in np.round(box * scale))
        cv2.rectangle(canvas, (left, top), (right, bottom), colour, 2)
        words = to_latin1(words)
        (width, height), _ = cv2.getTextSize(words, _FONT, _SIZE, 1)
        column = max(0, min(left, canvas.shape[1] - width))
        row = top - 5 if top > height + 8 else bottom + height + 5
        cv2.rectangle(canvas, (column, row - height - 3), (column + width, row + 4), _PAPER, -1)
        cv2.putText(canvas, words, (column, row), _FONT, _SIZE, colour, 1, cv2.LINE_AA)
    return canvas
