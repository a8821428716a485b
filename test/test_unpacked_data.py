"""Datasets and bags that unpack to far more than their size are refused in little memory."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from bags import BagWriter, moving_bag
from hostile import large_png, laughing_yaml, mcap_of, run_with_little_memory

from vlm_robot_ros.bags.bag import Bag, BagError
from vlm_robot_ros.bags.bag_files import check_compressed_file, check_message
from vlm_robot_ros.data.dataset import DataError, open_data_folder
from vlm_robot_ros.file_limits import LIMIT_VARIABLE, FileLimitError

DATA = Path(__file__).parent / "data"
OLD, NEW = DATA / "lerobot_v2", DATA / "lerobot_v3"
RLDS = DATA / "rlds" / "tiny_bridge" / "1.0.0"


@pytest.fixture
def limit(monkeypatch):
    """Return a function that sets the limit [MiB]."""
    return lambda size: monkeypatch.setenv(LIMIT_VARIABLE, str(size))


_READ = """
import sys
from vlm_robot_ros.data.formats.parquet_rows import read_rows
try:
    print(len(read_rows(__import__("pathlib").Path(sys.argv[1]), None, None)))
except ValueError as error:
    print(error)
"""


@pytest.mark.long
def test_a_parquet_dictionary_that_stands_for_terabytes_is_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    file, count = tmp_path / "a.parquet", 2_000_000
    image = pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), pa.array([b"x" * 10**6]))
    parquet.write_table(
        pa.table({"episode_index": np.zeros(count, int), "image": image}), file, store_schema=False
    )
    assert file.stat().st_size < 10**6
    done = run_with_little_memory(_READ, file, limit="512", memory=3 * 2**30)
    assert "a.parquet' unpacks to" in done.stdout, done.stderr


def test_parquet_columns_that_declare_too_many_values_are_refused(tmp_path, limit):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    from vlm_robot_ros.data.formats.parquet_rows import read_rows

    file = tmp_path / "a.parquet"
    lists = pa.ListArray.from_arrays([0, 4_000_000], pa.array(np.zeros(4_000_000, np.float32)))
    parquet.write_table(pa.table({"state": lists}), file)
    assert file.stat().st_size < 10**6
    limit(16)
    with pytest.raises(FileLimitError, match="unpacks to"):
        read_rows(file)


def test_rows_are_those_that_pyarrow_reads(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    from vlm_robot_ros.data.formats.parquet_rows import column_names, read_rows

    file = tmp_path / "a.parquet"
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "episode_index": np.repeat(np.arange(100), 30),
            "state": list(rng.normal(size=(3000, 4)).astype(np.float32)),
            "image": [{"bytes": bytes(rng.integers(0, 256, 50, np.uint8)), "path": "x"}] * 3000,
            "left": np.arange(3000),
        }
    )
    parquet.write_table(table, file, row_group_size=700)
    assert column_names(file) == ["episode_index", "state", "image", "left"]
    wanted = ["state", "image", "none"]
    there = parquet.read_table(
        file, columns=["state", "image"], filters=[("episode_index", "==", 47)]
    )
    assert read_rows(file, wanted, ("episode_index", 47)) == there.to_pylist()
    assert read_rows(file) == table.to_pylist()


# -- Images and videos ---------------------------------------------------------------------------


def with_images(tmp_path, content):
    """Write a dataset whose first episode has an image file's content in each frame."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    made = tmp_path / "set"
    shutil.copytree(OLD, made)
    file = made / "data" / "chunk-000" / "episode_000000.parquet"
    table = parquet.read_table(file)
    index = table.schema.get_field_index("observation.images.front")
    cells = pa.array(
        [{"bytes": content, "path": None}] * len(table), table.schema.field(index).type
    )
    parquet.write_table(table.set_column(index, "observation.images.front", cells), file)
    return made


def test_an_image_with_huge_dimensions_is_refused_before_it_is_decoded(tmp_path):
    made = with_images(tmp_path, large_png(12_000, 9_000))
    with pytest.raises(DataError, match=r"12000x9000; valid: 1x1 to 8192x8192"):
        open_data_folder(made).episode(0)


def test_the_images_of_an_episode_are_added_up(tmp_path, limit):
    made = with_images(tmp_path, large_png(1_000, 1_000))
    limit(7)
    with pytest.raises(DataError, match="episode 0 unpacks to"):
        open_data_folder(made).episode(0)
    limit(64)
    assert len(open_data_folder(made).episode(0).images["observation.images.front"]) == 4


def test_the_frames_of_a_video_are_added_up(limit):
    data = open_data_folder(NEW)
    assert len(data.episode(2).action) == 6
    limit(0.1)
    with pytest.raises(DataError, match="episode 2 unpacks to"):
        data.episode(2)


def test_a_playlist_in_place_of_a_video_is_not_followed(tmp_path):
    made = tmp_path / "set"
    shutil.copytree(NEW, made)
    video = next(made.glob("videos/*/*/*.mp4"))
    whole = tmp_path / "whole.mp4"
    shutil.copy(video, whole)
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n"
    video.write_text(f"{head}{whole}\n#EXT-X-ENDLIST\n")
    with pytest.raises(DataError, match="cannot be read"):
        open_data_folder(made).episode(0)


# -- RLDS ----------------------------------------------------------------------------------------


def test_a_record_of_more_numbers_than_the_limit_is_refused(tmp_path, limit):
    from vlm_robot_ros.data.formats.tfrecord import _EXAMPLE, read_example

    example = _EXAMPLE()
    example.features.feature["steps/action"].int64_list.value.extend([0] * 2_000_000)
    file = tmp_path / "a.tfrecord"
    file.write_bytes(example.SerializeToString())
    assert file.stat().st_size < 2_100_000
    limit(32)
    with pytest.raises(DataError, match="unpacks to"):
        read_example(file, 0, file.stat().st_size)
    limit(8)
    with pytest.raises(DataError, match="unpacks to"):
        read_example(file, 0, file.stat().st_size)


@pytest.mark.parametrize("shape", [["4294967296", "4294967296"], ["9" * 300]])
def test_shapes_that_overflow_are_no_match_for_the_records(tmp_path, shape):
    made = tmp_path / "set"
    shutil.copytree(RLDS, made)
    path = made / "features.json"
    features = json.loads(path.read_text())
    steps = features["featuresDict"]["features"]["steps"]["sequence"]["feature"]
    steps["featuresDict"]["features"]["action"] = {
        "tensor": {"shape": {"dimensions": shape}, "dtype": "float32", "encoding": "none"}
    }
    path.write_text(json.dumps(features))
    with pytest.raises(DataError):
        open_data_folder(made).table(0)


def test_features_nested_deep_are_refused(tmp_path):
    made = tmp_path / "set"
    shutil.copytree(RLDS, made)
    deep = '{"featuresDict": {"features": {"a": ' * 300 + "{}" + "}}}" * 300
    (made / "features.json").write_text(deep)
    with pytest.raises(DataError, match="nested deeper"):
        open_data_folder(made)


def test_the_images_of_an_rlds_episode_are_added_up(limit):
    data = open_data_folder(RLDS)
    assert len(data.episode(2).action) == 5
    limit(0.05)
    with pytest.raises(DataError, match="of one episode unpacks to"):
        data.episode(2)


# -- Bags ----------------------------------------------------------------------------------------

_OPEN = """
import sys
from pathlib import Path
from vlm_robot_ros.bags.bag import Bag
try:
    print(Bag(Path(sys.argv[1])).counts)
except ValueError as error:
    print(error)
"""
_LARGE = 3 * 2**30


def zstd_of(size, known):
    """Return zeros compressed by zstd, with or without their size in the frame's header."""
    from backports import zstd

    made = io.BytesIO()
    with zstd.open(made, "wb") as file:
        for _ in range(size // 2**20):
            file.write(bytes(2**20))
    if not known:
        return made.getvalue()
    return zstd.compress(bytes(size))


def lz4_of(size):
    """Return zeros compressed by lz4."""
    import lz4.frame

    made = io.BytesIO()
    with lz4.frame.open(made, "wb") as file:
        for _ in range(size // 2**20):
            file.write(bytes(2**20))
    return made.getvalue()


@pytest.mark.long
@pytest.mark.parametrize("compression", ["zstd", "lz4"])
@pytest.mark.parametrize("declared", [100, _LARGE])
def test_a_chunk_that_unpacks_to_gigabytes_is_refused(tmp_path, compression, declared):
    data = zstd_of(_LARGE, False) if compression == "zstd" else lz4_of(_LARGE)
    file = tmp_path / "a.mcap"
    file.write_bytes(mcap_of(compression, data, declared))
    assert file.stat().st_size < 20_000_000
    done = run_with_little_memory(_OPEN, file, limit="512", memory=2 * 2**30, seconds=120)
    assert "is not read: a chunk of" in done.stdout, (done.stdout, done.stderr)


def test_a_chunk_that_hides_a_second_frame_is_refused(tmp_path):
    data = zstd_of(2**20, True) + zstd_of(2**25, True)
    file = tmp_path / "a.mcap"
    file.write_bytes(mcap_of("zstd", data, 2**20))
    with pytest.raises(BagError, match=r"unpacks to 34603008 bytes; it declares 1048576"):
        Bag(file)


def test_a_bag_that_is_compressed_as_a_whole_is_refused_by_its_size(tmp_path, limit):
    for known in (True, False):
        (tmp_path / "a.db3.zstd").write_bytes(zstd_of(2**26, known))
        limit(32)
        with pytest.raises(FileLimitError, match="unpacks to"):
            check_compressed_file(tmp_path / "a.db3.zstd")
        limit(128)
        check_compressed_file(tmp_path / "a.db3.zstd")


def test_messages_that_are_compressed_each_are_refused_by_their_size(tmp_path, limit):
    from backports import zstd
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

    writer = Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.SQLITE3)
    writer.set_compression(CompressionMode.MESSAGE, CompressionFormat.ZSTD)
    writer.open()
    store = BagWriter(tmp_path / "types")._store
    to = writer.add_connection("/words", "std_msgs/msg/String", typestore=store)
    text = store.types["std_msgs/msg/String"]("a" * 2**26)
    writer.write(to, 1, store.serialize_cdr(text, "std_msgs/msg/String"))
    writer.close()
    assert [len(each.value.data) for each in Bag(tmp_path / "bag").messages()] == [2**26]
    limit(32)
    with pytest.raises(BagError, match=r"a message on /words unpacks to"):
        list(Bag(tmp_path / "bag").messages())
    with pytest.raises(FileLimitError, match="it unpacks to"):
        check_message(zstd.compress(bytes(2**26)), "it")


def test_a_bag_whose_metadata_multiply_is_refused(tmp_path):
    moving_bag(tmp_path / "bag", 0.5)
    metadata = tmp_path / "bag" / "metadata.yaml"
    metadata.write_text(laughing_yaml() + metadata.read_text())
    with pytest.raises(BagError, match="with its aliases unpacks to"):
        Bag(tmp_path / "bag")


def test_a_whole_bag_is_read_below_the_limit_and_refused_above(tmp_path, limit):
    moving_bag(tmp_path / "bag", 2.0)
    limit(64)
    assert Bag(tmp_path / "bag").counts["/joint_states"] == 100
