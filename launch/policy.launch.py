"""The policy node beside your own arm.

ros2 launch vlm_robot_ros policy.launch.py robot:=my_arm.yaml checkpoint:=mine output:=live
ros2 launch vlm_robot_ros policy.launch.py robot:=fr3 voice:=microphone
"""

from launch import LaunchDescription

from vlm_robot_ros.ros.policy_launch import policy_launch_description


def generate_launch_description() -> LaunchDescription:
    """Return what to start."""
    return policy_launch_description()
