"""Passes on what is on the topics, to be shown."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from vlm_robot_ros.msg import Heard, Latency, TaskLabel, VlmAction
from vlm_robot_ros.robot.loader import load_robot

Take = Callable[[str, str, float, Any], None]
_LATCHED_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class RerunNode(Node):
    """Listens, and passes on."""

    def __init__(self, take: Take, robot: str) -> None:
        """Subscribe.

        Args:
            take: Is given topic, type, time [s] and message of each.
            robot: Contract, for its cameras.

        Raises:
            ValueError: there is no such contract.
        """
        super().__init__("view_node")

        def listen(cls: Any, topic: str, qos: Any) -> None:
            kind = "/".join((cls.__module__.split(".")[0], "msg", cls.__name__))
            on_message: Callable[[Any], None] = partial(_forward, take, topic, kind)
            self.create_subscription(cls, topic, on_message, qos)

        for camera in load_robot(robot).cameras:
            listen(Image, camera.topic, qos_profile_sensor_data)
        listen(Image, "overlay", 1)
        listen(JointState, "joint_states", qos_profile_sensor_data)
        listen(VlmAction, "action", 10)
        listen(TaskLabel, "task_label", 10)
        listen(Latency, "latency", 10)
        listen(Heard, "heard", 10)
        listen(String, "current_instruction", _LATCHED_QOS)

    def close(self) -> None:
        """Nothing is to be said."""


def _forward(take: Take, topic: str, kind: str, message: Any) -> None:
    take(topic, kind, time.time(), message)
