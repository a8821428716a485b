"""How long does it take to make an image of an image message, here and elsewhere?

    python benchmarks/conversion.py [--width 640 --height 480]

rosbags-image is where `make bench` puts it, cv_bridge where ROS is installed; what lacks is left
out.

What comes out is compared, too: a fast conversion that is wrong is none.
"""

import argparse
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PilImage
from sensor_msgs.msg import CompressedImage, Image

from vlm_robot_ros.data.image_decoding import to_depth, to_rgb

CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "16UC1": 2, "32FC1": 4}
"""Bytes of a pixel."""
Convert = Callable[[Any], np.ndarray]


def ours(message: Any) -> np.ndarray:
    """Convert as the nodes do."""
    depth = getattr(message, "encoding", "") in ("16UC1", "32FC1")
    return to_depth(message) if depth else to_rgb(message)


def others() -> dict[str, Convert]:
    """Return the other ways that are installed."""
    found: dict[str, Convert] = {}
    sys.path.append(str(Path(sys.prefix) / "bench"))  # last: cv_bridge has an OpenCV of its own
    try:
        from rosbags.image import compressed_image_to_cvimage, image_to_cvimage

        def by_rosbags(message: Any) -> np.ndarray:
            if not hasattr(message, "encoding"):
                return compressed_image_to_cvimage(message, "rgb8")
            depth = message.encoding in ("16UC1", "32FC1")
            return image_to_cvimage(message, None if depth else "rgb8")

        found["rosbags-image"] = by_rosbags
    except ImportError:
        pass
    try:
        from cv_bridge import CvBridge
        from cv_bridge.boost import cv_bridge_boost  # noqa: F401 (without it it converts nothing)

        bridge = CvBridge()

        def by_bridge(message: Any) -> np.ndarray:
            if not hasattr(message, "encoding"):
                return bridge.compressed_imgmsg_to_cv2(message, "rgb8")
            depth = message.encoding in ("16UC1", "32FC1")
            return bridge.imgmsg_to_cv2(message, "passthrough" if depth else "rgb8")

        found["cv_bridge"] = by_bridge
    except ImportError:
        pass
    return found


def messages(width: int, height: int) -> dict[str, Any]:
    """Return one message of each kind; the image is smooth, as images are."""
    v, u = np.mgrid[0:height, 0:width]
    waves = [np.sin(u / 40 + c) + np.cos(v / 30 - c) for c in range(4)]
    image = (np.stack(waves, -1) * 60 + 127).astype(np.uint8)
    made: dict[str, Any] = {}
    for encoding, size in CHANNELS.items():
        pixels = np.ascontiguousarray(image[..., :size])
        if encoding == "32FC1":
            pixels = (u / width + 0.5).astype(np.float32)
        message = Image(width=width, height=height, encoding=encoding, step=width * size)
        message.data = pixels.tobytes()
        made[encoding] = message
    for kind in ("jpeg", "png"):
        buffer = BytesIO()
        PilImage.fromarray(image[..., :3]).save(buffer, kind)
        made[kind] = CompressedImage(format=kind, data=buffer.getvalue())
    return made


def timed(convert: Convert, message: Any) -> float:
    """Return the median time [ms]."""
    times = []
    for _ in range(60):
        begun = time.perf_counter()
        convert(message)
        times.append(time.perf_counter() - begun)
    return 1e3 * float(np.median(times[10:]))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    args = parser.parse_args()
    ways = others()
    print(f"{args.width}x{args.height}, ms an image (its time by ours)\n")
    print("| | " + " | ".join(["ours", *ways]) + " |\n|---|---|" + "---|" * len(ways))
    for kind, message in messages(args.width, args.height).items():
        image, mine = ours(message), timed(ours, message)
        cells = [f"{mine:.2f}"]
        for convert in ways.values():
            theirs = convert(message).astype(float) * (1e-3 if kind == "16UC1" else 1.0)
            off = float(np.abs(theirs - image).max())
            took = timed(convert, message)
            # Decoders of JPEG may differ by a little.
            wrong = "" if off < (6 if kind == "jpeg" else 1e-6) else f", differs by {off:.3g}"
            cells.append(f"{took:.2f} ({took / mine:.1f}{wrong})")
        print(f"| {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
