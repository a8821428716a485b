"""What the launch files of the policy node have in common."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue

from vlm_robot_ros.paths import config_dir, dds_profile_variable, user_path
from vlm_robot_ros.robot.loader import load_robot

_ARGUMENTS = {
    "params": (str(config_dir() / "policy_node.yaml"), "file of parameters"),
    "robot": ("", "contract of the arm: a shipped name or the path of a .yaml"),
    "camera": (
        "",
        "topic of the first camera's images; as in the contract of robot:= if not given",
    ),
    "checkpoint": ("", "checkpoint folder; the shipped one if not given, but not for a real arm"),
    "policy": ("", "which policy acts: a registered name such as fusion or hold, or module:Class"),
    "map": ("", "of a server's policy, policy:=openpi://HOST:PORT: droid, libero, ... or a .yaml"),
    "lerobot_python": ("", "an interpreter that has LeRobot, for policy:=lerobot:PATH"),
    "detector": ("", "of phrases, with checkpoint:=libero and a depth camera: hf:/folder"),
    "segmenter": ("", "of what the detector finds: hf:/folder of a SAM 2"),
    "output": ("", "whether the contract's sinks are fed: auto (in simulation), live or dry"),
    "namespace": ("", "of the node and its topics; another for each of several arms"),
    "use_sim_time": ("", "whether stamps come from /clock: true or false"),
    "voice": ("", "listen, too: microphone, topic, or a path of a .wav"),
}
"""Those that are given overrule the file."""


def policy_launch_description(**defaults: str) -> LaunchDescription:
    """Return a launch of the policy node; `defaults` are of its arguments, see `_ARGUMENTS`."""
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(
                    name, default_value=defaults.get(name, value), description=text
                )
                for name, (value, text) in _ARGUMENTS.items()
            ),
            SetEnvironmentVariable(dds_profile_variable(), str(config_dir() / "fastdds.xml")),
            OpaqueFunction(function=_node),
        ]
    )


def _node(context: LaunchContext) -> list:
    given = {name: LaunchConfiguration(name).perform(context) for name in _ARGUMENTS}
    file, namespace, voice, camera = (
        given.pop(name) for name in ("params", "namespace", "voice", "camera")
    )
    # As texts: launch would read them as YAML, `off` as false and `007` as 7.
    own: dict[str, object] = {
        name: ParameterValue(value, value_type=str) for name, value in given.items() if value
    }
    if given["use_sim_time"]:
        own["use_sim_time"] = given["use_sim_time"] in ("true", "True", "1")
    file, namespace = str(user_path(file)), namespace.rstrip("/")
    nodes: list[Node] = [
        LifecycleNode(
            package="vlm_robot_ros",
            executable="policy_node",
            name="policy_node",
            namespace=namespace,
            output="screen",
            parameters=[file, own],
            remappings=_to_camera(given["robot"], camera) if camera else [],
        )
    ]
    if voice:
        nodes.append(
            Node(
                package="vlm_robot_ros",
                executable="voice_node",
                name="voice_node",
                namespace=namespace,
                output="screen",
                parameters=[{"source": ParameterValue(voice, value_type=str)}],
            )
        )
    return nodes


def _to_camera(robot: str, topic: str) -> list[tuple[str, str]]:
    """Return the remappings that bring a contract's first camera its images from a topic."""
    own = load_robot(robot or "panda_sim").colour_cameras[0].topic
    return [(own, topic), (f"{own}/compressed", f"{topic}/compressed")]
