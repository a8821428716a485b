"""Files that a dataset or a bag names: below its folder, regular, and named without formats."""

import json
import os
import shutil
from pathlib import Path

import pytest
from bags import moving_bag

from vlm_robot_ros.bags.bag import Bag, BagError
from vlm_robot_ros.cli.main import main
from vlm_robot_ros.data.dataset import DataError, open_data_folder
from vlm_robot_ros.data.dataset_paths import file_below, files_below, fill_template
from vlm_robot_ros.file_limits import FileLimitError

DATA = Path(__file__).parent / "data"
LEROBOT, OLD = DATA / "lerobot_v3", DATA / "lerobot_v2"
RLDS = DATA / "rlds" / "tiny_bridge" / "1.0.0"


@pytest.fixture
def folder(tmp_path):
    """Return a dataset's folder with one file, next to a secret."""
    made = tmp_path / "set"
    made.mkdir()
    (made / "a.json").write_text("{}")
    (tmp_path / "secret").write_text("key")
    return made


@pytest.mark.parametrize(
    "name", ["../secret", "a/../../secret", "/etc/passwd", "", ".", "a\0b", "sub/../../secret"]
)
def test_names_that_leave_the_folder_are_refused(folder, name):
    with pytest.raises(FileLimitError, match="relative paths that stay below the folder"):
        file_below(folder, name)


def test_a_file_below_the_folder_is_found_also_through_links_within(folder, tmp_path):
    (folder / "b.json").symlink_to("a.json")
    (tmp_path / "link").symlink_to(folder)
    assert file_below(tmp_path / "link", "b.json").read_text() == "{}"


def test_links_out_of_the_folder_are_refused(folder, tmp_path):
    (folder / "b.json").symlink_to(tmp_path / "secret")
    (folder / "sub").symlink_to(tmp_path)
    for name in ("b.json", "sub/secret"):
        with pytest.raises(FileLimitError, match="outside of the dataset"):
            file_below(folder, name)
    with pytest.raises(FileLimitError, match="outside of the dataset"):
        files_below(folder, "*.json")


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_regular_file_is_refused(folder, kind):
    if kind == "pipe":
        os.mkfifo(folder / "x")
    elif kind == "folder":
        (folder / "x").mkdir()
    else:
        (folder / "x").symlink_to("/dev/zero")
    with pytest.raises(FileLimitError, match=r"not a regular file|outside of the dataset"):
        file_below(folder, "x")


def test_a_missing_file_is_missing(folder):
    with pytest.raises(FileNotFoundError):
        file_below(folder, "sub/none.json")


def test_a_snapshot_of_the_hugging_face_cache_is_read_through_its_links(tmp_path):
    cache = tmp_path / "datasets--tiny--tiny"
    snapshot = cache / "snapshots" / "0123abc"
    (cache / "blobs").mkdir(parents=True)
    for number, file in enumerate(path for path in LEROBOT.rglob("*") if path.is_file()):
        blob = cache / "blobs" / f"{number:040x}"
        shutil.copy(file, blob)
        link = snapshot / file.relative_to(LEROBOT)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    read, own = (open_data_folder(path).episode(3) for path in (snapshot, LEROBOT))
    assert (read.action == own.action).all()
    assert (
        read.images["observation.images.front"] == own.images["observation.images.front"]
    ).all()
    info = snapshot / "meta" / "info.json"
    info.unlink()
    (cache / "refs").write_text((LEROBOT / "meta" / "info.json").read_text())
    info.symlink_to(cache / "refs")  # next to blobs, not in it
    with pytest.raises(DataError, match="outside of the dataset"):
        open_data_folder(snapshot)


# -- Templates -----------------------------------------------------------------------------------


def test_placeholders_are_filled_as_lerobot_does():
    values = {"episode_chunk": 3, "episode_index": 42, "video_key": "observation.images.front"}
    template = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
    assert fill_template(template, values) == template.format(**values)


@pytest.mark.parametrize(
    "template",
    ["{index:>9999999999}", "{index.__class__}", "{index[0]}", "{index!r}", "{}", "{0}", "{",
     "{index:099999d}", "{index:{index}}"],
)  # fmt: skip
def test_other_formats_are_refused(template):
    with pytest.raises(FileLimitError, match="is not valid"):
        fill_template(template, {"index": 1})


# -- LeRobot and RLDS ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "template", "said"),
    [
        ("data_path", "../secret/{file_index:03d}.parquet", "relative paths that stay below"),
        ("data_path", "/etc/passwd", "relative paths that stay below"),
        ("data_path", "{chunk_index:9999999999}", "is not valid"),
        ("video_path", "../../{video_key}.mp4", "relative paths that stay below"),
        ("video_path", "{video_key.__class__}", "is not valid"),
    ],
)
def test_lerobot_templates_that_lead_elsewhere_are_refused(tmp_path, key, template, said):
    made = tmp_path / "set"
    shutil.copytree(LEROBOT, made)
    info = json.loads((made / "meta" / "info.json").read_text())
    (made / "meta" / "info.json").write_text(json.dumps({**info, key: template}))
    with pytest.raises(DataError, match=said):
        open_data_folder(made).episode(0)


@pytest.mark.parametrize("name", ["meta/info.json", "data/chunk-000/file-000.parquet"])
def test_lerobot_files_that_link_elsewhere_are_refused(tmp_path, name):
    made = tmp_path / "set"
    shutil.copytree(LEROBOT, made)
    (made / name).unlink()
    (made / name).symlink_to(LEROBOT / name)
    with pytest.raises(DataError, match="outside of the dataset"):
        open_data_folder(made).episode(0)


def test_lerobot_images_of_other_files_are_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    made = tmp_path / "set"
    shutil.copytree(OLD, made)
    file = made / "data" / "chunk-000" / "episode_000000.parquet"
    table = parquet.read_table(file)
    cells = [{"bytes": None, "path": "/etc/hostname"}] * len(table)
    kind = table.schema.field("observation.images.front").type
    index = table.schema.get_field_index("observation.images.front")
    column = pa.array(cells, kind)
    parquet.write_table(table.set_column(index, "observation.images.front", column), file)
    with pytest.raises(DataError, match="relative paths that stay below"):
        open_data_folder(made).episode(0)


@pytest.mark.parametrize("template", ["../x-{SHARD_INDEX}", "/etc/passwd", "{DATASET}/../../x"])
def test_rlds_files_elsewhere_are_refused(tmp_path, template):
    made = tmp_path / "set"
    shutil.copytree(RLDS, made)
    about = json.loads((made / "dataset_info.json").read_text())
    for split in about["splits"]:
        split["filepathTemplate"] = template
    (made / "dataset_info.json").write_text(json.dumps(about))
    command = ["data", "inspect", str(made), "--out", str(tmp_path / "x.png")]
    assert main(command) == 2
    with pytest.raises(DataError, match="relative paths that stay below"):
        len(open_data_folder(made))


# -- Bags ----------------------------------------------------------------------------------------


def test_a_bag_reads_only_files_of_its_own_folder(tmp_path):
    moving_bag(tmp_path / "bag", 0.5)
    moving_bag(tmp_path / "other", 0.5)
    metadata = tmp_path / "bag" / "metadata.yaml"
    text = metadata.read_text()
    # Old versions name files relative to where they were recorded: the last part counts.
    metadata.write_text(text.replace("bag.mcap", "../bag/bag.mcap"))
    assert Bag(tmp_path / "bag").counts
    metadata.write_text(text.replace("bag.mcap", "../other/other.mcap"))
    with pytest.raises(BagError, match=r"missing: other\.mcap; not read, since .* bag\.mcap"):
        Bag(tmp_path / "bag")


@pytest.mark.parametrize("name", ["bag.mcap", "metadata.yaml"])
def test_a_bag_whose_files_link_elsewhere_is_refused(tmp_path, name):
    moving_bag(tmp_path / "bag", 0.5)
    (tmp_path / "bag" / name).rename(tmp_path / name)
    (tmp_path / "bag" / name).symlink_to(tmp_path / name)
    with pytest.raises(BagError, match="outside of the dataset"):
        Bag(tmp_path / "bag")


def test_a_pipe_in_a_bag_is_refused_and_not_waited_for(tmp_path):
    (tmp_path / "bag").mkdir()
    os.mkfifo(tmp_path / "bag" / "bag.mcap")
    with pytest.raises(BagError, match="not a regular file"):
        Bag(tmp_path / "bag")
    with pytest.raises(BagError, match="not a regular file"):
        Bag(tmp_path / "bag" / "bag.mcap")
