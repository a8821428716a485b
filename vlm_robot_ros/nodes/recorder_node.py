"""Records topics into an MCAP rosbag2 that any reader decodes: the definitions are in the bag."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from vlm_robot_ros.nodes.parameters import Spec, declare
from vlm_robot_ros.nodes.run import run

PARAMETERS = (
    Spec("bag", "", "Folder to write the bag to; it must not exist yet"),
    Spec("topics", "", "Topics to record, separated by spaces; empty: all there are"),
)
_NEVER = QosTime(0x7FFFFFFF, 0xFFFFFFFF)


class RecorderNode(Node):
    """Subscribes to what there is, as it appears, and writes the bytes as they come."""

    def __init__(self) -> None:
        """Open the bag.

        Raises:
            ValueError: no bag folder is given, or it exists.
        """
        super().__init__("recorder_node")
        declare(self, PARAMETERS)
        given = self.get_parameter("bag").value
        if not given:
            raise ValueError("parameter bag is empty; valid: a folder that does not exist yet")
        folder = Path(given)
        if folder.exists():
            raise ValueError(f"parameter bag: '{folder}' exists; valid: a folder that does not")
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._wanted = set(self.get_parameter("topics").value.split())
        self._typestore = get_typestore(Stores.LATEST)
        self._writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()
        self._recorded: set[str] = set()
        self._look()
        self.create_timer(0.25, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.get_logger().info(f"recording to {folder}")

    def close(self) -> None:
        """Finish the bag."""
        self._writer.close()

    def _look(self) -> None:
        """Begin to record the topics that have appeared."""
        for topic, kinds in self.get_topic_names_and_types():
            if topic in self._recorded or (self._wanted and topic not in self._wanted):
                continue
            publishers = self.get_publishers_info_by_topic(topic)
            if not publishers:
                continue
            self._recorded.add(topic)
            try:
                self._record(topic, kinds[0], [publisher.qos_profile for publisher in publishers])
            except (ImportError, AttributeError, LookupError, OSError) as error:
                self.get_logger().warning(f"{topic} is not recorded: no type {kinds[0]}: {error}")

    def _record(self, topic: str, kind: str, offered: list[QoSProfile]) -> None:
        package, _, name = kind.split("/")
        cls = getattr(import_module(f"{package}.msg"), name)
        _learn(self._typestore, package, kind)
        held = all(qos.durability == DurabilityPolicy.TRANSIENT_LOCAL for qos in offered)
        sure = all(qos.reliability == ReliabilityPolicy.RELIABLE for qos in offered)
        qos = QoSProfile(
            depth=100,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if held else DurabilityPolicy.VOLATILE,
            reliability=ReliabilityPolicy.RELIABLE if sure else ReliabilityPolicy.BEST_EFFORT,
        )
        connection = self._writer.add_connection(
            topic, kind, typestore=self._typestore, offered_qos_profiles=[_describe(held, sure)]
        )
        write: Callable[[bytes], Any] = partial(self._write, connection)
        self.create_subscription(cls, topic, write, qos, raw=True)

    def _write(self, connection: Any, data: bytes) -> None:
        self._writer.write(connection, self.get_clock().now().nanoseconds, data)


def _learn(store: Typestore, package: str, kind: str) -> None:
    """Add a package's types to the store, from their definitions where ROS installed them."""
    if kind in store.fielddefs:
        return
    found = {}
    for path in (Path(get_package_share_directory(package)) / "msg").glob("*.msg"):
        found.update(get_types_from_msg(path.read_text(), f"{package}/msg/{path.stem}"))
    store.register({name: fields for name, fields in found.items() if name not in store.fielddefs})
    if kind not in store.fielddefs:
        raise LookupError(f"no definition of {kind} in the share folder of {package}")


def _describe(held: bool, sure: bool) -> Qos:
    return Qos(
        QosHistory.KEEP_LAST,
        10,
        QosReliability.RELIABLE if sure else QosReliability.BEST_EFFORT,
        QosDurability.TRANSIENT_LOCAL if held else QosDurability.VOLATILE,
        _NEVER,
        _NEVER,
        QosLiveliness.AUTOMATIC,
        _NEVER,
        False,
    )


def main() -> int:
    """Run the node."""
    return run(RecorderNode)
