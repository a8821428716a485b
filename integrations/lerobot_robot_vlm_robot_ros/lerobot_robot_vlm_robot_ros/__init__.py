"""An arm behind vlm_robot_ros' policy node, as a robot of LeRobot."""

from lerobot_robot_vlm_robot_ros.config_vlm_robot_ros import VlmRobotRosConfig
from lerobot_robot_vlm_robot_ros.vlm_robot_ros import VlmRobotRos

__all__ = ["VlmRobotRos", "VlmRobotRosConfig"]
