"""Message types of bags: unknown ones, and every version of our own."""

from pathlib import Path

import numpy as np
import pytest
from bags import typestore
from foreign_bags import BEGIN, STATES, mcap_file, metadata, rows, sqlite_file
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from vlm_robot_ros.bags.bag import Bag, BagError
from vlm_robot_ros.bags.recording import read_recording
from vlm_robot_ros.bags.type_definitions import package_message_versions, type_hash

ROOT = Path(__file__).parents[1]
DESCRIPTOR = "rcl_interfaces/msg/ParameterDescriptor"
SIM_STATE = "vlm_robot_ros/msg/SimState"


def test_a_channel_without_a_schema_costs_no_other_channel(tmp_path):
    mcap_file(tmp_path / "bag.mcap", rows(), stranger=True)
    recording = read_recording(tmp_path / "bag.mcap")
    assert len(recording.joints) == STATES
    assert "/notes is left out: encoding json, type unknown" in recording.bag.problem


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_only_unknown_types_are_named_and_the_rest_is_read(tmp_path, storage):
    given = [*rows(), ("/theirs", "their_msgs/msg/Force", BEGIN, b"\0\1\0\0" + bytes(8))]
    if storage == "mcap":
        store = typestore()
        store.register(get_types_from_msg("float64 x", "their_msgs/msg/Force"))
        mcap_file(tmp_path / "bag_0.mcap", given, store, definitions=False)
    else:
        sqlite_file(tmp_path / "bag_0.db3", given)
    bag = Bag(next(tmp_path.iterdir()))
    assert sum(1 for _ in bag.messages()) == STATES + 1
    assert list(bag.unreadable) == ["/theirs"]
    assert bag.problem == (
        "/theirs is left out: their_msgs/msg/Force, which the bag does not define"
    )


def test_a_bag_of_unknown_types_only_is_refused_by_their_names(tmp_path):
    given = [("/action", "their_msgs/msg/Act", BEGIN, b"\0\1\0\0" + bytes(8))]
    sqlite_file(tmp_path / "bag.db3", given)
    with pytest.raises(BagError, match=r"can be read: /action is left out: their_msgs/msg/Act"):
        read_recording(tmp_path / "bag.db3")


def test_types_that_are_defined_in_idl_are_read(tmp_path):
    from mcap.writer import Writer

    text = (
        "=" * 80 + "\nIDL: their_msgs/msg/Force\nmodule their_msgs { module msg {\n"
        "struct Force { double x; };\n}; };\n"
    )
    with (tmp_path / "bag.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start("ros2", "test")
        schema = writer.register_schema("their_msgs/msg/Force", "ros2idl", text.encode())
        channel = writer.register_channel("/force", "cdr", schema)
        data = b"\0\1\0\0" + np.float64(1.5).tobytes()
        writer.add_message(channel, BEGIN, data, BEGIN)
        writer.finish()
    assert [m.value.x for m in Bag(tmp_path / "bag.mcap").messages()] == [1.5]


def sim_state(version, objects=2):
    """Return a serialised SimState of one of its versions, and its type hash."""
    name, store = list(package_message_versions(SIM_STATE).items())[version]
    made = store.types
    point = made["geometry_msgs/msg/Point"](0.5, 0.25, 0.125)
    header = made["std_msgs/msg/Header"](made["builtin_interfaces/msg/Time"](7, 0), "base")
    fields = {
        "header": header, "seed": 3, "scene": 1, "objects": ["red cube"] * objects,
        "positions": [point] * objects, "tool": point, "joint_speed": 0.75,
    }  # fmt: skip
    if version:
        fields |= {"yaws": np.zeros(objects), "opening": 1.0}
    return bytes(store.serialize_cdr(made[SIM_STATE](**fields), SIM_STATE)), name


@pytest.mark.parametrize("objects", [0, 1, 2, 5])
@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("told_by", ["hash", "length", "hash of the channel", "definition"])
def test_every_version_of_our_messages_is_read(tmp_path, version, told_by, objects):
    data, name = sim_state(version, objects)
    given = [("/sim_state", SIM_STATE, BEGIN, data)]
    hashes = {"/sim_state": name}
    if told_by == "hash":
        sqlite_file(tmp_path / "bag_0.db3", given, 4, hashes=hashes)
    elif told_by == "length":
        sqlite_file(tmp_path / "bag_0.db3", given, 3)
    else:
        store = package_message_versions(SIM_STATE)[name]
        given_hashes = hashes if told_by != "definition" else None
        defined = told_by == "definition"
        mcap_file(tmp_path / "bag_0.mcap", given, store, defined, hashes=given_hashes)
    (message,) = Bag(next(tmp_path.iterdir())).messages(["/sim_state"])
    assert message.value.tool.x == 0.5
    assert message.value.joint_speed == 0.75
    assert len(message.value.objects) == objects


def test_a_hash_in_the_metadata_tells_the_version_too(tmp_path):
    data, name = sim_state(0)
    given = [("/sim_state", SIM_STATE, BEGIN, data)]
    mcap_file(tmp_path / "bag_0.mcap", given, definitions=False)
    metadata(tmp_path, "mcap", ["bag_0.mcap"], given, hashes={"/sim_state": name})
    (message,) = Bag(tmp_path).messages()
    assert message.value.joint_speed == 0.75


def test_a_version_that_is_unknown_is_refused_where_it_is_wanted_and_named_elsewhere(tmp_path):
    data, _ = sim_state(0)
    given = [*rows(), ("/sim_state", SIM_STATE, BEGIN, data)]
    sqlite_file(tmp_path / "bag.db3", given, 4, hashes={"/sim_state": "RIHS01_" + "0" * 64})
    bag = Bag(tmp_path / "bag.db3")
    with pytest.raises(BagError, match=r"/sim_state is .*SimState with the type hash RIHS01_000"):
        next(bag.messages(["/sim_state"]))
    assert len(read_recording(tmp_path / "bag.db3").joints) == STATES
    assert "/sim_state is left out" in bag.problem


def test_a_version_that_cannot_be_told_is_refused(tmp_path):
    store = get_typestore(Stores.ROS2_FOXY)
    fields = {"name": "x", "type": 1, "description": "", "additional_constraints": ""}
    message = store.types[DESCRIPTOR](
        **fields, read_only=True, floating_point_range=[], integer_range=[]
    )
    data = bytes(store.serialize_cdr(message, DESCRIPTOR))
    given = [("/about", DESCRIPTOR, BEGIN, data)]
    sqlite_file(tmp_path / "bag.db3", given, 2)
    with pytest.raises(BagError, match="2 of the 2 known versions fit its messages"):
        next(Bag(tmp_path / "bag.db3").messages(["/about"]))
    sqlite_file(tmp_path / "foxy.db3", given, 3, distro="foxy")
    (read,) = Bag(tmp_path / "foxy.db3").messages()
    assert not hasattr(read.value, "dynamic_typing")


@pytest.mark.parametrize("file", sorted((ROOT / "msg").glob("*.msg")), ids=lambda file: file.stem)
def test_the_newest_kept_version_of_a_message_is_the_one_that_is_built(file):
    kind = f"vlm_robot_ros/msg/{file.stem}"
    store = get_typestore(Stores.LATEST)
    for each in file.parent.glob("*.msg"):  # it may have others inside
        store.register(get_types_from_msg(each.read_text(), f"vlm_robot_ros/msg/{each.stem}"))
    newest = list(package_message_versions(kind))[-1]
    assert type_hash(store, kind) == newest, (
        f"{file.name} has changed: add it as the next version to bags/message_versions"
    )


def test_the_type_hashes_are_those_of_ros():
    import json

    from ament_index_python.packages import get_package_share_directory

    share = Path(get_package_share_directory("vlm_robot_ros"))
    found = {}
    for file in [*(share / "msg").glob("*.json"), *(share / "srv").glob("*.json")]:
        for each in json.loads(file.read_text())["type_hashes"]:
            found[each["type_name"]] = each["hash_string"]
    ours = {name for name in found if name.startswith("vlm_robot_ros/")}
    ours.remove("vlm_robot_ros/srv/ResetScene")  # of the service itself there are no messages
    assert len(ours) > 10
    for name in ours:
        assert list(package_message_versions(name))[-1] == found[name], name
