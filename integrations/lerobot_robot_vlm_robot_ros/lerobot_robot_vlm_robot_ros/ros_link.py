"""The arm's topics, heard and spoken by a ROS node in a thread of its own."""

import threading
import time
from functools import partial

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState

_CHANNELS = {"rgb8": (0, 1, 2), "bgr8": (2, 1, 0)}
"""Encodings of images that can be used, and which bytes of a pixel are red, green and blue."""


class RosLink:
    """The newest of what the arm says, each with its arrival by the monotonic clock [s]."""

    def __init__(self, namespace: str, node: str, cameras: dict[str, str]) -> None:
        """Begin to listen.

        Args:
            namespace: Of the policy node.
            node: Its name.
            cameras: The image topic of each camera.
        """
        self.positions: dict[str, tuple[float, float]] = {}
        """Of each joint, as its controller gives it."""
        self.images: dict[str, tuple[np.ndarray, float]] = {}
        """Of each camera. Shape (H, W, 3), uint8 RGB."""
        self._heard = threading.Event()
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node(
            "lerobot_robot", context=self._context, namespace=namespace or None
        )
        self._node.create_subscription(JointState, "joint_states", self._on_joints, 10)
        for name, topic in cameras.items():
            self._node.create_subscription(
                Image, topic, partial(self._on_image, name), qos_profile_sensor_data
            )
        self._actions = self._node.create_publisher(
            JointState, f"{node}/takeover/joint_states", 10
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    @property
    def has_node(self) -> bool:
        """Whether the policy node listens."""
        return self._actions.get_subscription_count() > 0

    def wait(self, seconds: float) -> None:
        """Wait until something is heard, so long at most."""
        self._heard.wait(seconds)
        self._heard.clear()

    def send(self, positions: dict[str, float]) -> None:
        """Send where the joints are wanted."""
        message = JointState(name=list(positions), position=list(positions.values()))
        self._actions.publish(message)

    def close(self) -> None:
        """Stop listening."""
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()
        self._context.try_shutdown()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return

    def _on_joints(self, message: JointState) -> None:
        now = time.monotonic()
        for name, position in zip(message.name, message.position, strict=False):
            if np.isfinite(position):
                self.positions[name] = (float(position), now)
        self._heard.set()

    def _on_image(self, camera: str, message: Image) -> None:
        channels = _CHANNELS.get(message.encoding)
        whole = len(message.data) == message.height * message.step
        if channels is None or not whole or message.step < 3 * message.width:
            self._node.get_logger().warning(
                f"camera {camera}: encoding '{message.encoding}', {message.width} x "
                f"{message.height}, {len(message.data)} bytes; valid: {', '.join(_CHANNELS)}",
                throttle_duration_sec=5.0,
            )
            return
        rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
        pixels = rows[:, : 3 * message.width].reshape(message.height, message.width, 3)
        self.images[camera] = (np.ascontiguousarray(pixels[..., channels]), time.monotonic())
        self._heard.set()
