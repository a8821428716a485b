"""Record everything that is on the topics, beside an arm and its policy.

ros2 launch vlm_robot_ros record.launch.py robot:=fr3 bag:=bags/monday

With `recorder:=ros2` it is `ros2 bag record` that records: without the contract, the commit and
the services that mark episodes, but with all that it can do.
"""

import time

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    SetEnvironmentVariable,
)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from vlm_robot_ros.file_permissions import restrict_umask
from vlm_robot_ros.paths import config_dir, dds_profile_variable, user_path


def generate_launch_description() -> LaunchDescription:
    """Return what to start."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", default_value="", description="folder; bags/<time>"),
            DeclareLaunchArgument("robot", default_value="", description="the arm's contract"),
            DeclareLaunchArgument("about", default_value="", description="kept in the bag"),
            DeclareLaunchArgument("use_sim_time", default_value="false", description="of the bag"),
            DeclareLaunchArgument(
                "recorder", default_value="node", choices=["node", "ros2"],
                description="recorder_node, or ros2 bag record",
            ),
            DeclareLaunchArgument(
                "group_readable", default_value="false", choices=["false", "true"],
                description="whether the group may read the bag",
            ),
            SetEnvironmentVariable(dds_profile_variable(), str(config_dir() / "fastdds.xml")),
            OpaqueFunction(function=_recorder),
        ]
    )  # fmt: skip


def _recorder(context: LaunchContext) -> list:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    restrict_umask(value("group_readable") == "true")
    bag = str(user_path(value("bag") or f"bags/{time.strftime('%Y%m%d-%H%M%S')}"))
    sim_time = value("use_sim_time") == "true"
    if value("recorder") == "ros2":
        command = ["ros2", "bag", "record", "--storage", "mcap", "--all-topics", "--output", bag]
        command += ["--use-sim-time"] * sim_time
        return [ExecuteProcess(cmd=command, output="screen")]
    # As texts: launch would read them as YAML, `007` as 7.
    texts = {"bag": bag, "robot": value("robot"), "about": value("about")}
    given = {name: ParameterValue(text, value_type=str) for name, text in texts.items()}
    return [
        Node(
            package="vlm_robot_ros",
            executable="recorder_node",
            name="recorder_node",
            output="screen",
            parameters=[given, {"use_sim_time": sim_time}],
        )
    ]
