"""The demo: simulated arm, policy, recorder, and a node that gives the commands.

ros2 launch vlm_robot_ros demo.launch.py seed:=3
ros2 launch vlm_robot_ros demo.launch.py robot:=ur5e_sim
"""

import time
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from vlm_robot_ros.dds_discovery import discovery_environment
from vlm_robot_ros.demo.node_list import demo_nodes
from vlm_robot_ros.file_permissions import restrict_umask
from vlm_robot_ros.paths import user_path


def generate_launch_description() -> LaunchDescription:
    """Return what to start; when the demo node is done, everything ends."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("seed", default_value="1", description="scenes and commands"),
            DeclareLaunchArgument(
                "robot", default_value="panda_sim", description="contract of a simulated arm"
            ),
            DeclareLaunchArgument(
                "through", default_value="action", description="action, or a kind of sink"
            ),
            DeclareLaunchArgument(
                "policy", default_value="", description="name or module:Class; fusion if empty"
            ),
            DeclareLaunchArgument(
                "checkpoint", default_value="", description="folder; the shipped one if empty"
            ),
            DeclareLaunchArgument(
                "map", default_value="", description="of a server's policy: droid, ... or a .yaml"
            ),
            DeclareLaunchArgument("out", default_value="", description="folder of the results"),
            DeclareLaunchArgument(
                "commands", default_value="0", description="only so many; 0 all"
            ),
            DeclareLaunchArgument(
                "network", default_value="false", choices=["false", "true"],
                description="whether other machines may reach the nodes",
            ),
            DeclareLaunchArgument(
                "group_readable", default_value="false", choices=["false", "true"],
                description="whether the group may read the bag and share memory",
            ),
            OpaqueFunction(function=_access),
            OpaqueFunction(function=_nodes),
        ]
    )  # fmt: skip


def _access(context: LaunchContext) -> list:
    def is_true(name: str) -> bool:
        return LaunchConfiguration(name).perform(context) == "true"

    restrict_umask(is_true("group_readable"))
    variables = discovery_environment(is_true("network"))
    return [SetEnvironmentVariable(name, value) for name, value in variables.items()]


def _nodes(context: LaunchContext) -> list:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    out = user_path(value("out") or Path("runs") / time.strftime("%Y%m%d-%H%M%S")).resolve()
    nodes = demo_nodes(
        out, int(value("seed")), *(value(n) for n in ("robot", "through", "policy", "checkpoint")),
        policy_map=value("map"),
    )  # fmt: skip
    demo = _node(
        "demo",
        {
            "robot": nodes["arm_sim"]["robot"],
            "seed": int(value("seed")),
            "out": str(out),
            "commands": int(value("commands")),
        },
    )
    done = OnProcessExit(target_action=demo, on_exit=[Shutdown(reason="the demo is done")])
    started = [_node(name, parameters) for name, parameters in nodes.items()]
    return [*started, demo, RegisterEventHandler(done)]


def _node(name: str, parameters: dict) -> Node:
    # Texts as texts: launch would read them as YAML, `007` as 7.
    given = {
        key: ParameterValue(text, value_type=str) if isinstance(text, str) else text
        for key, text in parameters.items()
    }
    return Node(
        package="vlm_robot_ros",
        executable=f"{name}_node",
        name=f"{name}_node",
        output="screen",
        parameters=[given],
    )
