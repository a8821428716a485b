"""What the node's topics say in a bag: actions, labels, joints, holds and episodes, as arrays."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vlm_robot_ros.bags.bag import Bag, BagError
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION, InstructionKind
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.robot.loader import load_robot, read_robot
from vlm_robot_ros.runtime.instructions import next_instruction
from vlm_robot_ros.runtime.joint_state_assembler import JointStateAssembler

BEGIN, END, SUCCESS, FAILURE, INTERVENTION_BEGIN, INTERVENTION_END = range(6)
"""Events of EpisodeMark."""
MIN_GAP_S = 5.0
"""What is recorded so long before or after its stamp is stamped by another clock [s]."""
IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


@dataclass(frozen=True)
class RecordedAction:
    """One action of the node."""

    time: float
    """When it was recorded [s]."""
    stamp: float
    """Of the camera frame that it answers [s]."""
    mode: int
    """Of VlmAction."""
    names: tuple[str, ...]
    """Of the values: joints', or x, y, z, qx, qy, qz, qw."""
    values: np.ndarray
    """One for each of `names`."""
    gripper: float
    hold: str
    """Why the arm holds; empty when it moves."""
    hold_code: int = 0
    """Of VlmAction; 0 in a bag of before there were codes."""


@dataclass(frozen=True)
class Label:
    """What the words were taken for."""

    time: float
    label: str
    score: float


@dataclass
class EpisodeInterval:
    """A part of a recording in which one thing was to be done."""

    start: float
    end: float
    """[s]"""
    instruction: str
    success: bool | None = None
    """None where nobody says."""
    judged_by: str = ""
    """Who says."""


JUDGEMENT_WINDOW_S = 120.0
"""Who says something again, or shows it, does so within this time after it was said first [s]."""


@dataclass
class Recording:
    """A bag's small topics; images stay where they are. Times in seconds."""

    bag: Bag
    robot: RobotConfig
    actions: list[RecordedAction] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    instructions: list[tuple[float, str]] = field(default_factory=list)
    """Instructions and when they came."""
    marks: list[tuple[float, int, str, str]] = field(default_factory=list)
    """When, event, by whom, note."""
    joint_times: list[float] = field(default_factory=list)
    """Stamps of the joint states."""
    joints: list[np.ndarray] = field(default_factory=list)
    """Shape (J,) each, [rad]."""
    speeds: list[np.ndarray] = field(default_factory=list)
    """Measured, of those joint states that tell them. Shape (J,) each, [rad/s]."""
    openings: list[float] = field(default_factory=list)
    frames: dict[str, list[float]] = field(default_factory=dict)
    """Stamps of the images on each topic."""

    @property
    def spans(self) -> list[EpisodeInterval]:
        """The episodes: as marked, or else from instruction to instruction."""
        begun = [(time, note) for time, event, _, note in self.marks if event == BEGIN]
        return self._intervals_by_marks(begun) if begun else self._intervals_by_instructions()

    def _intervals_by_marks(self, begun: list[tuple[float, str]]) -> list[EpisodeInterval]:
        spans: list[EpisodeInterval] = []
        tasks = [
            (time, text)
            for time, text, kind in self._instruction_after()
            if kind is InstructionKind.TASK
        ]
        for (time, note), following in zip(begun, [*begun[1:], (math.inf, "")], strict=True):
            last = min(following[0], self.bag.end)
            ends = [t for t, event, *_ in self.marks if event == END and time <= t <= last]
            end = ends[0] if ends else last
            inside = [text for t, text in tasks if time <= t <= end]
            before = [text for t, text in tasks if t < time]
            said = note or next(iter(inside), "") or next(reversed(before), "")
            span = EpisodeInterval(time, end, said)
            spans.append(self._judgement(span, following[0]))
        return spans

    def _intervals_by_instructions(self) -> list[EpisodeInterval]:
        spans, heard = [], self._instruction_after()
        tasks = [*(time for time, _, kind in heard if kind is InstructionKind.TASK), math.inf]
        for number, (time, text, kind) in enumerate(heard):
            if kind is InstructionKind.TASK:
                end = heard[number + 1][0] if number + 1 < len(heard) else self.bag.end
                following = next(task for task in tasks if task > time)
                spans.append(self._judgement(EpisodeInterval(time, end, text), following))
        return spans

    def _instruction_after(self) -> list[tuple[float, str, InstructionKind]]:
        """Return when something else was said, what, and what kind of thing it is."""
        found: list[tuple[float, str, InstructionKind]] = []
        last = EMPTY_INSTRUCTION
        for time, text in self.instructions:
            # "Slower" leaves what is done as it is, and the node says that again.
            said = next_instruction(last, text)
            if said.number != last.number and (said.text, said.kind) != (last.text, last.kind):
                found.append((time, said.text, said.kind))
            last = said
        return found

    def _judgement(self, span: EpisodeInterval, following: float) -> EpisodeInterval:
        """Take the last verdict before the next episode, or the first after this one's end."""
        for time, event, by, _ in self.marks:
            if event in (SUCCESS, FAILURE) and span.start <= time < following:
                span.success, span.judged_by = event == SUCCESS, by
                if time > span.end:
                    break
        return span


def read_recording(path: Path, robot: str = "", namespace: str = "") -> Recording:
    """Read a bag of the policy node.

    Args:
        path: The bag.
        robot: Contract of the arm; empty: the one in the bag, or else the one that says so.
        namespace: Of the node, where it had one.

    Raises:
        BagError: it cannot be read, or has none of the node's topics.
        ContractError: the contract cannot be used.
    """
    bag = Bag(path)
    found = Recording(bag, _robot(bag, robot))
    reader = JointStateAssembler(found.robot, found.robot.joint_state_timeout)
    prefix = topic_prefix(namespace)
    current = prefix + "current_instruction"
    heard = current if bag.counts.get(current) else prefix + "instruction"
    takes: dict[str, Callable[[float, Any], None]] = {
        prefix + "action": lambda time, m: found.actions.append(_action(time, m)),
        prefix + "task_label": lambda time, m: found.labels.append(
            Label(time, m.label, float(m.score))
        ),
        prefix + "joint_states": lambda time, m: _add_joint_state(found, reader, m),
        heard: lambda time, m: found.instructions.append((time, m.data)),
    }
    there = [topic for topic in takes if bag.counts.get(topic)]
    if there and all(topic in bag.unreadable for topic in there):
        raise BagError(f"bag '{path}' has no topic of the node that can be read: {bag.problem}")
    if not there:
        raise BagError(
            f"bag '{path}' has none of {', '.join(takes)}; it has {', '.join(sorted(bag.kinds))}"
            "; is there a namespace?"
        )
    for topic in {prefix + "episode_mark", "/episode_mark"}:  # a recorder has no namespace
        takes[topic] = lambda time, m: found.marks.append(_mark(time, m))
    cameras = find_cameras(bag)
    for topic in cameras:
        takes[topic] = partial(_take_image, found.frames.setdefault(topic, []))
    for topic, time, message in bag.messages(takes, stamps_of=cameras):
        try:
            takes[topic](time, message)
        except Exception as error:  # somebody else's topic of that name
            raise BagError(
                f"bag '{path}': {topic} ({bag.kinds[topic]}) is not as the node says it: {error!r}"
            ) from error
    return found


def topic_prefix(namespace: str) -> str:
    """Return what topics of a namespace begin with."""
    return f"/{namespace.strip('/')}/".replace("//", "/")


def find_cameras(bag: Bag) -> list[str]:
    """Return the topics of images, but for those that the node draws."""
    return [
        topic
        for topic, kind in bag.kinds.items()
        if kind in IMAGES and not topic.endswith("/overlay")
    ]


def contract_cameras(recording: Recording, namespace: str = "") -> dict[str, str]:
    """Return the topics with images of the contract's cameras, in its order, and whose.

    Raises:
        BagError: there are none.
    """
    there, prefix, found = recording.frames, topic_prefix(namespace), {}
    for camera in recording.robot.cameras:
        topic = camera.topic if camera.topic.startswith("/") else prefix + camera.topic
        for name in (topic, topic + "/compressed"):
            if there.get(name):
                found[name] = camera.name
                break
    if not found:
        raise BagError(
            f"bag '{recording.bag.path}' has no images of the cameras of robot "
            f"'{recording.robot.name}'; it has {', '.join(there) or 'none'}"
        )
    return found


def is_correction(before: EpisodeInterval, after: EpisodeInterval) -> bool:
    """Tell whether one episode sets right, soon after, what failed in another."""
    soon = after.start - before.start < JUDGEMENT_WINDOW_S
    return soon and before.success is False and after.success is True


def header_seconds(message: Any) -> float:
    """Return the stamp of a message's header [s]."""
    given = message.header.stamp
    return float(given.sec + given.nanosec * 1e-9)


def _robot(bag: Bag, robot: str) -> RobotConfig:
    if robot:
        return load_robot(robot)
    about = bag.metadata()
    if "contract" in about:
        try:
            return read_robot(about["contract"], f"the contract in '{bag.path}'")
        except ValueError:
            raise
        except Exception as error:  # a hostile one
            raise BagError(f"bag '{bag.path}': its contract cannot be read: {error!r}") from error
    return load_robot("panda_sim")


def _mark(time: float, message: Any) -> tuple[float, int, str, str]:
    stamp, event = header_seconds(message), int(message.event)
    # The node notices a takeover a little later, and says when it was.
    if event in (INTERVENTION_BEGIN, INTERVENTION_END) and abs(stamp - time) < MIN_GAP_S:
        time = stamp
    return time, event, message.by, message.note


def _action(time: float, message: Any) -> RecordedAction:
    reason = message.hold_reason or "held" if message.hold else ""
    values = np.array(message.values, float)
    return RecordedAction(
        time, header_seconds(message), int(message.mode), tuple(message.names), values,
        float(message.gripper), reason, int(getattr(message, "hold_code", 0)),
    )  # fmt: skip


def _take_image(stamps: list[float], time: float, stamp_: float) -> None:
    stamps.append(stamp_)


def _add_joint_state(found: Recording, reader: JointStateAssembler, message: Any) -> None:
    try:
        state = reader.read(message.name, message.position, header_seconds(message))
    except ValueError:  # the node holds then
        return
    if state is None:
        return
    found.joint_times.append(state.time)
    found.joints.append(state.joints)
    found.openings.append(state.opening)
    speeds = dict(zip(message.name, message.velocity, strict=False))
    told = np.array([speeds.get(name, np.nan) for name in found.robot.joint_names])
    if np.isfinite(told).all():
        found.speeds.append(told)
