"""A RealSense's driver and the policy node, for things on your own table.

ros2 launch vlm_robot_ros realsense.launch.py robot:=$HOME/my_arm.yaml \
  checkpoint:=libero detector:=hf:$HOME/owlv2
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from vlm_robot_ros.robot.config import Camera, RobotConfig
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.ros.policy_launch import policy_launch_description


def generate_launch_description() -> LaunchDescription:
    """Return what to start."""
    policy = policy_launch_description(use_sim_time="false")
    serial = DeclareLaunchArgument(
        "serial_no", default_value="", description="of the camera; any if not given"
    )
    return LaunchDescription([serial, *policy.entities, OpaqueFunction(function=_driver)])


def _driver(context: LaunchContext) -> list[Node]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    if not value("robot"):
        raise ValueError("robot:= is missing; valid: the path of a contract, or a shipped name")
    name, colour = _camera(load_robot(value("robot")))
    # Aligned distances have the colour image's size. As a text: 0123 is no number.
    parameters: dict[str, object] = {
        "camera_name": name,
        "enable_color": True, "enable_depth": True, "enable_sync": True,
        "align_depth.enable": True,
        "rgb_camera.color_profile": f"{colour.width}x{colour.height}x{colour.rate:.0f}",
        "serial_no": ParameterValue(value("serial_no"), value_type=str),
    }  # fmt: skip
    return [
        Node(
            package="realsense2_camera",
            executable="realsense2_camera_node",
            name=name,
            namespace=value("namespace").rstrip("/"),
            output="screen",
            parameters=[parameters],
        )
    ]


def _camera(robot: RobotConfig) -> tuple[str, Camera]:
    """Return the name and the colour camera of a contract's cameras on the driver's topics.

    Raises:
        ValueError: it has none; says what is valid.
    """
    topics = {camera.topic: camera for camera in robot.cameras}
    for topic, camera in topics.items():
        name = topic.removesuffix("/color/image_raw")
        if name != topic and f"{name}/aligned_depth_to_color/image_raw" in topics:
            if "/" in name:
                break
            return name, camera
    raise ValueError(
        f"robot '{robot.name}' has cameras on {', '.join(topics) or 'none'}; valid for a "
        "RealSense: NAME/color/image_raw and NAME/aligned_depth_to_color/image_raw"
    )
