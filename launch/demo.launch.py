"""The whole demo under `ros2 launch`: the simulated arm, the policy, the recorder, the conductor.

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

from vlm_robot_ros.paths import config_dir, dds_profile_variable, user_path


def generate_launch_description() -> LaunchDescription:
    """Return what to start; when the conductor is done, everything ends."""
    profile = str(config_dir() / "fastdds.xml")
    return LaunchDescription(
        [
            DeclareLaunchArgument("seed", default_value="1", description="scenes and commands"),
            DeclareLaunchArgument(
                "robot", default_value="panda_sim", description="contract of a simulated arm"
            ),
            DeclareLaunchArgument("out", default_value="", description="folder of the results"),
            DeclareLaunchArgument(
                "commands", default_value="0", description="only so many; 0 all"
            ),
            SetEnvironmentVariable(dds_profile_variable(), profile),
            OpaqueFunction(function=_nodes),
        ]
    )


def _nodes(context: LaunchContext) -> list:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    out = user_path(value("out") or Path("runs") / time.strftime("%Y%m%d-%H%M%S")).resolve()
    sim_time = {"use_sim_time": True}
    robot = {"robot": ParameterValue(value("robot"), value_type=str)}
    conductor = _node("demo_node", robot, {
        "seed": int(value("seed")), "out": str(out), "commands": int(value("commands")),
    })  # fmt: skip
    done = OnProcessExit(target_action=conductor, on_exit=[Shutdown(reason="the demo is done")])
    return [
        _node("arm_sim_node", robot),
        _node("policy_node", robot, sim_time),
        _node("recorder_node", robot, sim_time, {"bag": str(out / "bag")}),
        conductor,
        RegisterEventHandler(done),
    ]


def _node(name: str, *parameters: dict) -> Node:
    return Node(
        package="vlm_robot_ros",
        executable=name,
        name=name,
        output="screen",
        parameters=list(parameters),
    )
