"""Shows in Rerun what is on the topics."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from vlm_robot_ros.bags.view import Viewer
from vlm_robot_ros.contract.load import load_robot
from vlm_robot_ros.msg import Heard, Latency, TaskLabel, VlmAction

_HELD = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class ViewNode(Node):
    """Listens, and passes on."""

    def __init__(self, stream: Any, robot: str) -> None:
        """Subscribe.

        Args:
            stream: A `rerun.RecordingStream`.
            robot: Contract, for its cameras.

        Raises:
            ValueError: there is no such contract.
        """
        super().__init__("view_node")
        viewer = Viewer(stream)

        def listen(cls: Any, topic: str, qos: Any) -> None:
            kind = "/".join((cls.__module__.split(".")[0], "msg", cls.__name__))
            take: Callable[[Any], None] = partial(_show, viewer, topic, kind)
            self.create_subscription(cls, topic, take, qos)

        for camera in load_robot(robot).cameras:
            listen(Image, camera.topic, qos_profile_sensor_data)
        listen(Image, "overlay", 1)
        listen(JointState, "joint_states", qos_profile_sensor_data)
        listen(VlmAction, "action", 10)
        listen(TaskLabel, "task_label", 10)
        listen(Latency, "latency", 10)
        listen(Heard, "heard", 10)
        listen(String, "current_instruction", _HELD)

    def close(self) -> None:
        """Nothing is to be said."""


def _show(viewer: Viewer, topic: str, kind: str, message: Any) -> None:
    viewer.take(topic, kind, time.time(), message)
