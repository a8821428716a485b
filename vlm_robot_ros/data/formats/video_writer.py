"""Videos of datasets."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vlm_robot_ros.data.dataset import DataError
from vlm_robot_ros.realtime import keep_scheduling

CODECS = {
    "h264": ("libx264", {"g": "2", "crf": "18", "preset": "fast"}),
    "av1": ("libsvtav1", {"g": "2", "crf": "30", "preset": "10"}),
}
"""Codecs of videos, with the encoder and its options; LeRobot records AV1."""
DEFAULT_CODEC = "h264"


class VideoWriter:
    """An mp4 in which every second frame can be begun at."""

    def __init__(self, path: Path, shape: Sequence[int], fps: float, codec: str) -> None:
        self.shape = tuple(int(size) for size in shape)
        if self.shape[0] % 2 or self.shape[1] % 2:
            raise DataError(f"images of {self.shape[1]}x{self.shape[0]}; {codec} needs even sides")
        self.frames = 0
        self._file = av.open(str(path), "w")
        rate = Fraction(fps).limit_denominator(1000)
        encoder, options = CODECS[codec]
        stream = self._file.add_stream(encoder, rate=rate, options=dict(options))
        assert isinstance(stream, av.VideoStream)
        self._stream = stream
        self._stream.height, self._stream.width = self.shape[:2]
        self._stream.pix_fmt = "yuv420p"

    def add(self, images: np.ndarray) -> None:
        """Add images of shape (T, H, W, 3), uint8 RGB.

        Raises:
            DataError: they are of another size than those before.
        """
        if images.shape[1:] != self.shape:
            raise DataError(f"images of {images.shape[1:]} after those of {self.shape}")
        with keep_scheduling():
            for image in images:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
                self._file.mux(self._stream.encode(frame))
                self.frames += 1

    def close(self) -> None:
        """Write what is left."""
        self._file.mux(self._stream.encode())
        self._file.close()
