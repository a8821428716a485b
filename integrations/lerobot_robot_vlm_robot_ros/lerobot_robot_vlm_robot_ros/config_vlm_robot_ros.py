"""What has to be said of the arm."""

from dataclasses import dataclass, field
from pathlib import Path

from lerobot.robots.config import RobotConfig


@RobotConfig.register_subclass("vlm_robot_ros")
@dataclass(kw_only=True)
class VlmRobotRosConfig(RobotConfig):
    """An arm behind a policy node."""

    contract: Path
    """YAML file of the robot's contract, the same as the node's."""
    namespace: str = ""
    """Of the node."""
    node: str = "policy_node"
    """Name of the node."""
    camera_names: list[str] = field(default_factory=list)
    """Cameras of the contract; all colour cameras if none is named."""
    timeout: float = 1.0
    """How old a joint state or an image may be [s]."""
