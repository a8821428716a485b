"""A page of images, with words under each."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def image_grid(panels: Sequence[tuple[np.ndarray, str, str]], columns: int = 3) -> Image.Image:
    """Return images of one size with two lines under each: in quotes, and plain."""
    scale, gap = 2, 46
    height, width = (side * scale for side in panels[0][0].shape[:2])
    rows = -(-len(panels) // columns)
    columns = min(columns, len(panels))
    page = Image.new("RGB", (columns * width, rows * (height + gap)), (24, 24, 28))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(15)
    for number, (image, said, done) in enumerate(panels):
        x, y = number % columns * width, number // columns * (height + gap)
        page.paste(Image.fromarray(image).resize((width - 4, height - 4)), (x + 2, y + 2))
        pen.text((x + 8, y + height + 2), f'"{said}"', (240, 240, 240), font)
        pen.text((x + 8, y + height + 22), done, (240, 180, 70), font)
    return page
