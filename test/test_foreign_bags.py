"""Bags of other recorders: without definitions, with edited metadata, killed, compressed."""

import shutil

import numpy as np
import pytest
import zstandard
from bags import HOME, moving_bag, typestore
from foreign_bags import BEGIN, STATES, mcap_file, metadata, rows, sqlite_file
from mcap.writer import CompressionType, IndexType

from vlm_robot_ros.bags.bag import Bag
from vlm_robot_ros.bags.recording import read_recording
from vlm_robot_ros.cli.main import main


def sqlite_of(schema, **options):
    def make(folder, given):
        sqlite_file(folder / "bag_0.db3", given, schema, **options)
        metadata(folder, "sqlite3", ["bag_0.db3"], given)

    return make


def mcap_of(reliability=1, **options):
    def make(folder, given):
        mcap_file(folder / "bag_0.mcap", given, **options)
        metadata(folder, "mcap", ["bag_0.mcap"], given, reliability)

    return make


def compressed_by_message(folder, given):
    data = [(*row[:3], zstandard.compress(row[3])) for row in given]
    sqlite_file(folder / "bag_0.db3", data)
    more = {"compression_format": "zstd", "compression_mode": "MESSAGE"}
    metadata(folder, "sqlite3", ["bag_0.db3"], given, **more)


def compressed_by_file(folder, given):
    sqlite_file(folder / "bag_0.db3", given)
    content = (folder / "bag_0.db3").read_bytes()
    (folder / "bag_0.db3.zstd").write_bytes(zstandard.compress(content))
    (folder / "bag_0.db3").unlink()
    more = {"compression_format": "zstd", "compression_mode": "FILE"}
    metadata(folder, "sqlite3", ["bag_0.db3.zstd"], given, **more)


COMPLETE = {
    "Eloquent's sqlite": sqlite_of(1),
    "Foxy's sqlite": sqlite_of(2),
    "Humble's sqlite": sqlite_of(3),
    "Iron's sqlite without definitions": sqlite_of(4, distro="iron"),
    "MCAP": mcap_of(),
    "MCAP without definitions": mcap_of(definitions=False),
    "MCAP whose metadata has another QoS": mcap_of(reliability=2),
    "MCAP without chunks": mcap_of(use_chunking=False),
    "MCAP without an index of messages": mcap_of(
        index_types=IndexType.CHUNK | IndexType.ATTACHMENT
    ),
    "MCAP compressed with LZ4": mcap_of(compression=CompressionType.LZ4),
    "sqlite with compressed messages": compressed_by_message,
    "compressed sqlite": compressed_by_file,
}


@pytest.mark.parametrize("name", COMPLETE)
def test_every_message_of_a_complete_bag_is_read_and_nothing_is_complained_of(tmp_path, name):
    folder = tmp_path / "bag"
    folder.mkdir()
    COMPLETE[name](folder, rows())
    recording = read_recording(folder)
    assert [text for _, text in recording.instructions] == ["pick up the red cube"]
    assert len(recording.joints) == STATES
    assert np.allclose(recording.joints, HOME)
    assert recording.bag.counts == {"/instruction": 1, "/joint_states": STATES}
    assert recording.bag.start == pytest.approx(BEGIN * 1e-9)
    assert recording.bag.end - recording.bag.start == pytest.approx(0.98, abs=1e-6)
    assert recording.bag.problem == ""


# -- Recorders that did not finish ---------------------------------------------------------------


@pytest.mark.parametrize("schema", [2, 3, 4])
def test_a_killed_sqlite_recorder_without_metadata_is_read(tmp_path, schema, capsys):
    folder = tmp_path / "session"
    folder.mkdir()
    sqlite_file(folder / "session_0.db3", rows(), schema)
    recording = read_recording(folder)
    assert len(recording.joints) == STATES
    assert "metadata.yaml is missing" in recording.bag.problem
    page = str(tmp_path / "page.html")
    assert main(["bag", "report", str(folder), "--out", page]) == 0
    assert "metadata.yaml is missing" in capsys.readouterr().err
    assert main(["bag", "report", str(folder / "session_0.db3"), "--out", page]) == 0


def test_what_a_killed_sqlite_recorder_left_in_its_journal_is_read(tmp_path):
    killed, folder = tmp_path / "killed", tmp_path / "bag"
    killed.mkdir()
    database = sqlite_file(killed / "bag_0.db3", rows(), journal="WAL", keep=True)
    shutil.copytree(killed, folder)  # as kill -9 leaves it: most is in the journal
    database.close()
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert any(name.endswith("-wal") and data for name, data in before.items())
    assert len(read_recording(folder).joints) == STATES
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_cut_off_sqlite_file_is_read_as_far_as_it_goes(tmp_path, part):
    sqlite_file(tmp_path / "bag.db3", rows() * 10)
    data = (tmp_path / "bag.db3").read_bytes()
    (tmp_path / "bag.db3").write_bytes(data[: int(part * len(data))])
    bag = Bag(tmp_path / "bag.db3")
    read = sum(1 for _ in bag.messages())
    assert 0 < read < 10 * (STATES + 1)
    assert "cut off" in bag.problem


def test_a_sqlite_file_without_tables_is_refused_by_name(tmp_path, capsys):
    (tmp_path / "bag.db3").write_bytes(b"SQLite format 3\0" + bytes(500))
    page = str(tmp_path / "page.html")
    assert main(["bag", "report", str(tmp_path / "bag.db3"), "--out", page]) == 2
    error = capsys.readouterr().err
    assert "bag.db3' has no message" in error
    assert "Traceback" not in error


# -- Counts and parts ----------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_messages_that_metadata_counts_and_the_files_lack_are_named(tmp_path, storage):
    given = rows()
    if storage == "mcap":
        mcap_file(tmp_path / "bag_0.mcap", given[:-5])
    else:
        sqlite_file(tmp_path / "bag_0.db3", given[:-5])
    end = {"mcap": "mcap", "sqlite3": "db3"}[storage]
    metadata(tmp_path, storage, [f"bag_0.{end}"], given)
    problem = Bag(tmp_path).problem
    assert f"hold {STATES - 5} messages on /joint_states, metadata.yaml counts {STATES}" in problem


@pytest.fixture
def split(tmp_path):
    """A bag of three parts of which the middle one is lost."""
    whole, folder = tmp_path / "whole", tmp_path / "bags" / "bag"
    moving_bag(whole, seconds=6.0)
    folder.mkdir(parents=True)
    store = typestore()
    bag = Bag(whole)
    given = [(m.topic, bag.kinds[m.topic], round(m.time * 1e9), m.value) for m in bag.messages()]
    given = [(t, k, at, bytes(store.serialize_cdr(_into(store, v), k))) for t, k, at, v in given]
    third = len(given) // 3
    for number, part in enumerate((given[:third], given[third : 2 * third], given[2 * third :])):
        mcap_file(folder / f"bag_{number}.mcap", part)
    metadata(folder, "mcap", [f"bag_{number}.mcap" for number in range(3)], given)
    (folder / "bag_1.mcap").unlink()
    return folder


def _into(store, value):
    """Return a message as one of another store's classes."""
    if isinstance(value, list):
        return [_into(store, each) for each in value]
    if not hasattr(value, "__msgtype__"):
        return value
    names = value.__dataclass_fields__
    fields = {n: _into(store, getattr(value, n)) for n in names if n != "__msgtype__"}
    return store.types[value.__msgtype__](**fields)


COMMANDS = {
    "report": lambda bag, out: ["bag", "report", bag, "--out", f"{out}/page.html"],
    "replay": lambda bag, out: ["bag", "replay", bag, "--policy", "odd_policies:Own"],
    "convert": lambda bag, out: ["bag", "convert", bag, "--out", f"{out}/made"],
    "convert in processes": lambda bag, out: [
        "bag", "convert", bag, f"{out}/whole", "--out", f"{out}/made", "--workers", "2"
    ],
    "inspect": lambda bag, out: ["data", "inspect", bag, "--out", f"{out}/x.png"],
    "teach": lambda bag, out: ["learn-words", bag, "--out", f"{out}/taught"],
    "view": lambda bag, out: ["rerun", bag, "--out", f"{out}/x.rrd"],
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("named", ["metadata", "numbers"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_names_the_missing_part_of_a_split_bag(
    split, tmp_path, capsys, command, named
):
    if command == "view":
        pytest.importorskip("rerun")
    if named == "numbers":
        (split / "metadata.yaml").unlink()
    assert main(COMMANDS[command](str(split), tmp_path)) in (0, 1)  # 1: teach learned nothing
    said = "".join(capsys.readouterr())
    assert "parts of the bag are missing: bag_1.mcap" in said
    assert "Traceback" not in said


def test_a_part_that_metadata_does_not_name_is_named(tmp_path):
    mcap_file(tmp_path / "bag_0.mcap", rows())
    mcap_file(tmp_path / "bag_1.mcap", rows())
    metadata(tmp_path, "mcap", ["bag_0.mcap"], rows())
    bag = Bag(tmp_path)
    assert bag.counts["/joint_states"] == STATES
    assert "not read, since metadata.yaml lacks it: bag_1.mcap" in bag.problem
