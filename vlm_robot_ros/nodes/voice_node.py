"""Speech to instructions: what is said into a microphone, a topic or a file, as text on a topic.

What is not understood, or not surely, is not sent; "stop" is, at once.
"""

import math
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool, Int16MultiArray, String

from vlm_robot_ros.msg import Heard
from vlm_robot_ros.paths import user_path
from vlm_robot_ros.ros.parameters import ParameterSpec, ReadOnlyReasons, declare_parameters
from vlm_robot_ros.ros.spin import spin_node
from vlm_robot_ros.speech.audio_sources import Microphone, WavSource
from vlm_robot_ros.speech.pipeline import SpeechPipeline, SpeechResult
from vlm_robot_ros.speech.subprocess_recogniser import SubprocessRecogniser
from vlm_robot_ros.terminal_text import escape_unprintable

PARAMETERS = (
    ParameterSpec("source", "microphone", "Of the sound: microphone, topic, or a path of a .wav"),
    ParameterSpec(
        "device",
        "",
        "Of the microphone: part of its name, or its number; empty: the default",
        digits=True,
    ),
    ParameterSpec(
        "recogniser", "pocketsphinx", "pocketsphinx, whisper:FOLDER or whisper:HUB/NAME"
    ),
    ParameterSpec(
        "wake_word", "", "What must be said before all but stop, as 'hey robot'; empty: nothing"
    ),
    ParameterSpec("push_to_talk", False, "Whether only what is said while `talk` is true counts"),
    ParameterSpec("min_sureness", 0.5, "What is less sure is not sent", 0.0, 1.0),
)

# Whoever sends it may be reliable or not; a few seconds wait while the node comes up.
_AUDIO_QOS = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)

_SILENCE_TIMEOUT_S = 2.0
"""Even a quiet room sounds; a microphone that gives nothing for so long is broken [s]."""


class VoiceNode(ReadOnlyReasons, Node):
    """Publishes `instruction`, and on `heard` all that was said."""

    def __init__(self) -> None:
        """Begin to listen.

        Raises:
            ValueError: a parameter is not valid, or there is no such microphone, file or model.
        """
        super().__init__("voice_node")
        declare_parameters(self, PARAMETERS)
        value = {spec.name: self.get_parameter(spec.name).value for spec in PARAMETERS}
        self._words = self.create_publisher(String, "instruction", 10)
        self._heard = self.create_publisher(Heard, "heard", 10)
        wake_word = value["wake_word"].strip().lower()
        self._recogniser = SubprocessRecogniser(value["recogniser"], wake_word)
        self._listener = SpeechPipeline(self._recogniser, self._on_report, value["min_sureness"])
        self._source: Microphone | WavSource | None = None
        if value["push_to_talk"]:
            self._listener.talking = False
            self.create_subscription(Bool, "talk", self._on_talk, 10)
        self._sounded, self._fault = -math.inf, ""
        self._health = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(
            1.0, self._publish_diagnostics, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        source = value["source"]
        if source == "microphone":
            self._source = Microphone(value["device"], self._process_audio)
        elif source == "topic":
            self.create_subscription(Int16MultiArray, "audio", self._on_audio, _AUDIO_QOS)
        elif source.endswith(".wav"):
            self._source = WavSource(user_path(source), self._process_audio)
        else:
            self.close()
            raise ValueError(
                f"parameter source is '{source}'; valid: microphone, topic, or a path of a .wav"
            )
        self.get_logger().info(f"listening to {source}")

    def close(self) -> None:
        """Stop listening."""
        if self._source:
            self._source.close()
        self._recogniser.close()
        self._listener.close()

    def _on_audio(self, message: Int16MultiArray) -> None:
        self._process_audio(np.array(message.data, np.int16))

    def _publish_diagnostics(self) -> None:
        """Say whether a spoken stop would be heard."""
        silent = time.monotonic() - self._sounded
        level, message = DiagnosticStatus.OK, "listening"
        if silent > _SILENCE_TIMEOUT_S:
            level, message = DiagnosticStatus.ERROR, f"hears nothing: no sound for {silent:.0f} s"
            if self._sounded < 0:
                message = "hears nothing: no sound yet"
        elif self._fault:
            level, message = DiagnosticStatus.ERROR, self._fault
        status = DiagnosticStatus(
            level=level, name=f"{self.get_name()}: voice", message=message,
            hardware_id=self.get_name(),
        )  # fmt: skip
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._health.publish(array)

    def _process_audio(self, samples: np.ndarray) -> None:
        self._sounded = time.monotonic()
        if not self._listener.add_audio(samples):
            self.get_logger().warning(
                "sound comes faster than it is heard, and is lost; valid: one channel, 16000 Hz",
                throttle_duration_sec=5.0,
            )

    def _on_talk(self, message: Bool) -> None:
        self._listener.talking = message.data

    def _on_report(self, report: SpeechResult) -> None:
        message = Heard(
            text=report.heard.text,
            sureness=report.heard.confidence,
            sent=report.send,
            reason=report.reason,
            seconds=report.seconds,
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._fault = report.reason if report.is_fault else ""
        if report.send:
            self._words.publish(String(data=report.heard.text))
        self._heard.publish(message)
        told = f"'{escape_unprintable(report.heard.text)}' ({report.heard.confidence:.2f})"
        self.get_logger().info(told if report.send else f"not sent: {told}: {report.reason}")


def main() -> int:
    """Run the node."""
    return spin_node(VoiceNode)
