"""Where the words lead: heatmaps of target and reference over the camera's picture."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vlm_robot_ros.models.robot_model import Grounding, ModelConfig

_COLOURS = np.array([[255, 60, 40], [40, 120, 255]])
"""Of target and reference."""


def overlay(picture: np.ndarray, seen: Grounding | None, config: ModelConfig) -> np.ndarray:
    """Return the model's crop of a picture with both heatmaps over it.

    Args:
        picture: Shape (H, W, 3) of the model's picture size, uint8.
        seen: What the model found in it, if it looked; what it did not find is not drawn.
        config: Of the model.
    """
    top, left, height, width = config.crop
    canvas = picture[top : top + height, left : left + width].astype(float) * 0.75
    for which, colour in enumerate(_COLOURS):
        if seen is None or float(seen.present[0, which]) < 0.3:
            continue
        heat = seen.heatmap[0, which].reshape(config.grid).cpu().numpy()
        heat = np.kron(heat / max(heat.max(), 1e-9), np.ones((4, 4)))
        canvas = tint(canvas, heat * 0.75, colour)
    return canvas.astype(np.uint8)


def tint(canvas: np.ndarray, heat: np.ndarray, colour: np.ndarray = _COLOURS[0]) -> np.ndarray:
    """Return a picture, shape (H, W, 3), that has a colour where heat, shape (H, W), is 1."""
    return canvas * (1 - heat[..., None]) + colour * heat[..., None]


def sheet(panels: Sequence[tuple[np.ndarray, str, str]], columns: int = 3) -> Image.Image:
    """Return overlays with what was said and what is done under each."""
    scale, gap = 2, 46
    height, width = (side * scale for side in panels[0][0].shape[:2])
    rows = -(-len(panels) // columns)
    columns = min(columns, len(panels))
    page = Image.new("RGB", (columns * width, rows * (height + gap)), (24, 24, 28))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(15)
    for number, (picture, said, done) in enumerate(panels):
        x, y = number % columns * width, number // columns * (height + gap)
        page.paste(Image.fromarray(picture).resize((width - 4, height - 4)), (x + 2, y + 2))
        pen.text((x + 8, y + height + 2), f'"{said}"', (240, 240, 240), font)
        pen.text((x + 8, y + height + 22), done, (240, 180, 70), font)
    return page
