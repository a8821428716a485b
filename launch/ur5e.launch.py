"""The policy node beside a UR5e with a Robotiq gripper.

ros2 launch vlm_robot_ros ur5e.launch.py checkpoint:=/path/to/mine output:=live
"""

from launch import LaunchDescription

from vlm_robot_ros.ros.policy_launch import policy_launch_description


def generate_launch_description() -> LaunchDescription:
    """Return what to start."""
    return policy_launch_description(robot="ur5e")
