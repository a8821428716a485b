"""The README of a dataset."""

from collections.abc import Sequence
from typing import Any

from vlm_robot_ros.data.formats.lerobot_info import image_key

_LISTED_TASKS = 50
"""Instructions that are listed."""


def dataset_card(about: dict[str, Any], episodes: int, frames: int, tasks: Sequence[str]) -> str:
    """Return the README of a dataset, with the tags by which hubs find it."""
    names = "\n".join(
        f"- `{feature}`: {', '.join(names)}" for feature, names in about["names"].items()
    )
    cameras = "\n".join(
        f"- `{image_key(camera)}`: {height} x {width}"
        for camera, (height, width, _) in about["cameras"].items()
    )
    said = "\n".join(f"- {task}" for task in tasks[:_LISTED_TASKS])
    more = f"\n- ... and {len(tasks) - _LISTED_TASKS} more" if len(tasks) > _LISTED_TASKS else ""
    return (
        "---\ntask_categories: [robotics]\ntags: [LeRobot, vlm_robot_ros]\n---\n\n"
        f"# Demonstrations of {about['robot']}\n\n{episodes} episodes, {frames} frames, "
        f"{about['fps']:g} a second, recorded in ROS 2 and converted by `vlm-robot bag convert`.\n"
        f"Joints are in {about.get('joint_unit') or 'rad'}; the gripper is 0 closed, 1 open.\n\n"
        f"## Values\n\n{names}\n{cameras}\n\n## Instructions\n\n{said}{more}\n"
    )
