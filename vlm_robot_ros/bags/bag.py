"""A rosbag2, read without ROS: also one whose recorder was killed."""

import json
import math
import struct
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mcap.records import Channel, Schema
from mcap.records import Message as McapMessage
from mcap.stream_reader import StreamReader
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from vlm_robot_ros.bags.bag_files import check_bag_folder, check_mcap, check_message
from vlm_robot_ros.file_limits import FileLimitError, size_limit

ABOUT = "/recording"
"""Topic on which a recorder says once, as JSON, what made the recording."""


class BagError(ValueError):
    """A bag that cannot be read: says which and why."""


class Message(NamedTuple):
    """One message of a bag."""

    topic: str
    time: float
    """When it was recorded [s]."""
    value: Any
    """Decoded, its fields as in the message's definition."""


class _Raw(NamedTuple):
    topic: str
    kind: str
    definition: str
    time: int
    data: bytes


class Bag:
    """One bag: a folder of rosbag2, MCAP or SQLite, or a single MCAP file."""

    def __init__(self, path: Path) -> None:
        """Look into a bag.

        Raises:
            BagError: there is none, nothing in it can be read, or no message is in it.
        """
        self.path = path
        self.problem = ""
        """What is wrong with it, though it can be read; or nothing."""
        self._store = get_typestore(Stores.EMPTY)
        self._check(path)
        self._files = self._find(path)
        counts: Counter[str] = Counter()
        kinds: dict[str, str] = {}
        times: list[int] = []
        if self._whole:
            with Reader(path) as reader:
                for connection in reader.connections:
                    kinds[connection.topic] = connection.msgtype
                    counts[connection.topic] += connection.msgcount
                times = [reader.start_time, reader.end_time]
        else:
            for raw in self._salvage(None):
                kinds[raw.topic] = raw.kind
                counts[raw.topic] += 1
                times = [min([raw.time, *times]), max([raw.time, *times])]
        if not sum(counts.values()):
            raise BagError(
                f"bag '{path}' has no message" + (f": {self.problem}" * bool(self.problem))
            )
        self.kinds = kinds
        """Message type of each topic."""
        self.counts = dict(counts)
        """Messages on each topic."""
        self.start, self.end = (time * 1e-9 for time in times)
        """Of the recording [s]."""

    def messages(
        self,
        topics: Collection[str] | None = None,
        start: float = 0.0,
        stop: float = math.inf,
        stamps_of: Collection[str] = (),
    ) -> Iterator[Message]:
        """Return the messages of some topics or of all, in the order of recording.

        Args:
            topics: All if not given.
            start: When the first of them was recorded at the earliest [s].
            stop: When the last was, at the latest [s].
            stamps_of: Topics of messages that begin with a header, of which only the stamp is
                wanted: the value is that [s]. Pictures are large.

        Raises:
            BagError: a message does not fit its definition.
        """
        wanted = None if topics is None else set(topics)
        first, last = int(start * 1e9), int(min(stop, 9e9) * 1e9)
        for raw in self._raw(wanted, first, last) if self._whole else self._salvage(wanted):
            if not first <= raw.time <= last:
                continue
            try:
                value = _stamp(raw.data) if raw.topic in stamps_of else self._decode(raw)
            except Exception as error:  # rosbags raises what the bytes make it raise
                raise BagError(
                    f"bag '{self.path}': a message on {raw.topic} is no {raw.kind}: {error!r}"
                ) from error
            yield Message(raw.topic, raw.time * 1e-9, value)

    def _decode(self, raw: _Raw) -> Any:
        known = self._store.fielddefs
        if raw.kind not in known:
            found = get_types_from_msg(raw.definition, raw.kind)
            self._store.register({k: v for k, v in found.items() if k not in known})
        return self._store.deserialize_cdr(raw.data, raw.kind)

    def about(self) -> dict[str, str]:
        """Return what the recorder has said of the recording; empty where it did not."""
        if ABOUT not in self.kinds:
            return {}
        try:
            said = json.loads(next(self.messages([ABOUT])).value.data)
            return {str(key): str(value) for key, value in said.items()}
        except BagError:
            raise
        except Exception as error:  # whatever it is, it is not what a recorder of ours says
            raise BagError(f"bag '{self.path}': {ABOUT} is not JSON: {error!r}") from error

    def _check(self, path: Path) -> None:
        """Refuse files that are outside of the bag's folder or unpack to too much."""
        try:
            if path.is_dir():
                check_bag_folder(path)
            elif path.exists():
                check_mcap(path)
        except (FileLimitError, OSError) as error:
            raise BagError(f"bag '{path}' is not read: {error}") from error

    def _find(self, path: Path) -> list[Path]:
        """Return the MCAP files to salvage from; sets whether there is no need to."""
        self._whole = False
        if path.is_file():
            return [path]
        if not path.is_dir():
            raise BagError(f"no bag at '{path}'; valid: a rosbag2 folder, or an MCAP file")
        try:
            with Reader(path):
                self._whole = True
        except Exception as error:  # what the bytes make it raise
            self.problem = f"not finished ({error})"
        files = sorted(path.glob("*.mcap"), key=_place)
        if not self._whole and not files:
            raise BagError(f"no bag in '{path}': {self.problem}, and no MCAP file")
        return files

    def _raw(self, wanted: set[str] | None, first: int, last: int) -> Iterator[_Raw]:
        with Reader(self.path) as reader:
            chosen = [c for c in reader.connections if wanted is None or c.topic in wanted]
            found = reader.messages(chosen, first, last + 1) if chosen else iter(())
            self._check_messages(reader)
            while True:
                try:
                    connection, time, data = next(found)
                except StopIteration:
                    return
                except Exception as error:  # what the bytes make it raise
                    raise BagError(f"bag '{self.path}' is corrupt: {error!r}") from error
                definition = connection.msgdef.data
                yield _Raw(connection.topic, connection.msgtype, definition, time, bytes(data))

    def _check_messages(self, reader: Reader) -> None:
        """Refuse messages, each compressed by itself, that unpack to too much."""
        if reader.compression_mode != "message":
            return
        try:
            for storage in getattr(reader.storage, "storages", []):
                for _, _, data in storage.messages(storage.connections):
                    check_message(data, f"a message of bag '{self.path}'")
        except FileLimitError as error:
            raise BagError(str(error)) from error

    def _salvage(self, wanted: set[str] | None) -> Iterator[_Raw]:
        """Read from the beginning as far as it goes; the index at the end may be missing."""
        for file in self._files:
            schemas: dict[int, Schema] = {}
            channels: dict[int, Channel] = {}
            try:
                with file.open("rb") as stream:
                    for record in StreamReader(stream, record_size_limit=_largest()).records:
                        if isinstance(record, Schema):
                            schemas[record.id] = record
                        elif isinstance(record, Channel):
                            channels[record.id] = record
                        elif isinstance(record, McapMessage):
                            channel = channels[record.channel_id]
                            if wanted is None or channel.topic in wanted:
                                schema = schemas[channel.schema_id]
                                definition = schema.data.decode()
                                yield _Raw(
                                    channel.topic, schema.name, definition,
                                    record.log_time, record.data,
                                )  # fmt: skip
            except Exception as error:  # what the bytes make it raise
                self.problem = f"'{file.name}' ends in the midst of something ({error!r})"


def _largest() -> int | None:
    """Return the largest record that is read [bytes]; None for any."""
    return None if math.isinf(limit := size_limit()) else int(limit)


def _place(file: Path) -> tuple[str, int]:
    """Return what files are sorted by: split bags are numbered."""
    name, _, number = file.stem.rpartition("_")
    return (name, int(number)) if number.isdigit() else (file.stem, 0)


def _stamp(data: bytes) -> float:
    """Return the stamp of a serialised message that begins with a header [s].

    Four bytes tell the order of the rest (CDR); then come seconds and nanoseconds.
    """
    sec, nanosec = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return float(sec + nanosec * 1e-9)
