"""The policy node beside Isaac Sim and its Franka, which it moves: it is a simulator.

ros2 launch vlm_robot_ros isaac.launch.py checkpoint:=/path/to/mine
"""

from launch import LaunchDescription

from vlm_robot_ros.ros.policy_launch import policy_launch_description


def generate_launch_description() -> LaunchDescription:
    """Return what to start."""
    return policy_launch_description(robot="isaac_franka", use_sim_time="true", output="live")
