"""Bags as a dataset of episodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from vlm_robot_ros.bags.alignment import AlignedEpisode, align
from vlm_robot_ros.bags.bag import Bag, BagError
from vlm_robot_ros.bags.discovery import find_bags
from vlm_robot_ros.bags.recording import (
    MIN_GAP_S,
    EpisodeInterval,
    Recording,
    contract_cameras,
    header_seconds,
    is_correction,
    read_recording,
)
from vlm_robot_ros.data.camera_input import to_policy_input
from vlm_robot_ros.data.dataset import (
    DataError,
    DatasetInfo,
    Episode,
    EpisodeDataset,
    check_episode_index,
    open_data_folder,
)
from vlm_robot_ros.data.image_decoding import ImageError, to_rgb
from vlm_robot_ros.image_resize import Fit, resize_image
from vlm_robot_ros.robot.config import Camera, RobotConfig

FORMAT = "rosbag2 of the policy node"


@dataclass(frozen=True)
class BagOptions:
    """What of bags becomes data."""

    robot: str = ""
    """Contract; empty: as `read_recording` finds it."""
    namespace: str = ""
    """Of the node, where it had one."""
    failed: bool = False
    """Whether to keep episodes that were marked as failures."""
    cameras: tuple[str, ...] = ()
    """Whose images; of all colour cameras if none is named."""
    image_size: tuple[int, int] | None = None
    """Width and height of all images [px]; as recorded if not given."""
    fit: Fit = "pad"
    """How an image of another shape becomes this size."""
    joint_actions: bool = False
    """Whether tool poses become the joint positions that the arm had when they were due."""
    state: tuple[str, ...] = ("joints",)
    """What the state has: some of `STATE_PARTS`."""
    success_marks: bool = False
    """Whether each episode tells if it is a success; those without a mark are left out, and
    failures are kept."""


EVERYTHING = BagOptions()
"""All episodes but failures, all colour cameras, as recorded."""


class BagDataset:
    """Episodes of one bag or several, behind the interface of all data."""

    def __init__(self, bags: Sequence[Path], options: BagOptions = EVERYTHING) -> None:
        """Read all but the images.

        Args:
            bags: Of one robot.
            options: What of them to take.

        Raises:
            BagError: one of them cannot be read, or nothing can be learned from them.
        """
        self.options = options
        """What of them was taken."""
        self._episodes: list[AlignedEpisode] = []
        self.corrections: set[int] = set()
        """Which of them were a success within two minutes after a failure."""
        self._bags: list[Bag] = []
        left_out = cut = 0
        for bag in bags:
            recording = read_recording(bag, options.robot, options.namespace)
            self._bags.append(recording.bag)
            cameras = _chosen_cameras(recording.robot, options.cameras, bag)
            self._fps = cameras[0].rate
            for before, span in zip([None, *recording.spans], recording.spans, strict=False):
                found = None
                if _is_wanted(span, options):
                    found = align(
                        recording, span, self._fps, options.namespace, options.cameras,
                        options.joint_actions, options.state,
                    )  # fmt: skip
                if found is None:
                    left_out += 1
                    continue
                cut += found.cut
                if before and is_correction(before, span):
                    self.corrections.add(len(self._episodes))
                self._episodes.append(found)
        if not self._episodes:
            raise BagError(
                f"nothing to learn from in {', '.join(map(str, bags))}: {left_out} episodes are "
                + "; ".join(["failures, without motion, or have gaps", *self.problems])
            )
        first = self._episodes[0]
        for other in self._episodes:
            if _kind(other) != _kind(first):
                raise BagError(
                    f"bag '{other.recording.bag.path}' has {_kind(other)}, "
                    f"'{first.recording.bag.path}' {_kind(first)}"
                )
        unmarked = "without a mark" if options.success_marks else "failures"
        said = (
            f"{left_out} episodes are left out: {unmarked}, without motion, or with gaps",
            f"{cut} moments are left out: something was missing",
        )
        notes = tuple(note for note, count in zip(said, (left_out, cut), strict=True) if count)
        where = bags[0] if len(bags) == 1 else bags[0].parent
        self.info = DatasetInfo(
            where, FORMAT, first.recording.robot.name, self._fps, tuple(first.images),
            first.state_names, first.names, (*notes, *self.problems), "rad",
        )  # fmt: skip

    @property
    def recording(self) -> Recording:
        """The first of them."""
        return self._episodes[0].recording

    @property
    def problems(self) -> list[str]:
        """What is wrong with bags that can be read only in part."""
        return [f"bag '{bag.path}': {bag.problem}" for bag in self._bags if bag.problem]

    def __len__(self) -> int:
        return len(self._episodes)

    def instruction(self, number: int) -> str:
        """Return what is said in an episode."""
        check_episode_index(number, len(self), self.info.path)
        return self._episodes[number].instruction

    def table(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return states and actions of one."""
        check_episode_index(number, len(self), self.info.path)
        return self._episodes[number].state, self._episodes[number].action

    def episode(self, number: int, cameras: Sequence[str] | None = None) -> Episode:
        """Read one."""
        check_episode_index(number, len(self), self.info.path)
        found = self._episodes[number]
        wanted = [name for name in found.images if cameras is None or name in cameras]
        images = {name: self._images(found, name) for name in wanted}
        success = found.success if self.options.success_marks else None
        return Episode(
            found.instruction, images, found.state, found.action, found.intervention, success
        )

    def _images(self, found: AlignedEpisode, camera: str) -> np.ndarray:
        recording = found.recording
        topics = contract_cameras(recording, self.options.namespace)
        topic = next(name for name, whose in topics.items() if whose == camera)
        config = recording.robot.camera(camera)
        wanted, seen = set(found.images[camera].tolist()), {}
        ends = float(found.times[0]) - MIN_GAP_S, float(found.times[-1]) + MIN_GAP_S
        for message in recording.bag.messages([topic], max(0.0, ends[0]), ends[1]):
            at = header_seconds(message.value)
            if at in wanted:
                try:
                    # Of a camera with a crop, a policy is given that part.
                    read = partial(to_policy_input, camera=config) if config.crop else to_rgb
                    seen[at] = self._resized(read(message.value))
                except ImageError as error:
                    raise DataError(
                        f"bag '{recording.bag.path}': an image on {topic} at {at:.2f} s: {error}"
                    ) from error
            if len(seen) == len(wanted):
                break
        try:
            return np.stack([seen[at] for at in found.images[camera].tolist()])
        except (KeyError, ValueError) as error:
            raise DataError(
                f"bag '{recording.bag.path}': images on {topic} are missing or change their "
                f"size in '{found.instruction}': {error}"
            ) from error

    def _resized(self, image: np.ndarray) -> np.ndarray:
        size = self.options.image_size
        return image if size is None else resize_image(image, *size, self.options.fit)


def _is_wanted(span: EpisodeInterval, options: BagOptions) -> bool:
    if options.success_marks:
        return span.success is not None
    return options.failed or span.success is not False


def _chosen_cameras(robot: RobotConfig, names: Sequence[str], bag: Path) -> list[Camera]:
    """Return the colour cameras that are wanted, of which there is one at least.

    Raises:
        BagError: the robot has not one of them, or none at all.
    """
    cameras = list(robot.colour_cameras)
    known = [camera.name for camera in cameras]
    missing = [name for name in names if name not in known]
    if missing or not cameras:
        wanted = f"camera '{missing[0]}' is not" if missing else "a colour camera is not"
        raise BagError(
            f"{wanted} in the contract of '{bag}'; valid: {', '.join(known) or 'one that has one'}"
        )
    return [camera for camera in cameras if not names or camera.name in names]


def _kind(episode: AlignedEpisode) -> str:
    """Return what must be the same in all episodes of a dataset, in words."""
    robot = episode.recording.robot
    return (
        f"actions {', '.join(episode.names)}, cameras {', '.join(episode.images)} at "
        f"{robot.colour_cameras[0].rate:g} Hz, joints {', '.join(robot.joint_names)}"
    )


def open_dataset(path: Path, split: str = "train") -> EpisodeDataset:
    """Open data of any kind: a bag, a folder of bags, or what `open_data_folder` takes.

    Raises:
        DataError: there is none, or it is of another format.
    """
    bags = find_bags(path)
    if not bags:
        return open_data_folder(path, split)
    try:
        return BagDataset(bags)
    except BagError as error:
        raise DataError(str(error)) from error
