"""What a policy was asked in a recording, to be asked again."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlm_robot_ros.bags.bag import BagError
from vlm_robot_ros.bags.recording import Recording, contract_cameras, header_seconds, topic_prefix
from vlm_robot_ros.data.camera_input import CameraIntrinsics, calibration, to_policy_input
from vlm_robot_ros.data.image_decoding import ImageError
from vlm_robot_ros.inference.worker import InferenceRequest
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION, Instruction, InstructionKind
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.kinematics.transform_buffer import TransformBuffer, TransformError
from vlm_robot_ros.robot.config import camera_info_topic
from vlm_robot_ros.runtime.instructions import next_instruction
from vlm_robot_ros.runtime.transforms import TRANSFORM_TOPICS, add_transforms, placed_camera

_MESSAGE_TYPE = "vlm_robot_ros/msg/PolicyInput"
_MAX_KEPT_IMAGES = 300
"""Images of each camera that are remembered while an input that names them is waited for."""


@dataclass
class RecordedRequests:
    """Iterates over the questions of a recording: each with whether all was forgotten before."""

    recording: Recording
    namespace: str = ""
    cameras: tuple[str, ...] = ()
    """Cameras whose images are wanted, too, where the recorded policy was not given them: those
    nearest in time."""
    missed: int = 0
    """Questions whose images are not in the bag, known at the end."""

    def __iter__(self) -> Iterator[tuple[InferenceRequest, bool]]:
        """Return what the node was asked; in a bag without it, what it could have been asked.

        Raises:
            BagError: there are no images, or no joint states, to ask about.
        """
        topic = topic_prefix(self.namespace) + "policy_input"
        if (
            self.recording.bag.kinds.get(topic) == _MESSAGE_TYPE
            and self.recording.bag.counts[topic]
        ):
            return self._recorded_requests(topic)
        if (
            not self.recording.frames
            or not self.recording.joints
            or not self.recording.instructions
        ):
            raise BagError(
                f"bag '{self.recording.bag.path}' has neither {topic} nor all of images, joint "
                "states and instructions"
            )
        return self._synthesize_requests()

    def _recorded_requests(self, topic: str) -> Iterator[tuple[InferenceRequest, bool]]:
        recording, kinematics = self.recording, Kinematics(self.recording.robot)
        topics = {
            camera: name
            for name, camera in contract_cameras(self.recording, self.namespace).items()
        }
        self._check_cameras(list(topics))
        eyes = _CameraDecoder(recording, topics)
        seen: dict[tuple[str, int, int], Any] = {}
        waiting: deque[Any] = deque()
        newest: dict[str, tuple[int, int]] = {}
        last: object = None
        for message in recording.bag.messages([topic, *topics.values(), *eyes.topics]):
            if eyes.add(message):
                continue
            if message.topic == topic:
                waiting.append(message.value)
            else:
                given = message.value.header.stamp
                seen[message.topic, given.sec, given.nanosec] = message.value
                newest[message.topic] = given.sec, given.nanosec
                while len(seen) > _MAX_KEPT_IMAGES * len(topics):
                    del seen[next(iter(seen))]
            while waiting:
                asked = waiting[0]
                keys = {
                    camera: (topics.get(camera, ""), at.sec, at.nanosec)
                    for camera, at in zip(asked.cameras, _image_stamps(asked), strict=True)
                }
                for camera in self.cameras:
                    if camera not in keys:
                        topic_of = topics.get(camera, "")
                        keys[camera] = _nearest(seen, topic_of, asked.header.stamp)
                missing = [key for key in keys.values() if key not in seen]
                if any(newest.get(key[0], (0, 0)) <= key[1:] for key in missing):
                    break  # they may come
                waiting.popleft()
                if missing:  # they were never recorded
                    self.missed += 1
                    continue
                at = asked.header.stamp
                same = (at.sec, at.nanosec, asked.instruction_id, tuple(keys.values()))
                if same == last:  # the node says it again where the answer could not be used
                    continue
                last = same
                try:
                    images = {name: eyes.images_at(name, seen[key]) for name, key in keys.items()}
                except ImageError as error:
                    if self.cameras:  # perhaps one that was not asked about
                        self.missed += 1
                        continue
                    raise BagError(f"bag '{recording.bag.path}': {error}") from error
                joints = np.array(asked.joints, float)
                pose = transform_to_pose7(kinematics.forward(joints))
                observation = Observation(
                    images,
                    pose,
                    float(asked.opening),
                    asked.instruction,
                    joints,
                    header_seconds(asked),
                    dict(eyes.poses),
                )
                number = int(asked.instruction_id)
                yield (
                    InferenceRequest(observation, header_seconds(asked), number),
                    bool(asked.first),
                )
        self.missed += len(waiting)

    def _check_cameras(self, there: list[str]) -> None:
        missing = [camera for camera in self.cameras if camera not in there]
        if missing:
            raise BagError(
                f"bag '{self.recording.bag.path}' has no images of camera '{missing[0]}'; it has "
                f"those of {', '.join(there) or 'none'}"
            )

    def _synthesize_requests(self) -> Iterator[tuple[InferenceRequest, bool]]:
        """Ask about every image of the contract's first camera, with the newest of the rest."""
        recording, kinematics = self.recording, Kinematics(self.recording.robot)
        cameras = contract_cameras(self.recording, self.namespace)
        self._check_cameras(list(cameras.values()))
        leader = next(iter(cameras))
        eyes = _CameraDecoder(recording, {camera: topic for topic, camera in cameras.items()})
        times = np.array(recording.joint_times)
        said, words, first = deque(recording.instructions), EMPTY_INSTRUCTION, True
        images: dict[str, np.ndarray] = {}
        for message in recording.bag.messages([*cameras, *eyes.topics]):
            if eyes.add(message):
                continue
            try:
                name = cameras[message.topic]
                images[name] = eyes.images_at(name, message.value)
            except ImageError:
                continue
            words = _instruction_at(words, said, message.time)
            complete = message.topic == leader and len(images) == len(cameras)
            if not complete or words.kind is not InstructionKind.TASK:
                continue
            at = header_seconds(message.value)
            near = int(np.abs(times - at).argmin())
            joints, opening = recording.joints[near], recording.openings[near]
            pose = transform_to_pose7(kinematics.forward(joints))
            observation = Observation(dict(images), pose, opening, words.text, joints, at,
                                      dict(eyes.poses))  # fmt: skip
            yield InferenceRequest(observation, at, words.number), first
            first = False


class _CameraDecoder:
    """Sees what the node saw: the newest calibration counts."""

    def __init__(self, recording: Recording, topics: dict[str, str]) -> None:
        """Look through cameras, of each its topic in the bag."""
        self._recording = recording
        depth = [camera for camera in topics if recording.robot.camera(camera).depth]
        self.infos = {camera_info_topic(topics[camera]): camera for camera in depth}
        """Topics of calibrations, and whose they are."""
        placed = any(recording.robot.camera(camera).pose_from_tf for camera in topics)
        self.topics = [*self.infos, *(TRANSFORM_TOPICS if placed else ())]
        """What it needs besides images."""
        self.poses: dict[str, tuple[float, ...]] = {}
        """As `Observation.camera_poses`, of the images that were returned last."""
        self._known: dict[str, CameraIntrinsics] = {}
        self._transforms = TransformBuffer()

    def add(self, message: Any) -> bool:
        """Take a message if it is a calibration, or of TF; tells whether it was."""
        camera = self.infos.get(message.topic, "")
        if message.topic in TRANSFORM_TOPICS:
            static = TRANSFORM_TOPICS[message.topic]
            for _ in add_transforms(self._transforms, message.value, static):
                pass  # as in the node, it does not count
            return True
        if camera:
            self._known.pop(camera, None)
            with suppress(ImageError):  # as in the node, none counts then
                self._known[camera] = calibration(message.value)
        return bool(camera)

    def images_at(self, camera: str, message: Any) -> np.ndarray:
        """Return what a policy was given of a camera's message.

        Raises:
            ImageError: it could not be used, of distances also for want of a calibration or of
                the camera's place.
        """
        robot = self._recording.robot
        of, time = robot.camera(camera), header_seconds(message)
        if of.pose_from_tf:
            try:
                of = placed_camera(of, robot.base_frame, self._transforms, time)
            except TransformError as error:
                raise ImageError(str(error)) from error
            self.poses[camera] = of.pose
        return to_policy_input(message, of, self._known.get(camera))


def _nearest(seen: dict[tuple[str, int, int], Any], topic: str, at: Any) -> tuple[str, int, int]:
    """Return the key of the image of a topic that is nearest in time; a key of none if none is."""
    keys = [key for key in seen if key[0] == topic]
    wanted = at.sec + 1e-9 * at.nanosec
    return min(keys, key=lambda key: abs(key[1] + 1e-9 * key[2] - wanted), default=("", 0, 0))


def _instruction_at(
    words: Instruction, said: deque[tuple[float, str]], time: float
) -> Instruction:
    while said and said[0][0] <= time:
        words = next_instruction(words, said.popleft()[1])
    return words


def _image_stamps(message: Any) -> Sequence[Any]:
    """Return the image stamps of a request; before version 0.2 the field was `pictures`."""
    field = "image_stamps" if hasattr(message, "image_stamps") else "pictures"
    stamps: Sequence[Any] = getattr(message, field)
    return stamps
