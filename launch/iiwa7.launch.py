"""The policy node beside a KUKA LBR iiwa 7.

ros2 launch vlm_robot_ros iiwa7.launch.py checkpoint:=/path/to/mine output:=live
"""

from launch import LaunchDescription

from vlm_robot_ros.ros.policy_launch import policy_launch_description


def generate_launch_description() -> LaunchDescription:
    """Return what to start."""
    return policy_launch_description(robot="iiwa7")
