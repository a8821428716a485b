"""Datasets and bags, whichever a path is."""

from pathlib import Path

from vlm_robot_ros.data.robot_data import DataError, RobotData, open_data


def open_any(path: Path, split: str) -> RobotData:
    """Open a LeRobotDataset, an RLDS set, a bag or a folder of bags.

    Raises:
        DataError: there is none, or what reads bags is not installed.
    """
    if (path / "meta" / "info.json").is_file() or (path / "features.json").is_file():
        return open_data(path, split)
    try:
        from vlm_robot_ros.bags.episodes import open_episodes
    except ImportError as error:  # bags are an extra
        raise DataError(
            f"no LeRobotDataset or RLDS set in '{path}', and bags need rosbags, mcap ({error}): "
            "pip install 'vlm_robot_ros[bags]'"
        ) from error
    return open_episodes(path, split)
