"""Datasets and bags, whichever a path is."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vlm_robot_ros.data.dataset import DataError, EpisodeDataset, open_data_folder

if TYPE_CHECKING:
    from vlm_robot_ros.bags.bag import Bag


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say of a dataset what it does not say itself."""
    parser.add_argument(
        "--arm", choices=("left", "right"), default="",
        help="of two, which one to use alone; without it data of two arms is refused",
    )  # fmt: skip
    parser.add_argument(
        "--units", choices=("rad", "deg"), default="",
        help="of joint positions, where the data does not say",
    )  # fmt: skip


def print_warnings(line: str) -> None:
    """Print a warning."""
    from tqdm import tqdm

    # Through tqdm, so that it does not end up in the middle of a progress bar.
    tqdm.write(f"vlm-robot: warning: {line}", file=sys.stderr)


def print_bag_warnings(*bags: "Bag") -> None:
    """Print what is wrong with bags that can be read only in part."""
    for bag in bags:
        if bag.problem:
            print_warnings(f"bag '{bag.path}': {bag.problem}")


def open_dataset_with_warnings(path: Path, split: str) -> EpisodeDataset:
    """Open a LeRobotDataset, an RLDS set, a bag or a folder of bags.

    Raises:
        DataError: there is none, or what reads bags is not installed.
    """
    if (path / "meta" / "info.json").is_file() or (path / "features.json").is_file():
        return open_data_folder(path, split)
    try:
        from vlm_robot_ros.bags.bag_dataset import open_dataset
    except ImportError as error:  # bags are an extra
        raise DataError(
            f"no LeRobotDataset or RLDS set in '{path}', and bags need rosbags, mcap ({error}): "
            "pip install 'vlm_robot_ros[bags]'"
        ) from error
    return open_dataset(path, split)
