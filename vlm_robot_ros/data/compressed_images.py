"""Compressed image messages to RGB: JPEG and PNG, and nothing else."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from vlm_robot_ros.data.image_encodings import (
    DISTANCES,
    ImageError,
    canonical_encoding,
    is_mosaic,
    to_8_bits,
)
from vlm_robot_ros.file_limits import MAX_IMAGE_SIDE

_SIGNATURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
"""What the data of each format begins with."""
_OTHERS = (
    (8, b"WEBP", "WebP"), (0, b"GIF8", "GIF"), (0, b"BM", "BMP"), (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"), (4, b"ftypavif", "AVIF"), (4, b"ftyphei", "HEIF"),
    (0, b"\0\0\0\1", "a packet of video"), (0, b"\0\0\1", "a packet of video"),
)  # fmt: skip
"""Formats that are named when they are refused: where, what stands there, name."""
_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
_ORIENTATION = 0x0112
"""Tag of EXIF."""


def decompress(message: Any) -> np.ndarray:
    """Return the image of a sensor_msgs CompressedImage. Shape (H, W, 3), uint8 RGB.

    Only the decoders of JPEG and PNG see the data. An image that EXIF says is rotated or mirrored
    is turned upright, as OpenCV's decoder does, which image_transport uses.

    Raises:
        ImageError: it is no JPEG or PNG, incomplete, of depth, or too large.
    """
    data = bytes(message.data)
    problem = f"format '{message.format}' with {len(data)} bytes"
    if "compresseddepth" in message.format.lower():
        raise ImageError(f"{problem} is of depth images; valid: JPEG, PNG of colour")
    kind = next((name for start, name in _SIGNATURES.items() if data.startswith(start)), "")
    if not kind:
        found = next((f"{n}, " for at, what, n in _OTHERS if data.startswith(what, at)), "")
        raise ImageError(f"{problem} is {found}no JPEG or PNG; publish one of these")
    origin = canonical_encoding(message.format.split(";")[0])
    if origin in DISTANCES:
        raise ImageError(
            f"{problem} was encoding '{origin}', which is of depth images; valid: JPEG, PNG of "
            "colour"
        )
    # libjpeg fills what is missing with grey; in the scan itself no marker looks like the end.
    if kind == "JPEG" and data.rfind(_END_OF_IMAGE) < data.rfind(_START_OF_SCAN):
        raise ImageError(f"{problem} is a JPEG without its end; is it cut short?")
    try:
        with Image.open(io.BytesIO(data), formats=(kind,)) as image:
            if max(image.size) > MAX_IMAGE_SIDE:
                raise ImageError(
                    f"size {image.size}; valid: up to {MAX_IMAGE_SIDE}x{MAX_IMAGE_SIDE}"
                )
            if image.mode == "L" and is_mosaic(origin):
                raise ImageError(
                    f"{problem} is grey, but was encoding '{origin}': its publisher took colours "
                    "for brightness; let the camera publish rgb8 or bgr8, or take the raw images"
                )
            return _to_rgb(image)
    except ImageError:
        raise
    except UnidentifiedImageError:  # it names an object in memory only
        raise ImageError(f"{problem} is no {kind} that can be decoded") from None
    except Exception as error:  # Pillow raises many kinds on bytes that are no image
        raise ImageError(f"{problem} is no {kind} that can be decoded: {error}") from error


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.getexif().get(_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip
        grey = to_8_bits(np.asarray(image).astype(np.uint16))
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(image.convert("RGB"))
