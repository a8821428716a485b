"""Messages into Rerun (https://rerun.io), out of a bag or as they come."""

from collections.abc import Callable
from typing import Any

from vlm_robot_ros.bags.bag import Bag
from vlm_robot_ros.data.image_decoding import DISTANCES, ImageError, to_depth, to_rgb

_QUALITY = 85
"""Of images, which are kept as JPEG."""


class RerunLogger:
    """Puts messages where Rerun shows them: images, curves, texts, on one time line."""

    def __init__(self, stream: Any) -> None:
        """Log into a `rerun.RecordingStream`."""
        self._stream = stream
        self._last: dict[str, str] = {}
        self._takers: dict[str, Callable[[str, Any], None]] = {
            "sensor_msgs/msg/Image": self._image,
            "sensor_msgs/msg/CompressedImage": self._image,
            "sensor_msgs/msg/JointState": self._joints,
            "vlm_robot_ros/msg/VlmAction": self._action,
            "vlm_robot_ros/msg/TaskLabel": self._label,
            "vlm_robot_ros/msg/Latency": self._latency,
            "vlm_robot_ros/msg/Heard": self._heard,
            "std_msgs/msg/String": lambda topic, message: self._text(topic, message.data),
        }

    @property
    def kinds(self) -> set[str]:
        """Types of message that are shown."""
        return set(self._takers)

    def log_message(self, topic: str, kind: str, time: float, message: Any) -> None:
        """Show a message.

        Args:
            topic: Where it came from.
            kind: Its type, one of `kinds`.
            time: When it came [s].
            message: As rclpy or rosbags decodes it.
        """
        self._stream.set_time("time", timestamp=time)
        self._takers[kind](topic.strip("/"), message)

    def _image(self, topic: str, message: Any) -> None:
        import rerun

        try:
            image = (
                rerun.DepthImage(to_depth(message), meter=1.0)
                if getattr(message, "encoding", "") in DISTANCES
                else rerun.Image(to_rgb(message)).compress(_QUALITY)
            )
        except ImageError as error:
            self._text(topic, str(error))
            return
        self._stream.log(topic, image)

    def _curves(self, topic: str, values: dict[str, float]) -> None:
        import rerun

        for name, value in values.items():
            self._stream.log(f"{topic}/{name}", rerun.Scalars(float(value)))

    def _text(self, topic: str, text: str) -> None:
        """Show a text when it is another."""
        import rerun

        if self._last.get(topic) != text:
            self._last[topic] = text
            self._stream.log(topic, rerun.TextLog(text))

    def _joints(self, topic: str, message: Any) -> None:
        self._curves(topic, dict(zip(message.name, message.position, strict=False)))

    def _action(self, topic: str, message: Any) -> None:
        values = dict(zip(message.names, message.values, strict=False))
        self._curves(topic, {**values, "gripper": message.gripper})
        self._text(f"{topic}/hold", message.hold_reason if message.hold else "moves")

    def _label(self, topic: str, message: Any) -> None:
        self._curves(topic, {"score": message.score})
        self._text(f"{topic}/label", message.label)

    def _latency(self, topic: str, message: Any) -> None:
        self._curves(topic, {name: getattr(message, name) for name in ("p50", "p95", "p99")})

    def _heard(self, topic: str, message: Any) -> None:
        self._text(topic, f"'{message.text}' ({message.sureness:.2f}) {message.reason}")


def view_bag(bag: Bag, stream: Any) -> int:
    """Show a bag; returns how many messages were shown.

    Args:
        bag: The bag.
        stream: A `rerun.RecordingStream`.

    Raises:
        BagError: the bag is corrupt, or has nothing to be shown.
    """
    from tqdm import tqdm

    from vlm_robot_ros.bags.bag import BagError

    viewer, shown = RerunLogger(stream), 0
    topics = [topic for topic, kind in bag.kinds.items() if kind in viewer.kinds]
    if not topics:
        raise BagError(
            f"bag '{bag.path}' has nothing to show; shown: {', '.join(sorted(viewer.kinds))}"
        )
    total = sum(bag.counts[topic] for topic in topics)
    for topic, time, message in tqdm(bag.messages(topics), "showing", total=total):
        viewer.log_message(topic, bag.kinds[topic], time, message)
        shown += 1
    return shown
