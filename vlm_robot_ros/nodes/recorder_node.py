"""Records topics into an MCAP rosbag2 that any reader decodes: the definitions are in the bag."""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import NameValidationException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.rosbag2.storage_mcap import McapWriter
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from vlm_robot_ros import __version__
from vlm_robot_ros.file_permissions import folder_mode
from vlm_robot_ros.msg import EpisodeMark
from vlm_robot_ros.paths import user_path
from vlm_robot_ros.provenance import git_hash
from vlm_robot_ros.robot.loader import contract_file, load_robot
from vlm_robot_ros.ros.message_types import message_class
from vlm_robot_ros.ros.parameters import ParameterSpec, ReadOnlyReasons, declare_parameters
from vlm_robot_ros.ros.spin import spin_node
from vlm_robot_ros.terminal_text import escape_unprintable

PARAMETERS = (
    ParameterSpec("bag", "", "Folder to write the bag to; it must not exist yet"),
    ParameterSpec("topics", "", "Topics to record, separated by spaces; empty: all there are"),
    ParameterSpec("robot", "", "Contract of the arm, to be kept in the bag; empty: none"),
    ParameterSpec("about", "", "Anything else to be kept in the bag, such as a seed", digits=True),
)
ABOUT, MARKS = "/recording", "/episode_mark"
_FLUSH_PERIOD_S = 0.5
"""What is written is out of this process's hands after so long [s]: it may be killed."""
_FINAL_WAIT_S = 0.2
"""How long it listens on when it is told to end: for the last words of others [s]."""
_INFINITE_DURATION = QosTime(0x7FFFFFFF, 0xFFFFFFFF)


class RecorderNode(ReadOnlyReasons, Node):
    """Subscribes to what there is, as it appears, and writes the bytes as they come.

    Episodes are marked with `~/begin`, `~/end` and `~/success`, or by whoever publishes marks.
    """

    def __init__(self) -> None:
        """Open the bag.

        Raises:
            ValueError: no bag folder is given, or it exists; or there is no such contract.
        """
        super().__init__("recorder_node")
        declare_parameters(self, PARAMETERS)
        given = self.get_parameter("bag").value
        if not given:
            raise ValueError("parameter bag is empty; valid: a folder that does not exist yet")
        folder = user_path(given)
        if folder.exists():
            raise ValueError(f"parameter bag: '{folder}' exists; valid: a folder that does not")
        about = self._metadata()
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            names = self.get_parameter("topics").value.split()
            self._wanted = {self.resolve_topic_name(name) for name in names}
        except NameValidationException as error:
            raise ValueError(f"parameter topics: {error}") from error
        self._typestore = get_typestore(Stores.LATEST)
        self._writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        for name, value in about.items():
            self._writer.set_custom_data(name, value)
        self._writer.open()
        folder.chmod(folder_mode())
        # Also as a message: what is said of the bag at its end may never be written.
        self._write_metadata_message(ABOUT, String(data=json.dumps(about)))
        self._marks = self._create_publisher(MARKS, "vlm_robot_ros/msg/EpisodeMark", True, True)
        self._recorded: set[str] = {ABOUT}
        self._subscribe_new_topics()
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(0.25, self._subscribe_new_topics, clock=steady)
        self.create_timer(_FLUSH_PERIOD_S, self._flush, clock=steady)
        self.create_service(Trigger, "~/begin", partial(self._on_mark, EpisodeMark.BEGIN))
        self.create_service(Trigger, "~/end", partial(self._on_mark, EpisodeMark.END))
        self.create_service(SetBool, "~/success", self._on_success)
        self.get_logger().info(f"recording to {folder}")

    def close(self) -> None:
        """Take what is still on its way, and finish the bag."""
        until = time.monotonic() + _FINAL_WAIT_S
        try:
            while self.executor and time.monotonic() < until:
                self.executor.spin_once(timeout_sec=0.0)
        finally:
            self._writer.close()
            if never := sorted(self._wanted - self._recorded):
                self.get_logger().warning(f"nobody published {', '.join(never)}")

    def _metadata(self) -> dict[str, str]:
        """Return what is to be known of the recording: versions, commit, contract, and more."""
        about = {"vlm_robot_ros": __version__, "git": git_hash()}
        if more := self.get_parameter("about").value:
            about["about"] = more
        if robot := self.get_parameter("robot").value:
            load_robot(robot)
            about["robot"], about["contract"] = robot, contract_file(robot).read_text()
        return about

    def _flush(self) -> None:
        storage = self._writer.storage
        if isinstance(storage, McapWriter):
            if storage.chunk.msgs:
                storage.close_chunk()
            storage.bio.flush()

    def _subscribe_new_topics(self) -> None:
        """Begin to record the topics that have appeared."""
        for topic, kinds in self.get_topic_names_and_types():
            wanted = not self._wanted or topic in self._wanted or topic == MARKS
            if topic in self._recorded or not wanted:
                continue
            publishers = self.get_publishers_info_by_topic(topic)
            if not publishers:
                continue
            self._recorded.add(topic)
            try:
                self._record(topic, kinds[0], [publisher.qos_profile for publisher in publishers])
            except (ImportError, AttributeError, LookupError, OSError, ValueError) as error:
                self.get_logger().warning(
                    f"{topic} is not recorded: no type {kinds[0]}: {escape_unprintable(error)}"
                )

    def _record(self, topic: str, kind: str, offered: list[QoSProfile]) -> None:
        cls = message_class(kind)
        held = all(qos.durability == DurabilityPolicy.TRANSIENT_LOCAL for qos in offered)
        sure = all(qos.reliability == ReliabilityPolicy.RELIABLE for qos in offered)
        qos = QoSProfile(
            depth=100,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if held else DurabilityPolicy.VOLATILE,
            reliability=ReliabilityPolicy.RELIABLE if sure else ReliabilityPolicy.BEST_EFFORT,
        )
        known = topic == MARKS
        connection = self._marks if known else self._create_publisher(topic, kind, held, sure)
        write: Callable[[bytes], Any] = partial(self._write, connection)
        self.create_subscription(cls, topic, write, qos, raw=True)

    def _create_publisher(self, topic: str, kind: str, held: bool, sure: bool) -> Connection:
        _register_types(self._typestore, kind.split("/")[0], kind)
        qos = [_describe(held, sure)]
        return self._writer.add_connection(
            topic, kind, typestore=self._typestore, offered_qos_profiles=qos
        )

    def _write_metadata_message(self, topic: str, message: String) -> None:
        """Write a message of the recorder's own."""
        connection = self._create_publisher(topic, "std_msgs/msg/String", True, True)
        self._write(connection, serialize_message(message))

    def _write(self, connection: Connection, data: bytes) -> None:
        self._writer.write(connection, self.get_clock().now().nanoseconds, data)

    def _on_mark(
        self, event: int, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        mark = EpisodeMark(event=event, by="person")
        mark.header.stamp = self.get_clock().now().to_msg()
        self._write(self._marks, serialize_message(mark))
        response.success = True
        return response

    def _on_success(
        self, request: SetBool.Request, response: SetBool.Response
    ) -> SetBool.Response:
        event = EpisodeMark.SUCCESS if request.data else EpisodeMark.FAILURE
        self._on_mark(event, Trigger.Request(), Trigger.Response())
        response.success = True
        return response


def _register_types(store: Typestore, package: str, kind: str) -> None:
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
        _INFINITE_DURATION,
        _INFINITE_DURATION,
        QosLiveliness.AUTOMATIC,
        _INFINITE_DURATION,
        False,
    )


def main() -> int:
    """Run the node."""
    return spin_node(RecorderNode)
