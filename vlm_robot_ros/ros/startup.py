"""The start of ROS in a process of ours."""

import rclpy
from rclpy.signals import SignalHandlerOptions

from vlm_robot_ros.dds_shared_memory import remove_dead_segments
from vlm_robot_ros.file_permissions import restrict_umask


def start_ros(arguments: list[str] | None = None) -> None:
    """Start ROS, with logs and shared memory that other users cannot read.

    rclpy's own signal handlers would end ROS before the nodes could publish their last hold, so
    there are none. When the first node is made, `restrict_segments` is to be called.

    Args:
        arguments: ROS arguments; those of the process if not given.

    Raises:
        ValueError: VLM_ROBOT_GROUP_READABLE is neither yes nor no.
    """
    restrict_umask()
    remove_dead_segments()
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
