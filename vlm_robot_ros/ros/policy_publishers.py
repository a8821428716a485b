"""The topics on which the policy node says what it does."""

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String

from vlm_robot_ros.inference.worker import InferenceRequest
from vlm_robot_ros.interfaces.action import ActionChunk, chunk_of_arm
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.instruction import Instruction
from vlm_robot_ros.msg import ActionChunk as ChunkMessage
from vlm_robot_ros.msg import PolicyInput, TaskLabel, VlmAction
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.ros.message_conversions import (
    action_message,
    chunk_message,
    input_message,
    label_message,
    to_stamp,
)

_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class PolicyPublishers:
    """Publishes actions, chunks, labels, requests and the current instruction."""

    def __init__(self, entities: LifecycleEntities, robot: RobotConfig) -> None:
        """Create the publishers of a node that controls a robot."""
        self._robot = robot
        self._actions = {
            arm.arm: entities.create_publisher(VlmAction, arm.topic("action"))
            for arm in robot.arms
        }
        self._chunks = {
            arm.arm: entities.create_publisher(ChunkMessage, arm.topic("action_chunk"))
            for arm in robot.arms
        }
        self._inputs = entities.create_publisher(PolicyInput, "policy_input")
        self._labels = entities.create_publisher(TaskLabel, "task_label")
        self._instruction = entities.create_publisher(String, "current_instruction", _LATCHED)

    def publish_action(self, action: ActionCommand, arm: RobotConfig) -> None:
        """Publish the action of a tick of one arm."""
        self._actions[arm.arm].publish(action_message(action, arm))

    def publish_chunk(
        self, request: InferenceRequest, chunk: ActionChunk, instruction: Instruction, time: float
    ) -> None:
        """Publish the answer to a request about the current instruction, and its label.

        Args:
            request: What the policy was asked.
            chunk: Its answer; of several arms, that of the first with those of the others.
            instruction: The current one.
            time: How long the policy took [s].
        """
        stamp = to_stamp(request.stamp)
        for arm in self._robot.arms:
            own = chunk if arm is self._robot else chunk_of_arm(chunk, arm.arm)
            self._chunks[arm.arm].publish(chunk_message(own, arm, stamp, instruction, time))
        self._labels.publish(label_message(chunk, self._robot, stamp, instruction))

    def publish_request(self, request: InferenceRequest, first: bool) -> None:
        """Publish a request; `first` says that the policy knew nothing before it.

        Not of several arms: the message has no place for them.
        """
        if self._robot.others:
            return
        self._inputs.publish(input_message(request, self._robot, first))

    def publish_instruction(self, text: str = "") -> None:
        """Publish the instruction that counts from now on; empty: none does."""
        self._instruction.publish(String(data=text))

    def wait_for_acks(self, seconds: float) -> None:
        """Wait until the last actions are acknowledged, `seconds` at most for each arm."""
        for publisher in self._actions.values():
            publisher.wait_for_all_acked(Duration(seconds=seconds))
