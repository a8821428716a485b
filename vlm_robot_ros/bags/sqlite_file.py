"""One SQLite file of a bag, of any distribution from Dashing on; also of a killed recorder."""

import shutil
import sqlite3
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from vlm_robot_ros.bags.storage import Channel, RawMessage, private_folder

_JOURNALS = ("-wal", "-journal")
"""Ends of the names of files with what a killed recorder had not yet put into the database."""


class SqliteFile:
    """See `StorageFile`."""

    def __init__(self, path: Path) -> None:
        """Read the topics, and count the messages."""
        self.path = self._content = path
        self.channels: list[Channel] = []
        self.counts: Counter[str] = Counter()
        self.start, self.end = 0, 0
        self.distro = self.problem = ""
        self._by_id: dict[int, Channel] = {}
        self._ordered = True
        self._lost = 0
        self._apply_journal()
        self._cut_off = _is_cut_off(self._content)
        if self._cut_off:
            self.problem = f"'{path.name}' is cut off"
        try:
            with closing(self._connect()) as database:
                self._read_topics(database)
                if not self.problem:
                    self._count(database)
        except sqlite3.Error as error:
            self.problem = f"'{path.name}' is cut off or corrupt: {error}"
        if self.problem:
            self._count_readable_rows()
        elif self._lost:
            self.problem = f"{self._lost} messages in '{path.name}' belong to no topic"

    def raw(self, topics: set[str] | None, first: int, last: int) -> Iterator[RawMessage]:
        """Return the messages of some topics, or of all, of a time range [ns]."""
        wanted = [n for n, each in self._by_id.items() if topics is None or each.topic in topics]
        marks = ",".join("?" * len(wanted))
        # A corrupt file is read in the order in which it was written: to sort, SQLite would have
        # to read all of it.
        query = (
            "SELECT topic_id, timestamp, data FROM messages WHERE "
            f"topic_id IN ({marks}) AND timestamp BETWEEN ? AND ? "
            f"ORDER BY {'timestamp, id' if self._ordered else 'id'}"
        )
        try:
            with closing(self._connect()) as database:
                for number, time, data in database.execute(query, (*wanted, first, last)):
                    yield RawMessage(self._by_id[number], time, bytes(data))
        except (sqlite3.Error, TypeError, ValueError) as error:
            if self._ordered:
                raise
            self.problem = f"'{self.path.name}' is cut off or corrupt: {error}"

    def _apply_journal(self) -> None:
        """Let SQLite take in, in a copy, what lies beside the file of a killed recorder."""
        beside = [self.path.with_name(self.path.name + end) for end in _JOURNALS]
        beside = [file for file in beside if file.is_file() and file.stat().st_size]
        if not beside:
            return
        folder = private_folder()
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        for file in (self.path, *beside):
            shutil.copyfile(file, folder / file.name)
        self._content = folder / self.path.name
        try:
            with closing(sqlite3.connect(self._content)) as database:
                database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error:  # read as it is then
            self._content = self.path

    def _connect(self) -> sqlite3.Connection:
        address = f"file:{quote(str(self._content.resolve()))}?mode=ro&immutable=1"
        database = sqlite3.connect(address, uri=True)
        if self._cut_off:
            # Else SQLite refuses a file that is shorter than its header says.
            database.execute("PRAGMA writable_schema=ON")
        database.text_factory = lambda text: text.decode(errors="replace")
        return database

    def _read_topics(self, database: sqlite3.Connection) -> None:
        definitions: dict[str, tuple[str, str]] = {}
        if _columns(database, "message_definitions"):  # from Iron on
            rows = database.execute(
                "SELECT topic_type, encoded_message_definition, encoding FROM message_definitions"
            )
            definitions = {kind: (text, form) for kind, text, form in rows}
        if "ros_distro" in _columns(database, "schema"):
            row = database.execute("SELECT ros_distro FROM schema").fetchone()
            self.distro = str(row[0]) if row else ""
        has_hash = "type_description_hash" in _columns(database, "topics")
        rows = database.execute(
            "SELECT id, name, type, serialization_format, "
            f"{'type_description_hash' if has_hash else 'NULL'} FROM topics ORDER BY id"
        )
        for number, topic, kind, encoding, type_hash in rows:
            text, form = definitions.get(kind, ("", ""))
            self._by_id[number] = Channel(topic, kind, encoding, text, form, type_hash or "")
        self.channels = list(self._by_id.values())

    def _count(self, database: sqlite3.Connection) -> None:
        rows = database.execute(
            "SELECT topic_id, count(*), min(timestamp), max(timestamp) FROM messages "
            "GROUP BY topic_id"
        )
        times: list[int] = []
        lost = 0
        for number, count, first, last in rows:
            if number in self._by_id:
                self.counts[self._by_id[number].topic] += count
                times += [first, last]
            else:
                lost += count
        if times:
            self.start, self.end = min(times), max(times)
        self._lost = lost

    def _count_readable_rows(self) -> None:
        self._ordered = False
        self.counts.clear()
        times = []
        for raw in self.raw(None, 0, 2**63 - 1):
            self.counts[raw.channel.topic] += 1
            times.append(raw.time)
        if times:
            self.start, self.end = min(times), max(times)


def _is_cut_off(path: Path) -> bool:
    """Tell whether a database file is shorter than its header says."""
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100:
        return True
    page, change, pages = (
        int.from_bytes(header[a:b], "big") for a, b in ((16, 18), (24, 28), (28, 32))
    )
    # The number of pages counts only if it was written with the last change.
    known = pages and change == int.from_bytes(header[92:96], "big")
    return bool(known and path.stat().st_size < pages * (65536 if page == 1 else page))


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    """Return the names of a table's columns; none if there is no such table."""
    return {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
