"""The map of a dataset: by it the node drives a policy that learned from the dataset."""

from typing import Any

import yaml

from vlm_robot_ros.bags.bag_dataset import BagDataset
from vlm_robot_ros.data.formats.lerobot_info import image_key
from vlm_robot_ros.robot.loader import contract_file

MAP_FILE, CONTRACT_FILE = "policy_map.yaml", "contract.yaml"
"""Names in a dataset's `meta` folder."""
_VALUES = {"joints": ("joints",), "pose": ("position", "quaternion")}
"""What a map calls the parts of a state."""


def dataset_files(data: BagDataset) -> dict[str, str]:
    """Return what is kept in the `meta` folder of a dataset, by its name there: map, contract."""
    if data.options.robot:
        contract = contract_file(data.options.robot).read_text()
    else:
        contract = data.recording.bag.metadata().get("contract", "")
    files = {MAP_FILE: _map(data)}
    return {**files, CONTRACT_FILE: contract} if contract else files


def _map(data: BagDataset) -> str:
    """Return the YAML of a map for policies that learn from some data."""
    robot = data.recording.robot
    size = data.options.image_size
    fitted: dict[str, Any] = {} if size is None else {"size": list(size), "fit": data.options.fit}
    is_joints = data.info.action_names[0] != "x"
    values = [name for part in data.options.state for name in _VALUES[part]]
    values += ["gripper"] if robot.has_gripper else []
    parts = [{"values": name} for name in values]
    actions: dict[str, Any] = {
        "key": "action",
        "mode": "joint_position" if is_joints else "pose",
        "rate": data.info.fps,
    }
    if not is_joints:
        actions["rotation"] = "quaternion"
    if robot.has_gripper:
        actions["gripper"] = {"column": len(data.info.action_names) - 1}
    content = {
        "about": f"policies that learned from this dataset, of robot {robot.name}",
        "cameras": [
            {"key": image_key(name), "camera": name, **fitted} for name in data.info.cameras
        ],
        "state": [{"key": "observation.state", "parts": parts}],
        "prompt": {"key": "task"},
        "actions": actions,
    }
    text: str = yaml.safe_dump(content, sort_keys=False)
    return text
