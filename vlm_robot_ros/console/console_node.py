"""The browser's console as a node: what is seen, said and done, and a place to say more."""

import io
import threading
import time
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from PIL import Image as PilImage
from rclpy.client import Client
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vlm_robot_ros.console.state import ConsoleState
from vlm_robot_ros.data.image_decoding import ImageError, to_rgb
from vlm_robot_ros.interfaces.action import StepInfo
from vlm_robot_ros.msg import EpisodeMark, Latency, SceneObjects, TaskLabel, VlmAction
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.ros.parameters import ParameterSpec, declare_parameters
from vlm_robot_ros.terminal_text import escape_unprintable

PARAMETERS = (
    ParameterSpec(
        "robot", "panda_sim", "Contract: a name under config/arms, or a path of a .yaml"
    ),
)
MAX_TEXT_CHARACTERS = 4000
"""Longer sentences are refused [characters]."""
_IMAGE_MAX_AGE_S = 1.0
"""An overlay older than this is not waited for: the camera's own image is shown [s]."""
_MAX_IMAGE_PIXELS = 16_000_000
"""Larger images are not shown [pixels]."""
_LATCHED_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class ConsoleNode(Node):
    """Listens to the policy node and speaks for who sits at the browser. Thread-safe."""

    def __init__(self) -> None:
        """Connect.

        Raises:
            ValueError: there is no such contract.
        """
        super().__init__("console_node")
        declare_parameters(self, PARAMETERS)
        robot = load_robot(self.get_parameter("robot").value)
        self._lock = threading.Lock()
        self._state = ConsoleState(f"{self.get_namespace()}/policy_node".lstrip("/"))
        self._image: tuple[int, Image] | None = None
        self._overlay_time = 0.0
        self._encoded: tuple[int, bytes] = (0, b"")
        self._words = self.create_publisher(String, "instruction", 10)
        self._stop: Client = self.create_client(Trigger, "policy_node/stop")
        self._reset: Client = self.create_client(Trigger, "policy_node/reset")
        self._marks = self.create_publisher(EpisodeMark, "episode_mark", 10)
        listen = self.create_subscription
        listen(VlmAction, "action", self._on_action, 10)
        listen(TaskLabel, "task_label", self._on_label, 10)
        listen(String, "current_instruction", self._on_instruction, _LATCHED_QOS)
        listen(Latency, "latency", self._on_latency, 10)
        listen(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        listen(SceneObjects, "objects", self._on_objects, 1)
        listen(Image, "overlay", partial(self._on_image, True), 1)
        if robot.colour_cameras:
            topic = robot.colour_cameras[0].topic
            listen(Image, topic, partial(self._on_image, False), qos_profile_sensor_data)

    def publish_instruction(self, text: str) -> None:
        """Publish an instruction.

        Raises:
            ValueError: it is too long, or nobody listens.
        """
        if len(text) > MAX_TEXT_CHARACTERS:
            raise ValueError(f"{len(text)} characters; valid: up to {MAX_TEXT_CHARACTERS}")
        if not self._words.get_subscription_count():
            raise ValueError("nobody listens to instructions: is the policy node running?")
        self._words.publish(String(data=text.encode("utf-8", "replace").decode()))

    def stop(self) -> None:
        """Stop the arm until `reset`, by the policy node's `~/stop` and by an instruction.

        Raises:
            ValueError: nobody listens.
        """
        latches = self._stop.service_is_ready()
        if latches:
            self._stop.call_async(Trigger.Request())
        if not latches or self._words.get_subscription_count():
            self.publish_instruction("stop")

    def reset(self) -> None:
        """Let the arm move again for a new instruction, after a stop or a trip.

        Raises:
            ValueError: there is no policy node.
        """
        if not self._reset.service_is_ready():
            raise ValueError("no service policy_node/reset: is the policy node running?")
        self._reset.call_async(Trigger.Request())

    def publish_judgement(self, success: bool) -> None:
        """Publish whether what was to be done last went well."""
        event = EpisodeMark.SUCCESS if success else EpisodeMark.FAILURE
        mark = EpisodeMark(event=event, by="person")
        mark.header.stamp = self.get_clock().now().to_msg()
        self._marks.publish(mark)
        with self._lock:
            self._state.on_judgement(success)

    def state(self) -> dict[str, Any]:
        """Return what is known now, of plain types."""
        with self._lock:
            return self._state.as_dict()

    def image(self) -> tuple[int, bytes]:
        """Return number and JPEG of the newest image; number 0 where there is none."""
        newest = self._image
        if newest is not None and newest[0] != self._encoded[0]:
            buffer = io.BytesIO()
            try:
                if newest[1].width * newest[1].height > _MAX_IMAGE_PIXELS:
                    raise ImageError(
                        f"{newest[1].width}x{newest[1].height} pixels; "
                        f"valid: up to {_MAX_IMAGE_PIXELS}"
                    )
                PilImage.fromarray(to_rgb(newest[1])).save(buffer, "JPEG", quality=85)
                self._encoded = newest[0], buffer.getvalue()
            except ImageError as error:
                self._encoded = newest[0], self._encoded[1]  # it is not tried again
                text = (
                    f"an image cannot be shown: {escape_unprintable(error, MAX_TEXT_CHARACTERS)}"
                )
                self.get_logger().warning(text, once=True)
        return self._encoded

    def _on_image(self, drawn: bool, message: Image) -> None:
        now = time.monotonic()
        if drawn:
            self._overlay_time = now
        elif now - self._overlay_time < _IMAGE_MAX_AGE_S:
            return
        self._image = ((self._image[0] if self._image else 0) + 1, message)

    def _on_action(self, message: VlmAction) -> None:
        with self._lock:
            step = StepInfo(message.step_index, message.step_count, message.step)
            proposes = message.hold_code == VlmAction.HOLD_POLICY_PROPOSES
            self._state.on_action(
                message.instruction, message.hold, message.hold_reason, step, proposes
            )

    def _on_label(self, message: TaskLabel) -> None:
        with self._lock:
            self._state.on_label(message.instruction, message.label, float(message.score))

    def _on_instruction(self, message: String) -> None:
        with self._lock:
            self._state.on_instruction(message.data)

    def _on_latency(self, message: Latency) -> None:
        with self._lock:
            names = ("p50", "p95", "p99")
            self._state.on_latency({name: getattr(message, name) for name in names})

    def _on_objects(self, message: SceneObjects) -> None:
        seen = [
            (each.phrase, [each.size.x, each.size.y, each.size.z], each.score, each.grip_problem)
            for each in message.objects
        ]
        with self._lock:
            self._state.on_objects(seen)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        statuses = (
            (each.name, int.from_bytes(each.level, "little"), each.message)
            for each in message.status
        )
        with self._lock:
            self._state.on_diagnostics(statuses)
