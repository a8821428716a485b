"""A rosbag2, read without ROS: of any distribution, and as far as it goes where it is damaged."""

import json
import math
import struct
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from rosbags.typesys.store import Typestore

from vlm_robot_ros.bags.bag_files import check_bag_folder, check_mcap
from vlm_robot_ros.bags.split_files import find_split_files
from vlm_robot_ros.bags.storage import (
    Channel,
    RawMessage,
    channel_with_metadata,
    decompress_message,
    open_storage,
)
from vlm_robot_ros.bags.type_definitions import MessageTypes, UnknownTypeError, VersionError
from vlm_robot_ros.file_limits import FileLimitError

METADATA_TOPIC = "/recording"
"""Topic on which a recorder says once, as JSON, what made the recording."""
_SAMPLES = 200
"""Messages of a topic that tell the version of its type, where nothing else does."""
_ALWAYS = 2**63 - 1
"""The last time that a bag can hold [ns]."""


class BagError(ValueError):
    """A bag that cannot be read: says which and why."""


class Message(NamedTuple):
    """One message of a bag."""

    topic: str
    time: float
    """When it was recorded [s]."""
    value: Any
    """Decoded, its fields as in the message's definition."""


class Bag:
    """One bag: a folder of rosbag2, MCAP or SQLite, or a single file of it."""

    def __init__(self, path: Path) -> None:
        """Look into a bag.

        Raises:
            BagError: there is none, nothing in it can be read, or no message is in it.
        """
        self.path = path
        self._problems: dict[str, None] = {}
        try:
            if path.is_dir():
                check_bag_folder(path)
            elif path.suffix == ".mcap":
                check_mcap(path)
            parts = find_split_files(path)
            self._files = [open_storage(file) for file in parts.files]
        except FileLimitError as error:
            raise BagError(f"bag '{path}' is not read: {error}") from error
        except (OSError, ValueError) as error:
            raise BagError(str(error)) from error
        self._metadata = parts.metadata
        self._note(*parts.problems, *(file.problem for file in self._files))
        self.kinds: dict[str, str] = {}
        """Message type of each topic; empty where it is unknown."""
        counts: Counter[str] = Counter()
        for file in self._files:
            for channel in map(self._completed, file.channels):
                self.kinds[channel.topic] = channel.kind
            counts += file.counts
        if not counts:
            raise BagError(
                f"bag '{path}' has no message" + (f": {self.problem}" * bool(self.problem))
            )
        self.counts = {topic: counts[topic] for topic in self.kinds}
        """Messages on each topic."""
        filled = [file for file in self._files if file.counts]
        self.start = min(file.start for file in filled) * 1e-9
        """Time of the first message [s]."""
        self.end = max(file.end for file in filled) * 1e-9
        """Time of the last message [s]."""
        self._compare_counts()
        distros = [self._metadata.distro, *(file.distro for file in self._files)]
        self._types = MessageTypes(next(filter(None, distros), ""))
        self.unreadable: dict[str, str] = {}
        """Topics whose messages cannot be decoded, and why."""
        self._refused: dict[str, VersionError] = {}
        self._check_types()

    @property
    def problem(self) -> str:
        """What is wrong with the bag, although it can be read in part; empty if nothing is."""
        return "; ".join(self._problems)

    def messages(
        self,
        topics: Collection[str] | None = None,
        start: float = 0.0,
        stop: float = math.inf,
        stamps_of: Collection[str] = (),
    ) -> Iterator[Message]:
        """Return the messages of some topics or of all, in the order of recording.

        Messages of unknown types are left out; `unreadable` and `problem` name them.

        Args:
            topics: All if not given.
            start: When the first of them was recorded at the earliest [s].
            stop: When the last was, at the latest [s].
            stamps_of: Topics of messages that begin with a header, of which only the stamp is
                wanted: the value is that [s]. Images are large.

        Raises:
            BagError: a message of an undamaged bag does not fit its definition, or the version
                of the type of one of the topics cannot be told.
        """
        wanted = set(self.kinds) if topics is None else set(topics) & set(self.kinds)
        refused = wanted & set(self._refused) if topics is not None else set()
        for topic in sorted(refused):
            raise BagError(f"bag '{self.path}': {topic} is {self._refused[topic]}")
        wanted -= set(self.unreadable)
        first, last = int(start * 1e9), int(min(stop, 9e9) * 1e9)
        read: Counter[str] = Counter()
        damaged = any(file.problem for file in self._files)
        for raw in self._raw(wanted, first, last):
            topic = raw.channel.topic
            read[topic] += 1
            store = self._store(raw.channel)
            if store is None:
                continue
            try:
                stamp_only = topic in stamps_of
                value = (
                    _stamp(raw.data)
                    if stamp_only
                    else store.deserialize_cdr(raw.data, raw.channel.kind)
                )
            except Exception as error:  # rosbags raises what the bytes make it raise
                if damaged:
                    self._note(f"a message on {topic} is no {raw.channel.kind}")
                    continue
                raise BagError(
                    f"bag '{self.path}': a message on {topic} is no {raw.channel.kind}: {error!r}"
                ) from error
            yield Message(topic, raw.time * 1e-9, value)
        if start <= self.start and stop >= self.end:
            for topic in sorted(wanted):
                if read[topic] != self.counts[topic]:
                    self._note(f"{read[topic]} of {self.counts[topic]} messages on {topic} read")

    def metadata(self) -> dict[str, str]:
        """Return what the recorder has said of the recording; empty where it did not."""
        if METADATA_TOPIC not in self.kinds:
            return {}
        try:
            said = json.loads(next(self.messages([METADATA_TOPIC])).value.data)
            return {str(key): str(value) for key, value in said.items()}
        except BagError:
            raise
        except Exception as error:  # whatever it is, it is not what a recorder of ours says
            raise BagError(
                f"bag '{self.path}': {METADATA_TOPIC} is not JSON: {error!r}"
            ) from error

    def _note(self, *problems: str) -> None:
        self._problems.update(dict.fromkeys(filter(None, problems)))

    def _completed(self, channel: Channel) -> Channel:
        topic = channel.topic
        kinds, type_hashes = self._metadata.kinds, self._metadata.type_hashes
        return channel_with_metadata(channel, kinds.get(topic, ""), type_hashes.get(topic, ""))

    def _compare_counts(self) -> None:
        """Note where the files hold fewer messages, or more, than the recorder counted."""
        for topic, count in self._metadata.counts.items():
            found = self.counts.get(topic, 0)
            if found != count:
                self._note(
                    f"the files hold {found} messages on {topic}, metadata.yaml counts {count}"
                )

    def _check_types(self) -> None:
        """Find the types of all topics whose messages the bag does not define itself."""
        for file in self._files:
            for channel in map(self._completed, file.channels):
                if channel.definition and channel.encoding == "cdr":
                    continue  # parsed when it is needed: that takes its time
                if self.counts[channel.topic]:
                    self._store(channel)

    def _store(self, channel: Channel) -> Typestore | None:
        """Return the definitions of a channel's type; notes where there are none."""
        topic = channel.topic

        def samples() -> Iterator[bytes]:
            return (raw.data for raw in islice(self._raw({topic}, 0, _ALWAYS), _SAMPLES))

        try:
            return self._types.store(channel, samples)
        except (UnknownTypeError, VersionError) as error:
            if isinstance(error, VersionError):
                self._refused[topic] = error
            self.unreadable[topic] = str(error)
            self._note(f"{topic} is left out: {error}")
            return None

    def _raw(self, topics: set[str], first: int, last: int) -> Iterator[RawMessage]:
        """Return serialised messages, of channels that lack nothing `metadata.yaml` has."""
        if not topics:
            return
        for file in self._files:
            known = {channel: self._completed(channel) for channel in file.channels}
            found = file.raw(topics, first, last)
            while True:
                try:
                    raw = decompress_message(next(found))
                except StopIteration:
                    break
                except FileLimitError as error:
                    raise BagError(f"bag '{self.path}' is not read: {error}") from error
                except Exception as error:  # what the bytes make it raise
                    raise BagError(f"bag '{self.path}' is corrupt: {error!r}") from error
                yield raw._replace(channel=known.get(raw.channel, raw.channel))
            self._note(file.problem)


def _stamp(data: bytes) -> float:
    """Return the stamp of a serialised message that begins with a header [s].

    Four bytes tell the order of the rest (CDR); then come seconds and nanoseconds.
    """
    sec, nanosec = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return float(sec + nanosec * 1e-9)
