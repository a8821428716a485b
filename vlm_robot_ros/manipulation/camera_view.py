"""From pixels to the base frame and back, for a calibrated camera without distortion."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from vlm_robot_ros.robot.config import Camera


@dataclass(frozen=True)
class CameraView:
    """A camera whose image was brought to a square."""

    place: np.ndarray
    """Of its optical centre. Shape (3,), base frame [m]."""
    axes: np.ndarray
    """Right, down and forward, as columns. Shape (3, 3)."""
    focal: float
    """[px]"""
    middle: float
    """Of the image [px]."""

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return where points are in the image: column and row. Shape (N, 3) to (N, 2), [px]."""
        seen = (points - self.place) @ self.axes
        return seen[:, :2] / seen[:, 2:] * self.focal + self.middle

    def at_height(self, pixels: np.ndarray, heights: np.ndarray) -> np.ndarray:
        """Return the points of lines of sight that are at some heights.

        Args:
            pixels: Column and row. Shape (N, 2).
            heights: In the base frame. Shape (N,), [m].

        Returns:
            Shape (N, 3), base frame [m].
        """
        flat = (pixels - self.middle) / self.focal
        sight = np.concatenate([flat, np.ones((len(flat), 1))], 1) @ self.axes.T
        return self.place + sight * ((heights - self.place[2]) / sight[:, 2])[:, None]


def camera_view(camera: Camera, side: int, field_of_view_deg: float) -> CameraView:
    """Return the view of a contract's camera.

    Args:
        camera: Its pose must be in the contract.
        side: Of the square image [px].
        field_of_view_deg: From top to bottom.

    Raises:
        ValueError: the contract does not say where it is.
    """
    if not camera.pose:
        raise ValueError(
            f"camera '{camera.name}' has no 'pose' in the contract; the policy must know where "
            "it is: x, y, z [m], roll, pitch, yaw [rad] of its optical frame in the base frame"
        )
    axes = Rotation.from_euler("xyz", camera.pose[3:]).as_matrix()
    focal = side / 2 / np.tan(np.deg2rad(field_of_view_deg) / 2)
    return CameraView(np.array(camera.pose[:3]), axes, float(focal), (side - 1) / 2)
