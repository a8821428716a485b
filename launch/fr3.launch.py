"""The policy node beside a Franka Research 3.

ros2 launch vlm_robot_ros fr3.launch.py checkpoint:=/path/to/mine output:=live
"""

from launch import LaunchDescription

from vlm_robot_ros.ros.policy_launch import policy_launch_description


def generate_launch_description() -> LaunchDescription:
    """Return what to start."""
    return policy_launch_description(robot="fr3")
