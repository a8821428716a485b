"""Bags as other recorders leave them, written byte by byte, for the tests of bags."""

import json
import sqlite3
from pathlib import Path

import numpy as np
from bags import HOME, ROBOT, typestore
from mcap.writer import Writer

BEGIN = 1_700_000_000 * 10**9
STRING, JOINTS = "std_msgs/msg/String", "sensor_msgs/msg/JointState"
STATES = 50
"""Joint states of a bag."""
_QOS = (
    "- history: 3\n  depth: 0\n  reliability: {}\n  durability: 2\n"
    + "".join(f"  {name}:\n    sec: 9223372036\n    nsec: 854775807\n" for name in (
        "deadline", "lifespan", "liveliness_lease_duration"))
    + "  liveliness: 1\n  avoid_ros_namespace_conventions: false"
)  # fmt: skip


def rows(store=None):
    """Return (topic, type, time [ns], bytes) of one instruction and of a second's joint states."""
    store = store or typestore()
    made = store.types
    found = [("/instruction", STRING, BEGIN, made[STRING](data="pick up the red cube"))]
    for number in range(STATES):
        at = BEGIN + number * 20_000_000
        stamp = made["builtin_interfaces/msg/Time"](sec=at // 10**9, nanosec=at % 10**9)
        header = made["std_msgs/msg/Header"](stamp=stamp, frame_id="")
        names, position = [*ROBOT.joint_names, ROBOT.gripper.joint], np.r_[HOME, 0.04]
        empty = np.zeros(0)
        state = made[JOINTS](
            header=header, name=names, position=position, velocity=empty, effort=empty
        )
        found.append(("/joint_states", JOINTS, at, state))
    return [(t, k, at, bytes(store.serialize_cdr(m, k))) for t, k, at, m in found]


def metadata(folder, storage, files, given, reliability=1, hashes=None, distro=None, **more):
    """Write a `metadata.yaml` that counts the given rows."""
    kinds = {topic: kind for topic, kind, *_ in given}
    topics = [
        {
            "topic_metadata": {
                "name": topic, "type": kind, "serialization_format": "cdr",
                "offered_qos_profiles": _QOS.format(reliability),
                **({"type_description_hash": hashes[topic]} if hashes else {}),
            },
            "message_count": sum(row[0] == topic for row in given),
        }
        for topic, kind in kinds.items()
    ]  # fmt: skip
    about = {
        "version": 5, "storage_identifier": storage, "relative_file_paths": files,
        "duration": {"nanoseconds": 10**9}, "message_count": len(given),
        "starting_time": {"nanoseconds_since_epoch": BEGIN},
        "topics_with_message_count": topics, "compression_format": "", "compression_mode": "",
        **({"ros_distro": distro} if distro else {}), **more,
    }  # fmt: skip
    text = json.dumps({"rosbag2_bagfile_information": about})  # JSON is YAML
    (folder / "metadata.yaml").write_text(text)


def sqlite_file(path: Path, given, schema=3, distro="humble", hashes=None, journal="", keep=False):
    """Write a .db3 file; with `keep` the database is returned open, as a killed recorder's is."""
    database = sqlite3.connect(path)
    if journal:
        database.execute(f"PRAGMA journal_mode={journal}")
        database.execute("PRAGMA wal_autocheckpoint=0")
    if schema >= 3:
        database.execute("CREATE TABLE schema(schema_version INTEGER, ros_distro TEXT)")
        database.execute("INSERT INTO schema VALUES(?, ?)", (schema, distro))
    more = [", offered_qos_profiles TEXT"] * (schema >= 2)
    more += [", type_description_hash TEXT"] * (schema >= 4)
    database.execute(
        "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, "
        f"serialization_format TEXT{''.join(more)})"
    )
    if schema >= 4:
        database.execute(
            "CREATE TABLE message_definitions(id INTEGER PRIMARY KEY, topic_type TEXT, encoding "
            "TEXT, encoded_message_definition TEXT, type_description_hash TEXT)"
        )
    database.execute(
        "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, "
        "data BLOB)"
    )
    kinds = {topic: kind for topic, kind, *_ in given}
    ids = {topic: number for number, topic in enumerate(kinds, 1)}
    for topic, kind in kinds.items():
        row = [ids[topic], topic, kind, "cdr", *["[]"] * (schema >= 2)]
        row += [(hashes or {}).get(topic, "")] * (schema >= 4)
        database.execute(f"INSERT INTO topics VALUES({','.join('?' * len(row))})", row)
    database.commit()
    database.executemany(
        "INSERT INTO messages(topic_id, timestamp, data) VALUES(?, ?, ?)",
        [(ids[topic], at, data) for topic, _, at, data in given],
    )
    database.commit()
    if keep:
        return database
    database.close()
    return None


def mcap_file(
    path: Path, given, store=None, definitions=True, stranger=False, hashes=None, **options
):
    """Write an MCAP file; with `stranger` a channel without a schema is in it."""
    store = store or typestore()
    with path.open("wb") as file:
        writer, ids = Writer(file, **options), {}
        writer.start("ros2", "test")
        for topic, kind in {topic: kind for topic, kind, *_ in given}.items():
            text = store.generate_msgdef(kind, ros_version=2)[0] if definitions else ""
            schema = writer.register_schema(kind, "ros2msg" if text else "", text.encode())
            about = {"offered_qos_profiles": _QOS.format(1)}
            about |= {"topic_type_hash": hashes[topic]} if hashes else {}
            ids[topic] = writer.register_channel(topic, "cdr", schema, about)
        if stranger:
            other = writer.register_channel("/notes", "json", 0)
            writer.add_message(other, BEGIN, b"{}", BEGIN)
        for topic, _, at, data in given:
            writer.add_message(ids[topic], at, data, at)
        writer.finish()
