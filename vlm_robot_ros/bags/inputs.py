"""What a policy was asked in a recording, to be asked again."""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlm_robot_ros.bags.bag import BagError
from vlm_robot_ros.bags.recording import Recording, contract_cameras, prefix_of, stamp
from vlm_robot_ros.contract.kinematics import Kinematics, to_vector
from vlm_robot_ros.contract.robot import info_topic
from vlm_robot_ros.control.instruction import NOTHING_SAID, Instruction, Kind, next_instruction
from vlm_robot_ros.data.pictures import ImageError
from vlm_robot_ros.data.views import Calibration, calibration, view
from vlm_robot_ros.policy.base import Observation
from vlm_robot_ros.policy.thinker import Question

_KIND = "vlm_robot_ros/msg/PolicyInput"
_KEPT = 300
"""Pictures of each camera that are remembered while an input that names them is waited for."""


@dataclass
class Inputs:
    """Iterates over the questions of a recording: each with whether all was forgotten before."""

    recording: Recording
    namespace: str = ""
    missed: int = 0
    """Questions whose pictures are not in the bag, known at the end."""

    def __iter__(self) -> Iterator[tuple[Question, bool]]:
        """Return what the node was asked; in a bag without it, what it could have been asked.

        Raises:
            BagError: there are no pictures, or no joint states, to ask about.
        """
        topic = prefix_of(self.namespace) + "policy_input"
        if self.recording.bag.kinds.get(topic) == _KIND and self.recording.bag.counts[topic]:
            return self._asked(topic)
        if not self.recording.frames or not self.recording.joints or not self.recording.said:
            raise BagError(
                f"bag '{self.recording.bag.path}' has neither {topic} nor all of pictures, joint "
                "states and instructions"
            )
        return self._could_ask()

    def _asked(self, topic: str) -> Iterator[tuple[Question, bool]]:
        recording, kinematics = self.recording, Kinematics(self.recording.robot)
        topics = {
            camera: name
            for name, camera in contract_cameras(self.recording, self.namespace).items()
        }
        eyes = _Eyes(recording, topics)
        seen: dict[tuple[str, int, int], Any] = {}
        waiting: deque[Any] = deque()
        newest: dict[str, tuple[int, int]] = {}
        last: object = None
        for message in recording.bag.messages([topic, *topics.values(), *eyes.infos]):
            if eyes.take(message):
                continue
            if message.topic == topic:
                waiting.append(message.value)
            else:
                given = message.value.header.stamp
                seen[message.topic, given.sec, given.nanosec] = message.value
                newest[message.topic] = given.sec, given.nanosec
                while len(seen) > _KEPT * len(topics):
                    del seen[next(iter(seen))]
            while waiting:
                asked = waiting[0]
                keys = {
                    camera: (topics.get(camera, ""), at.sec, at.nanosec)
                    for camera, at in zip(asked.cameras, asked.pictures, strict=True)
                }
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
                    pictures = {name: eyes.see(name, seen[key]) for name, key in keys.items()}
                except ImageError as error:
                    raise BagError(f"bag '{recording.bag.path}': {error}") from error
                joints = np.array(asked.joints, float)
                pose = to_vector(kinematics.forward(joints))
                observation = Observation(
                    pictures, pose, float(asked.opening), asked.instruction, joints, stamp(asked)
                )
                number = int(asked.instruction_id)
                yield Question(observation, stamp(asked), number), bool(asked.first)
        self.missed += len(waiting)

    def _could_ask(self) -> Iterator[tuple[Question, bool]]:
        """Ask about every picture of the contract's first camera, with the newest of the rest."""
        recording, kinematics = self.recording, Kinematics(self.recording.robot)
        cameras = contract_cameras(self.recording, self.namespace)
        leader = next(iter(cameras))
        eyes = _Eyes(recording, {camera: topic for topic, camera in cameras.items()})
        times = np.array(recording.joint_times)
        said, words, first = deque(recording.said), NOTHING_SAID, True
        pictures: dict[str, np.ndarray] = {}
        for message in recording.bag.messages([*cameras, *eyes.infos]):
            if eyes.take(message):
                continue
            try:
                name = cameras[message.topic]
                pictures[name] = eyes.see(name, message.value)
            except ImageError:
                continue
            words = _hear(words, said, message.time)
            complete = message.topic == leader and len(pictures) == len(cameras)
            if not complete or words.kind is not Kind.TASK:
                continue
            at = stamp(message.value)
            near = int(np.abs(times - at).argmin())
            joints, opening = recording.joints[near], recording.openings[near]
            pose = to_vector(kinematics.forward(joints))
            observation = Observation(dict(pictures), pose, opening, words.text, joints, at)
            yield Question(observation, at, words.number), first
            first = False


class _Eyes:
    """Sees what the node saw: the newest calibration counts."""

    def __init__(self, recording: Recording, topics: dict[str, str]) -> None:
        """Look through cameras, of each its topic in the bag."""
        self._recording = recording
        depth = [camera for camera in topics if recording.robot.camera(camera).depth]
        self.infos = {info_topic(topics[camera]): camera for camera in depth}
        """Topics of calibrations, and whose they are."""
        self._known: dict[str, Calibration] = {}

    def take(self, message: Any) -> bool:
        """Take a message if it is a calibration; tells whether it was."""
        camera = self.infos.get(message.topic, "")
        if camera:
            self._known.pop(camera, None)
            with suppress(ImageError):  # as in the node, none counts then
                self._known[camera] = calibration(message.value)
        return bool(camera)

    def see(self, camera: str, message: Any) -> np.ndarray:
        """Return what a policy was given of a camera's message.

        Raises:
            ImageError: it could not be used, of distances also for want of a calibration.
        """
        return view(message, self._recording.robot.camera(camera), self._known.get(camera))


def _hear(words: Instruction, said: deque[tuple[float, str]], time: float) -> Instruction:
    while said and said[0][0] <= time:
        words = next_instruction(words, said.popleft()[1])
    return words
