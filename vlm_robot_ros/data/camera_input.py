"""What a policy is given of a camera: its part of the image, or of the places that it shows."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np

from vlm_robot_ros.data.image_decoding import ImageError, to_depth, to_rgb
from vlm_robot_ros.kinematics.kinematics import quaternion_transform
from vlm_robot_ros.robot.config import Camera


class CameraIntrinsics(NamedTuple):
    """What a CameraInfo says."""

    matrix: np.ndarray
    """K. Shape (3, 3), [px]."""
    size: tuple[int, int]
    """Height and width of the images that it is of [px]."""


def to_policy_input(
    message: Any,
    camera: Camera,
    known: CameraIntrinsics | None = None,
    warn: Callable[[str], None] | None = None,
) -> np.ndarray:
    """Return what a policy is given of a camera's message.

    An image of another size than the contract's is scaled to it if its aspect ratio is the same,
    and refused otherwise.

    Args:
        message: sensor_msgs Image or CompressedImage.
        camera: As the contract has it.
        known: Calibration of a depth camera.
        warn: Called with a sentence when the image had to be scaled.

    Returns:
        Shape (H, W, 3) of the camera's crop: RGB, uint8; of a depth camera `places`.

    Raises:
        ImageError: it cannot be used.
    """
    if not camera.depth:
        return crop_image(_fit(to_rgb(message), camera, warn), camera)
    if known is None:
        raise ImageError(f"distances without a calibration on '{camera.info_topic}' are no places")
    depth = to_depth(message)
    if depth.shape != known.size:
        raise ImageError(
            f"size {depth.shape[1]}x{depth.shape[0]}, but the calibration on "
            f"'{camera.info_topic}' is of {known.size[1]}x{known.size[0]}"
        )
    return crop_image(
        _fit(backproject_depth(depth, known.matrix, camera.pose), camera, warn), camera
    )


def _fit(image: np.ndarray, camera: Camera, warn: Callable[[str], None] | None) -> np.ndarray:
    """Return an image, shape (H, W, 3), in the contract's size.

    Raises:
        ImageError: its aspect ratio is another.
    """
    height, width = image.shape[:2]
    if (height, width) == (camera.height, camera.width):
        return image
    sizes = f"size {width}x{height}, but the contract has {camera.width}x{camera.height}"
    scale = camera.width / width, camera.height / height
    # As far as whole pixels allow.
    if abs(scale[1] * width - camera.width) >= 1 or abs(scale[0] * height - camera.height) >= 1:
        raise ImageError(
            f"{sizes}; valid: that size, or one of the same aspect ratio; set the camera's width "
            "and height in the contract to what it publishes"
        )
    if warn:
        warn(f"{sizes}: scaled, which is right only if both show the same field of view")
    if camera.depth:  # between two points there may be nothing
        return cv2.resize(image, (camera.width, camera.height), interpolation=cv2.INTER_NEAREST)
    factor = int(1 / max(scale))
    if factor > 1 and width % factor == 0 and height % factor == 0:
        # OpenCV averages whole pixels ten times as fast as parts of them.
        size = (width // factor, height // factor)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        scale = camera.width / size[0], camera.height / size[1]
    # Between half of the size and the size, a linear interpolation misses no pixel.
    how = cv2.INTER_AREA if scale[0] < 0.5 else cv2.INTER_LINEAR
    return cv2.resize(image, (camera.width, camera.height), interpolation=how)


def crop_image(image: np.ndarray, camera: Camera) -> np.ndarray:
    """Return the part of an image, shape (H, W, ...), that policies are given.

    Raises:
        ImageError: it is smaller than that.
    """
    if not camera.crop:
        return image
    top, left, height, width = camera.crop
    if image.shape[0] < top + height or image.shape[1] < left + width:
        raise ImageError(
            f"size {image.shape[1]}x{image.shape[0]}; valid for the contract's crop "
            f"{list(camera.crop)}: from {left + width}x{top + height}"
        )
    return image[top : top + height, left : left + width]


def backproject_depth(
    depth: np.ndarray, matrix: np.ndarray, pose: tuple[float, ...]
) -> np.ndarray:
    """Return where what each pixel shows is. Shape (H, W, 3), float32, base frame [m].

    NaN where it is not known.

    Args:
        depth: Along the optical axis, NaN where it is not known. Shape (H, W), [m].
        matrix: The camera's K. Shape (3, 3), [px].
        pose: Of its optical frame in the base frame: x, y, z [m], roll, pitch, yaw [rad].
    """
    rays, eye = _rays(depth.shape, tuple(matrix.ravel().tolist()), pose)
    return depth[..., None] * rays + eye


@lru_cache(8)
def _rays(
    size: tuple[int, int], matrix: tuple[float, ...], pose: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return each pixel's line of sight, of depth 1, in the base frame, and where it begins.

    Shapes (H, W, 3) and (3,), [m]; arguments as of `backproject_depth`, K flat.
    """
    frame = quaternion_transform(pose)
    turned = _pixels(size) @ (frame[:3, :3] @ np.linalg.inv(np.reshape(matrix, (3, 3)))).T
    return turned.astype(np.float32), frame[:3, 3].astype(np.float32)


@lru_cache(8)
def _pixels(size: tuple[int, int]) -> np.ndarray:
    """Return column, row and 1 of each pixel. Shape (H, W, 3)."""
    u, v = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    return np.stack([u, v, np.ones_like(u)], -1).astype(float)


def calibration(info: Any) -> CameraIntrinsics:
    """Return what a sensor_msgs CameraInfo says.

    Raises:
        ImageError: the camera is not calibrated.
    """
    matrix = np.array(info.k, float).reshape(3, 3)
    if not np.isfinite(matrix).all() or min(matrix[0, 0], matrix[1, 1]) <= 0 or matrix[2, 2] != 1:
        raise ImageError(f"k is {matrix.ravel().tolist()}; valid: focal lengths above 0, as of a "
                         "calibrated camera")  # fmt: skip
    return CameraIntrinsics(matrix, (info.height, info.width))
