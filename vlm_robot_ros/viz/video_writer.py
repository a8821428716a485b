"""A video of what the camera saw, what was said, what was understood and what was done."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vlm_robot_ros.viz.overlay import to_latin1

_SIDE, _PANEL = 512, 128
_INK, _DIM, _GOOD, _HOLD = (240, 240, 240), (150, 150, 155), (90, 200, 120), (240, 180, 70)


@dataclass(frozen=True)
class Caption:
    """What is written under one image."""

    instruction: str
    label: str
    score: float
    action: str
    hold: str


class VideoWriter:
    """Writes an mp4, frame by frame."""

    def __init__(self, path: Path, rate: float) -> None:
        """Open the file; `rate` in frames a second."""
        self._writer: Generator[None, bytes | None, None] = imageio_ffmpeg.write_frames(
            str(path), (_SIDE, _SIDE + _PANEL), fps=rate, macro_block_size=16, quality=7
        )
        self._writer.send(None)

    def add(self, image: np.ndarray, caption: Caption) -> None:
        """Add one frame from an image of shape (H, W, 3), uint8 RGB."""
        self._writer.send(draw_caption(image, caption).tobytes())

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


def draw_caption(image: np.ndarray, caption: Caption) -> np.ndarray:
    """Return the image, enlarged, with its caption below. Shape (640, 512, 3), uint8."""
    canvas = Image.new("RGB", (_SIDE, _SIDE + _PANEL), (24, 24, 28))
    canvas.paste(Image.fromarray(image).resize((_SIDE, _SIDE)), (0, 0))
    pen = ImageDraw.Draw(canvas)
    big, small = ImageFont.load_default(20), ImageFont.load_default(14)
    pen.text((14, _SIDE + 10), f'"{to_latin1(caption.instruction)}"', _INK, big)
    if caption.label:
        pen.text((14, _SIDE + 44), f"{caption.label}  {caption.score:.0%}", _GOOD, small)
        pen.rectangle((170, _SIDE + 48, 170 + int(320 * caption.score), _SIDE + 58), _GOOD)
    if caption.hold:
        pen.text((14, _SIDE + 70), f"holding: {to_latin1(caption.hold)}"[:74], _HOLD, small)
    pen.text((14, _SIDE + 96), caption.action, _DIM, small)
    return np.asarray(canvas)
