"""Whether camera, arm and contract agree: two numbers, and an image to look at."""

import itertools
from typing import NamedTuple

import cv2
import numpy as np

from vlm_robot_ros.data.camera_input import CameraIntrinsics
from vlm_robot_ros.image_resize import resize_image
from vlm_robot_ros.kinematics.kinematics import quaternion_transform
from vlm_robot_ros.robot.config import Camera, Workspace

TABLE_M, TOOL_M = 0.02, 0.04
"""How far the table may be measured from the lowest height of the workspace, and the nearest point
from the tool, while all agree [m]."""
_BAND_M = 0.1
"""How far from that height points count as the table's [m]."""
_AXIS_M = 0.08
"""How long the drawn axes are [m]."""
_TABLE, _BOX = (90, 220, 120), (255, 210, 60)
_AXES = ((235, 60, 50), (60, 200, 70), (60, 110, 255))
"""Colours of x, y and z."""
_LEAST_SIDE, _LEAST_POINTS, _NEAR_POINTS = 640, 100, 10
"""Of the image [px]; of the table, and nearer to the tool than what counts."""


class GeometryCheck(NamedTuple):
    """What a depth camera and an arm say of each other."""

    table: float
    """Height of the table that the camera measures above the lowest height of the workspace; NaN
    where it measures none [m]."""
    tool: float
    """From the tool to what is measured next to it above the table; NaN where nothing is [m]."""
    image: np.ndarray
    """What the camera sees, with the table's pixels in green, the workspace, and the tool's axes.
    Shape (H, W, 3), uint8 RGB."""

    @property
    def words(self) -> str:
        """What was measured, in a sentence."""
        if np.isnan(self.table) or np.isnan(self.tool):
            return "nothing is measured of the table or around the tool"
        return (
            f"the table is measured {100 * self.table:.1f} cm above the workspace's lowest "
            f"height, and something {100 * self.tool:.1f} cm from the tool"
        )

    @property
    def problems(self) -> list[str]:
        """What does not agree; empty if all does."""
        found = []
        if not abs(self.table) < TABLE_M:
            found.append(
                f"the table is measured {100 * self.table:.1f} cm above the lowest height of the "
                f"workspace; valid: within {100 * TABLE_M:.0f} cm. Check the camera's pose and "
                "workspace.min"
            )
        if not self.tool < TOOL_M:
            found.append(
                f"little is measured nearer to the tool than {100 * self.tool:.1f} cm; valid: "
                f"{100 * TOOL_M:.0f} cm. Check the camera's pose, and that it sees the gripper"
            )
        return found


def check_geometry(
    image: np.ndarray,
    points: np.ndarray,
    depth: Camera,
    intrinsics: CameraIntrinsics,
    workspace: Workspace,
    tool: np.ndarray,
) -> GeometryCheck:
    """Compare what a depth camera measures with the contract and with where the tool is.

    Args:
        image: Of the colour camera in the same frame. Shape (H, W, 3), uint8 RGB.
        points: What each pixel of the depth camera shows is there, NaN where it was not measured.
            Shape (h, w, 3), base frame [m].
        depth: The depth camera of the contract.
        intrinsics: Its calibration.
        workspace: Of the robot.
        tool: Transform from the tool's frame to the base frame. Shape (4, 4).
    """
    measured = points[np.isfinite(points).all(2)]
    low, high = np.array(workspace.min), np.array(workspace.max)
    inside = ((measured[:, :2] > low[:2]) & (measured[:, :2] < high[:2])).all(1)
    heights = measured[inside & (np.abs(measured[:, 2] - low[2]) < _BAND_M), 2] - low[2]
    table = float("nan")
    if len(heights) >= _LEAST_POINTS:
        count, edges = np.histogram(heights, np.arange(-_BAND_M, _BAND_M + 0.005, 0.005))
        fullest = int(count.argmax())
        table = float(np.median(heights[(heights >= edges[fullest] - 0.005)
                                        & (heights <= edges[fullest + 1] + 0.005)]))  # fmt: skip
    # The table below the tool is no hand, and single pixels may be wrong.
    risen = measured[measured[:, 2] > low[2] + TABLE_M]
    gaps = np.sort(np.linalg.norm(risen - tool[:3, 3], axis=1))
    nearest = float(gaps[_NEAR_POINTS]) if len(gaps) > _NEAR_POINTS else float("nan")
    drawn = _drawn(image, points, depth, intrinsics, (low, high), tool)
    return GeometryCheck(table, nearest, drawn)


def _drawn(
    image: np.ndarray,
    points: np.ndarray,
    depth: Camera,
    intrinsics: CameraIntrinsics,
    box: tuple[np.ndarray, np.ndarray],
    tool: np.ndarray,
) -> np.ndarray:
    scale = max(1.0, _LEAST_SIDE / image.shape[1])
    width, height = (round(side * scale) for side in image.shape[1::-1])
    canvas = resize_image(image, width, height, "squash").copy()
    level = np.abs(points[..., 2] - box[0][2]) < TABLE_M
    level &= ((points[..., :2] > box[0][:2]) & (points[..., :2] < box[1][:2])).all(2)
    shown = resize_image(level.astype(np.uint8), width, height, "squash") > 0
    canvas[shown] = (canvas[shown] * 0.6 + np.array(_TABLE) * 0.4).astype(np.uint8)
    frame = np.linalg.inv(quaternion_transform(depth.pose))
    zoom = np.array([width / intrinsics.size[1], height / intrinsics.size[0]])

    def line(start: np.ndarray, end: np.ndarray, colour: tuple[int, ...], thick: int) -> None:
        part = np.linspace(0.0, 1.0, 40)[:, None]
        seen = (start + part * (end - start)) @ frame[:3, :3].T + frame[:3, 3]
        seen = seen[seen[:, 2] > 0.05]
        pixels = (seen @ intrinsics.matrix.T)[:, :2] / seen[:, 2:] * zoom
        cv2.polylines(canvas, [pixels.round().astype(np.int32)], False, colour, thick, cv2.LINE_AA)

    corners = [np.where(np.array(high), box[1], box[0])
               for high in itertools.product((False, True), repeat=3)]  # fmt: skip
    for first, second in itertools.combinations(corners, 2):
        if (first != second).sum() == 1:
            line(first, second, _BOX, 1)
    for axis, colour in enumerate(_AXES):
        line(tool[:3, 3], tool[:3, 3] + _AXIS_M * tool[:3, axis], colour, 3)
    return canvas
