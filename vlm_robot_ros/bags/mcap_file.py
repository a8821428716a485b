"""One MCAP file of a bag: read by its index, or from the beginning where that is missing."""

import math
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mcap.records import Channel as McapChannel
from mcap.records import Footer, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.rosbag2.storage_mcap import McapReader

from vlm_robot_ros.bags.storage import Channel, RawMessage
from vlm_robot_ros.file_limits import size_limit

_TYPE_HASH = "topic_type_hash"
"""Key under which rosbag2 keeps the type hash in a channel's metadata."""
_FORMATS = {
    MessageDefinitionFormat.MSG: "ros2msg",
    MessageDefinitionFormat.IDL: "ros2idl",
    MessageDefinitionFormat.NONE: "",
}
_ENCODINGS = {"ros2msg": "ros2msg", "ros2idl": "ros2idl", "omgidl": "ros2idl"}
_NO_SCHEMA = "__schemaless__"
"""What rosbags calls the type of a channel without a schema."""


class McapFile:
    """See `StorageFile`."""

    def __init__(self, path: Path) -> None:
        """Read the index, or count the messages of a file that has none."""
        self.path = path
        self.channels: list[Channel] = []
        self.counts: Counter[str] = Counter()
        self.start, self.end = 0, 0
        self.distro = self.problem = ""
        self._indexed = self._read_index()
        if not self._indexed:
            self._scan()

    def raw(self, topics: set[str] | None, first: int, last: int) -> Iterator[RawMessage]:
        """Return the messages of some topics, or of all, of a time range [ns]."""
        if self._indexed:
            yield from self._by_index(topics, first, last)
            return
        for channel, message in self._stream():
            wanted = topics is None or channel.topic in topics
            if wanted and first <= message.log_time <= last:
                yield RawMessage(channel, message.log_time, message.data)

    def _read_index(self) -> bool:
        """Read what the end of the file says; tell whether all messages can be found by it."""
        reader = McapReader(self.path)
        try:
            reader.open()
        except Exception:  # what the bytes make it raise; they are read without an index then
            return False
        try:
            found = {each.id: _of_connection(each, reader) for each in reader.connections}
            in_chunks = sum(sum(chunk.channel_count.values()) for chunk in reader.chunks)
            if in_chunks != reader.metadata.message_count:
                return False  # rosbags passes over chunks whose messages are not indexed
            self.channels = list(found.values())
            for connection in reader.connections:
                self.counts[connection.topic] += connection.msgcount
            self.start, self.end = reader.metadata.start_time, reader.metadata.end_time - 1
        except Exception:  # as above
            return False
        finally:
            reader.close()
        return True

    def _by_index(self, topics: set[str] | None, first: int, last: int) -> Iterator[RawMessage]:
        reader = McapReader(self.path)
        reader.open()
        try:
            chosen = [c for c in reader.connections if topics is None or c.topic in topics]
            known = {each.id: _of_connection(each, reader) for each in chosen}
            if chosen:
                for connection, time, data in reader.messages(chosen, first, last + 1):
                    yield RawMessage(known[connection.id], time, bytes(data))
        finally:
            reader.close()

    def _scan(self) -> None:
        times: list[int] = []
        for channel, message in self._stream():
            self.counts[channel.topic] += 1
            times = [
                min([message.log_time, *times[:1]]),
                max([message.log_time, *times[1:]]),
            ]
        if times:
            self.start, self.end = times

    def _stream(self) -> Iterator[tuple[Channel, Message]]:
        """Read from the beginning as far as it goes; sets the channels and the problem."""
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        complete, lost, error = False, 0, ""
        try:
            with self.path.open("rb") as stream:
                for record in StreamReader(stream, record_size_limit=_largest_record()).records:
                    if isinstance(record, Schema):
                        schemas[record.id] = record
                    elif isinstance(record, McapChannel):
                        channels[record.id] = _of_record(record, schemas.get(record.schema_id))
                        self.channels = list(channels.values())
                    elif isinstance(record, Message) and record.channel_id in channels:
                        yield channels[record.channel_id], record
                    elif isinstance(record, Message):
                        lost += 1
                    complete = complete or isinstance(record, Footer)
        except Exception as caught:  # what the bytes make it raise
            error = f": {caught!r}"
        problems = []
        if not complete:
            problems.append(f"'{self.path.name}' is cut off or corrupt{error}")
        if lost:
            problems.append(f"{lost} messages in '{self.path.name}' belong to no channel")
        self.problem = "; ".join(problems)


def _of_connection(connection: Connection, reader: McapReader) -> Channel:
    kind = "" if connection.msgtype == _NO_SCHEMA else connection.msgtype
    record = reader.channels[connection.id]
    return Channel(
        connection.topic, kind, record.message_encoding, connection.msgdef.data,
        _FORMATS[connection.msgdef.format], _string_map(record.metadata).get(_TYPE_HASH, ""),
    )  # fmt: skip


def _of_record(record: McapChannel, schema: Schema | None) -> Channel:
    type_hash = record.metadata.get(_TYPE_HASH, "")
    if schema is None:
        return Channel(record.topic, "", record.message_encoding, type_hash=type_hash)
    text, known = schema.data.decode(errors="replace"), _ENCODINGS.get(schema.encoding, "")
    return Channel(
        record.topic, schema.name, record.message_encoding, text if known else "", known,
        type_hash,
    )  # fmt: skip


def _string_map(data: bytes) -> dict[str, str]:
    """Return the entries of a serialised map of strings, as MCAP has it."""
    strings, place = [], 0
    while place + 4 <= len(data):
        (length,) = struct.unpack_from("<I", data, place)
        strings.append(data[place + 4 : place + 4 + length].decode(errors="replace"))
        place += 4 + length
    return dict(zip(strings[::2], strings[1::2], strict=False))


def _largest_record() -> int | None:
    """Return the largest record that is read [bytes]; None for any."""
    return None if math.isinf(limit := size_limit()) else int(limit)
