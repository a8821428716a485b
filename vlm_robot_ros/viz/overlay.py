"""Images of what a policy looks at and is about to do, over what the camera sees."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # who only writes captions needs no torch
    from vlm_robot_ros.models.grounded.config import GroundedModelConfig
    from vlm_robot_ros.models.grounded.model import Grounding

_COLOURS = np.array([[255, 60, 40], [40, 120, 255]])
"""Of target and reference."""
_DARK, _STRONG = 0.75, 0.75
_HEATMAP_THRESHOLD = 0.3
"""How likely a thing must be there to be drawn."""
_TRAJECTORY_COLOUR = (90, 230, 120)
_BAR, _LEAST_WIDTH = 66, 480
"""Height of the words below an image; narrower images are enlarged [px]."""
_LARGEST, _MOST_ENLARGED = 1280, 4
"""Larger sides are made smaller [px]; no image is enlarged more."""
_PAPER, _INK, _GOOD, _HOLD = (24, 24, 28), (240, 240, 240), (90, 200, 120), (235, 70, 60)


def overlay_heatmaps(image: np.ndarray, heats: list[np.ndarray]) -> np.ndarray:
    """Return an image, darkened, that turns red and then blue where heats are 1.

    Args:
        image: Shape (H, W, 3), uint8 RGB.
        heats: 0 to 1; at most two. Shape (H, W) each.
    """
    canvas = image * _DARK
    for heat, colour in zip(heats, _COLOURS, strict=False):
        strength = heat[..., None] * _STRONG
        canvas = canvas * (1 - strength) + colour * strength
    return canvas.astype(np.uint8)


def overlay(
    image: np.ndarray, seen: "Grounding | None", config: "GroundedModelConfig"
) -> np.ndarray:
    """Return what a model looks at with both heatmaps over it, red the target's.

    Args:
        image: The crop. Shape (H, W, 3), uint8 RGB.
        seen: What the model found in it, if it looked; what it did not find is not drawn.
        config: Of the model.
    """
    heats = []
    for which in range(len(_COLOURS)):
        heat = np.zeros(image.shape[:2])
        if seen is not None and float(seen.present[0, which]) >= _HEATMAP_THRESHOLD:
            tokens = seen.heatmap[0, which].reshape(config.grid).cpu().numpy()
            heat = np.kron(tokens / max(tokens.max(), 1e-9), np.ones((4, 4)))
        heats.append(heat)
    return overlay_heatmaps(image, heats)


def draw_trajectory(
    image: np.ndarray, points: np.ndarray, config: "GroundedModelConfig"
) -> np.ndarray:
    """Return an image with a way of the tool in it, from the first point on.

    Args:
        image: The crop. Shape (H, W, 3), uint8 RGB.
        points: Shape (N, 3), base frame [m].
        config: Of the model, which knows where its camera is.
    """
    from PIL import Image, ImageDraw  # who only acts needs no Pillow

    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    way = [tuple(pixel) for pixel in project(points, config).tolist()]
    pen.line(way, _TRAJECTORY_COLOUR, 2)
    column, row = way[-1]
    pen.ellipse((column - 3, row - 3, column + 3, row + 3), outline=_TRAJECTORY_COLOUR, width=2)
    return np.asarray(canvas)


def project(points: np.ndarray, config: "GroundedModelConfig") -> np.ndarray:
    """Return where points are in the crop: column and row, shape (N, 2) [px].

    Args:
        points: Below the camera. Shape (N, 3), base frame [m].
        config: Of the model: its homography leads from pixels to the table.
    """
    eye = np.array(config.eye)
    # What a point hides of the table, as the camera sees it.
    hidden = eye + (points - eye) * eye[2] / np.maximum(eye[2] - points[:, 2:], 1e-3)
    flat = np.column_stack([hidden[:, :2], np.ones(len(points))])
    seen = flat @ np.linalg.inv(np.array(config.homography)).T
    return seen[:, :2] / seen[:, 2:] - np.array([config.crop[1], config.crop[0]])


def caption(
    image: np.ndarray, instruction: str, label: str, score: float, hold: str
) -> np.ndarray:
    """Return an image, about 480 to 1280 px wide, with what is asked and done below it.

    Args:
        image: Shape (H, W, 3), uint8 RGB.
        instruction: The words.
        label: What they were taken for; empty for nothing.
        score: How likely, 0..1.
        hold: Why the arm holds, in red; empty when it moves.
    """
    from PIL import Image, ImageDraw, ImageFont

    step = -(-max(image.shape[:2]) // _LARGEST)
    image = image[::step, ::step]
    scale = min(_MOST_ENLARGED, max(1, -(-_LEAST_WIDTH // image.shape[1])))
    large = np.repeat(np.repeat(image, scale, 0), scale, 1)
    height, width, _ = large.shape
    canvas = Image.new("RGB", (width, height + _BAR), _PAPER)
    canvas.paste(Image.fromarray(large))
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    lines: Sequence[tuple[str, tuple[int, int, int]]] = (
        (f'"{to_latin1(instruction)}"' if instruction else "", _INK),
        (f"{to_latin1(label)}  {score:.0%}" if label else "", _GOOD),
        (f"holding: {to_latin1(hold)}" if hold else "", _HOLD),
    )
    for number, (text, colour) in enumerate(lines):
        pen.text((8, height + 4 + 20 * number), text[: width // 7], colour, font)
    if hold:
        pen.rectangle((0, 0, width - 1, height - 1), outline=_HOLD, width=3)
    return np.asarray(canvas)


def to_latin1(text: str) -> str:
    """Return a text with a question mark for what a plain font cannot draw."""
    return "".join(sign if sign.isprintable() and ord(sign) < 0x2000 else "?" for sign in text)
