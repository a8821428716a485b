"""The policy node beside a Kinova Gen3 with a Robotiq gripper.

ros2 launch vlm_robot_ros gen3.launch.py checkpoint:=/path/to/mine output:=live
"""

from launch import LaunchDescription

from vlm_robot_ros.ros.policy_launch import policy_launch_description


def generate_launch_description() -> LaunchDescription:
    """Return what to start."""
    return policy_launch_description(robot="gen3")
