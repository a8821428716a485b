"""Two simulated arms that one policy moves.

ros2 launch vlm_robot_ros two_arms.launch.py policy:=openpi://HOST:8000
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

ARMS = ("left", "right")


def generate_launch_description() -> LaunchDescription:
    """Return what to start."""
    policy, policy_map = (LaunchConfiguration(name) for name in ("policy", "map"))
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "policy", description="of two arms: openpi://HOST:PORT, or module:Class"
            ),
            DeclareLaunchArgument(
                "map", default_value="aloha", description="of a server's policy; empty for a class"
            ),
            *(
                Node(
                    package="vlm_robot_ros",
                    executable="arm_sim_node",
                    name="arm_sim_node",
                    namespace=arm,
                    parameters=[{"robot": "ur5e_sim", "follow_clock": arm != ARMS[0]}],
                )
                for arm in ARMS
            ),
            LifecycleNode(
                package="vlm_robot_ros",
                executable="policy_node",
                name="policy_node",
                namespace="",
                output="screen",
                parameters=[
                    {
                        "robot": "two_ur5e_sim",
                        "policy": policy,
                        "map": policy_map,
                        "use_sim_time": True,
                    }
                ],
            ),
        ]
    )
