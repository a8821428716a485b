"""Conversions between the package's data types and its messages."""

import math
from collections.abc import Sequence

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.time import Time as RclpyTime

from vlm_robot_ros.inference.worker import InferenceRequest
from vlm_robot_ros.interfaces.action import POSE_NAMES, ActionChunk, ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.hold import HoldCode, HoldReason
from vlm_robot_ros.interfaces.instruction import Instruction
from vlm_robot_ros.interfaces.scene_object import SceneObject
from vlm_robot_ros.msg import ActionChunk as ChunkMessage
from vlm_robot_ros.msg import PolicyInput, SceneObjects, TaskLabel, VlmAction
from vlm_robot_ros.msg import SceneObject as SceneObjectMessage
from vlm_robot_ros.robot.config import RobotConfig

_MAX_SHOWN_LABELS = 3


def stamp_to_seconds(stamp: Time) -> float:
    """Return a stamp in seconds.

    Raises:
        ValueError: it is negative, which no clock of ROS shows.
    """
    if stamp.sec < 0:
        raise ValueError(f"stamp of {stamp.sec} s; valid: 0 and up")
    return stamp.sec + stamp.nanosec * 1e-9


def to_stamp(time: float) -> Time:
    """Return seconds as a stamp."""
    return RclpyTime(nanoseconds=round(time * 1e9)).to_msg()


def action_value_names(mode: ActionMode, robot: RobotConfig) -> list[str]:
    """Return the names of an action's values."""
    if mode not in (ActionMode.JOINT_POSITION, ActionMode.JOINT_DELTA):
        return list(POSE_NAMES)
    return list(robot.joint_names)


def action_message(command: ActionCommand, robot: RobotConfig) -> VlmAction:
    """Return an action as a message."""
    names, instruction = action_value_names(command.mode, robot), command.instruction
    message = VlmAction(mode=int(command.mode), names=names)
    message.header.stamp = to_stamp(command.stamp)
    message.header.frame_id = robot.base_frame
    message.values, message.gripper = command.values.tolist(), command.gripper
    message.instruction, message.instruction_id = instruction.text, instruction.number
    step = command.step
    if step.of:
        message.step_index, message.step_count, message.step = step[:3]
    else:
        message.step, message.step_count = instruction.text, int(bool(instruction.text))
    message.confidence = float(command.confidence)
    reason = HoldReason.of(command.hold_reason, HoldCode.UNKNOWN)
    message.hold, message.hold_code, message.hold_reason = bool(reason), int(reason.code), reason
    return message


def chunk_message(
    chunk: ActionChunk, robot: RobotConfig, stamp: Time, said: Instruction, inference_time: float
) -> ChunkMessage:
    """Return a chunk as a message."""
    names = action_value_names(chunk.mode, robot)
    message = ChunkMessage(mode=int(chunk.mode), names=names)
    message.header.stamp, message.header.frame_id = stamp, robot.base_frame
    message.step_dt, message.horizon = chunk.step_dt, len(chunk.values)
    message.values = chunk.values.ravel().tolist()
    message.gripper = chunk.gripper.tolist()
    message.instruction, message.instruction_id = said.text, said.number
    message.confidence, message.inference_time = float(chunk.confidence), inference_time
    return message


def input_message(question: InferenceRequest, robot: RobotConfig, first: bool) -> PolicyInput:
    """Return what a policy was given as a message; its source is the images' stamps."""
    seen, stamps = question.observation, question.source
    assert isinstance(stamps, dict)
    assert seen.joints is not None
    message = PolicyInput(cameras=list(stamps), image_stamps=list(stamps.values()), first=first)
    message.names = list(robot.joint_names)
    message.header.stamp = to_stamp(question.stamp)
    message.header.frame_id = robot.base_frame
    message.joints, message.opening = seen.joints.tolist(), float(seen.opening)
    message.instruction, message.instruction_id = seen.instruction, question.number
    return message


def label_message(
    chunk: ActionChunk, robot: RobotConfig, stamp: Time, said: Instruction
) -> TaskLabel:
    """Return what the words were taken for as a message; no label where nothing was asked."""
    message = TaskLabel(instruction=said.text, instruction_id=said.number, label=chunk.label)
    message.header.stamp, message.header.frame_id = stamp, robot.base_frame
    best = sorted(chunk.scores.items(), key=lambda pair: -pair[1])[:_MAX_SHOWN_LABELS]
    message.top_labels = [name for name, _ in best]
    message.top_scores = [float(score) for _, score in best]
    if chunk.label:
        message.label_id = list(chunk.scores).index(chunk.label)
        message.score = float(chunk.scores[chunk.label])
    return message


def objects_message(
    objects: Sequence[SceneObject], robot: RobotConfig, stamp: Time
) -> SceneObjects:
    """Return things that are seen as a message."""
    message = SceneObjects()
    message.header.stamp, message.header.frame_id = stamp, robot.base_frame
    for each in objects:
        told = SceneObjectMessage(phrase=each.phrase, score=float(each.score))
        told.container, told.support = bool(each.container), bool(each.support)
        told.grip_problem = str(each.grip_problem)
        for vector, values in ((told.pose.position, each.position), (told.size, each.size)):
            vector.x, vector.y, vector.z = map(float, values)
        half = each.yaw / 2
        told.pose.orientation.z, told.pose.orientation.w = math.sin(half), math.cos(half)
        message.objects.append(told)
    return message


def diagnostic_status(
    name: str, level: bytes, text: str, facts: dict[str, object]
) -> DiagnosticStatus:
    """Return how something is doing."""
    status = DiagnosticStatus(name=name, level=level, message=text)
    status.values = [KeyValue(key=key, value=str(value)) for key, value in facts.items()]
    return status
