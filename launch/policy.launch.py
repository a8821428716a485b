"""The policy node beside your own arm.

ros2 launch vlm_robot_ros policy.launch.py robot:=/path/to/my_arm.yaml params:=/path/to/params.yaml
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue

from vlm_robot_ros.paths import config_dir, dds_profile_variable


def generate_launch_description() -> LaunchDescription:
    """Return what to start."""
    profile = str(config_dir() / "fastdds.xml")
    arguments = {
        "robot": ("panda_sim", "contract of the arm: a shipped name or the path of a .yaml"),
        "checkpoint": ("", "checkpoint folder; empty: the shipped one"),
        "use_sim_time": ("false", "whether stamps come from /clock"),
        "params": (str(config_dir() / "policy_node.yaml"), "file of further parameters"),
    }
    node = LifecycleNode(
        package="vlm_robot_ros",
        executable="policy_node",
        name="policy_node",
        namespace="",
        output="screen",
        parameters=[
            ParameterFile(LaunchConfiguration("params")),
            {
                "robot": ParameterValue(LaunchConfiguration("robot"), value_type=str),
                "checkpoint": ParameterValue(LaunchConfiguration("checkpoint"), value_type=str),
                "use_sim_time": ParameterValue(
                    LaunchConfiguration("use_sim_time"), value_type=bool
                ),
            },
        ],
    )
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=value, description=text)
                for name, (value, text) in arguments.items()
            ),
            SetEnvironmentVariable(dds_profile_variable(), profile),
            node,
        ]
    )
