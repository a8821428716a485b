"""On which topics the simulated arm's controllers listen, and contracts that feed them."""

import yaml

from vlm_robot_ros.file_limits import read_yaml_text
from vlm_robot_ros.plugins import command_sinks
from vlm_robot_ros.robot.loader import contract_file

CONTROLLERS = {
    "joint_trajectory": "joint_trajectory",
    "joint_positions": "joint_command",
    "twist": "twist_command",
    "pose": "pose_command",
}
"""Topics by kind of sink."""
GRIPPER = "gripper_positions"


def contract_with_sink(robot: str, kind: str) -> str:
    """Return the contract of a simulated arm that is told by a sink of one kind, as YAML.

    Args:
        robot: Name or file of its contract; only the sinks are changed.
        kind: One of `CONTROLLERS`; the gripper is told beside it.
    """
    content = yaml.safe_load(read_yaml_text(contract_file(robot)))
    topics = {kind: CONTROLLERS[kind], GRIPPER: GRIPPER}
    content["sinks"] = [
        {"kind": each, "topic": topic}
        # The simulated servos interpolate.
        | ({"hardware_interpolates": True} if command_sinks()[each].needs_interpolation else {})
        for each, topic in topics.items()
    ]
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
