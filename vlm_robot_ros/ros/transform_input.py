"""Takes transforms from TF."""

from collections.abc import Callable
from functools import partial
from typing import Any

from rclpy.qos import DurabilityPolicy, QoSProfile

from vlm_robot_ros.kinematics.transform_buffer import TransformBuffer
from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.runtime.transforms import TRANSFORM_TOPICS, add_transforms

_DEPTH = 100
"""Messages that may wait, as of tf2's listener."""


def create_transform_subscriptions(
    entities: LifecycleEntities, buffer: TransformBuffer, warn: Callable[[str], object]
) -> None:
    """Fill a buffer with what TF publishes.

    Args:
        entities: Of the node.
        buffer: To fill.
        warn: Called with each new reason why a transform cannot be used.

    Raises:
        ValueError: tf2_msgs is not installed.
    """
    try:
        from tf2_msgs.msg import TFMessage
    except ImportError as error:
        raise ValueError(
            "a camera's pose comes from TF, and the package tf2_msgs is not installed; valid: "
            "install ros-$ROS_DISTRO-tf2-msgs, or give the pose in the contract"
        ) from error
    warned = set[str]()

    def take(static: bool, message: Any) -> None:
        for problem in add_transforms(buffer, message, static):
            if problem not in warned:
                warned.add(problem)
                warn(f"TF: {problem}")

    for topic, static in TRANSFORM_TOPICS.items():
        durability = DurabilityPolicy.TRANSIENT_LOCAL if static else DurabilityPolicy.VOLATILE
        entities.create_subscription(
            TFMessage,
            topic,
            partial(take, static),
            QoSProfile(depth=_DEPTH, durability=durability),
        )
