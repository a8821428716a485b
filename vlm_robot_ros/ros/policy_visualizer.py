"""What the policy node shows to who wants to look: overlay, things that are seen, markers."""

import time

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Vector3
from rclpy.logging import get_logger
from sensor_msgs.msg import Image
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from vlm_robot_ros.inference.subprocess_policy import SubprocessPolicy
from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.msg import SceneObjects
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.ros.image_messages import from_rgb
from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.ros.message_conversions import objects_message
from vlm_robot_ros.viz.overlay import caption

_COLOURS = {"target": (1.0, 0.24, 0.16), "reference": (0.16, 0.47, 1.0), "goal": (0.95, 0.8, 0.2)}
_WAY, _BOX = (0.35, 0.9, 0.47), (0.6, 0.6, 0.6)
_OVERLAY_TIMEOUT_S = 0.4
"""A policy that has not planned for so long does not think [s]."""
_BOX_EDGES = [(a, b) for a in range(8) for b in range(8) if a < b and (a ^ b) in (1, 2, 4)]
"""Between corners whose numbers differ in one bit: of x, of y, of z."""


class PolicyVisualizer:
    """Draws only while somebody listens: it takes a while."""

    def __init__(
        self, wires: LifecycleEntities, robot: RobotConfig, policy: SubprocessPolicy
    ) -> None:
        """Make the topics `overlay`, `objects` and `markers`."""
        self._robot, self._policy = robot, policy
        self._overlays = wires.create_publisher(Image, "overlay")
        self._objects = wires.create_publisher(SceneObjects, "objects")
        self._markers = wires.create_publisher(MarkerArray, "markers")
        self._label, self._score = "", 0.0
        self._planned = 0.0

    def on_chunk(self, chunk: ActionChunk, instruction: str, stamp: Time) -> None:
        """Publish what is shown of a chunk; called in the inference worker's thread.

        Args:
            chunk: The plan.
            instruction: That it answers.
            stamp: Of the camera frame.
        """
        try:
            self._build_chunk_markers(chunk, instruction, stamp)
        except Exception as error:  # what cannot be shown must not end the policy
            get_logger("policy_node").warning(f"a plan cannot be shown: {error!r}", once=True)

    def _build_chunk_markers(self, chunk: ActionChunk, instruction: str, stamp: Time) -> None:
        self._label = chunk.label
        self._score = float(chunk.scores.get(chunk.label, 0.0))
        if self._overlays.get_subscription_count():
            self._planned = time.monotonic()
            self._publish(self._policy.draw(), instruction, chunk.hold, stamp)
        if self._objects.get_subscription_count():
            self._objects.publish(objects_message(self._policy.objects, self._robot, stamp))
        if self._markers.get_subscription_count():
            self._markers.publish(self._build_markers(chunk, stamp))

    def on_hold(self, instruction: str, reason: str, stamp: Time, seen: np.ndarray | None) -> None:
        """Show that the arm holds, over what a camera sees, where the policy does not think."""
        thinks = time.monotonic() - self._planned < _OVERLAY_TIMEOUT_S
        if self._overlays.get_subscription_count() and not thinks:
            try:
                self._publish(seen, instruction, reason, stamp)
            except Exception as error:  # what cannot be shown must not end the node
                get_logger("policy_node").warning(f"a hold cannot be shown: {error!r}", once=True)

    def _publish(self, image: np.ndarray | None, instruction: str, hold: str, stamp: Time) -> None:
        if image is None:
            return
        label = "" if hold else self._label
        message = from_rgb(caption(image, instruction, label, self._score, hold))
        message.header.stamp = stamp
        self._overlays.publish(message)

    def _build_markers(self, chunk: ActionChunk, stamp: Time) -> MarkerArray:
        low, high = np.array(self._robot.workspace.min), np.array(self._robot.workspace.max)
        corners = [np.where([c & 1, c & 2, c & 4], high, low) for c in range(8)]
        box = [corners[end] for edge in _BOX_EDGES for end in edge]
        marks = [self._build_marker("workspace", Marker.LINE_LIST, 0.003, _BOX, box)]
        if chunk.mode is ActionMode.END_EFFECTOR_POSE and not chunk.hold:
            way = list(chunk.values[:, :3])
            marks.append(self._build_marker("plan", Marker.LINE_STRIP, 0.006, _WAY, way))
        for name, point in self._policy.points.items():
            if np.all(np.isfinite(point)):
                mark = self._build_marker(name, Marker.SPHERE, 0.03, _COLOURS.get(name, _WAY), [])
                mark.pose.position = Point(**dict(zip("xyz", map(float, point), strict=True)))
                marks.append(mark)
        for mark in marks:
            mark.header.stamp = stamp
        # What is not meant any more goes: all is drawn again.
        return MarkerArray(markers=[Marker(action=Marker.DELETEALL), *marks])

    def _build_marker(
        self,
        name: str,
        kind: int,
        size: float,
        colour: tuple[float, ...],
        points: list[np.ndarray],
    ) -> Marker:
        mark = Marker(ns=name, type=kind, action=Marker.ADD)
        mark.header.frame_id = self._robot.base_frame
        mark.pose.orientation.w = 1.0
        mark.scale = Vector3(x=size, y=size, z=size)
        mark.color = ColorRGBA(r=colour[0], g=colour[1], b=colour[2], a=1.0)
        mark.points = [Point(x=float(x), y=float(y), z=float(z)) for x, y, z in points]
        return mark
