"""What `metadata.yaml` of a rosbag2 says, of any version."""

from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import yaml

from vlm_robot_ros.file_limits import read_yaml_text


@dataclass
class Metadata:
    """What is needed of it."""

    files: list[str] = field(default_factory=list)
    """Names of the storage files, in their order."""
    kinds: dict[str, str] = field(default_factory=dict)
    """Message type of each topic."""
    counts: dict[str, int] = field(default_factory=dict)
    """Messages of each topic."""
    type_hashes: dict[str, str] = field(default_factory=dict)
    """RIHS01 hash of the type of each topic that has one."""
    distro: str = ""
    """ROS 2 distribution of the recorder; empty where it is not said."""


def read_metadata(file: Path) -> Metadata:
    """Read a bag's `metadata.yaml`.

    Raises:
        ValueError: it cannot be read, or says nothing of a bag.
    """
    try:
        content = yaml.safe_load(read_yaml_text(file))
        about = content["rosbag2_bagfile_information"]
        found = Metadata(
            # Dashing to Galactic put the bag's folder in front.
            [PurePath(str(name)).name for name in about.get("relative_file_paths") or []],
            distro=str(about.get("ros_distro") or ""),
        )
        for each in about.get("topics_with_message_count") or []:
            _add(found, each["topic_metadata"], int(each["message_count"]))
    except Exception as error:  # what the text makes it raise
        raise ValueError(f"'{file.name}' cannot be read: {error!r}") from error
    return found


def _add(found: Metadata, topic: dict[str, Any], count: int) -> None:
    name = str(topic["name"])
    found.kinds[name] = str(topic.get("type") or "")
    found.counts[name] = found.counts.get(name, 0) + count
    if type_hash := topic.get("type_description_hash"):
        found.type_hashes[name] = str(type_hash)
