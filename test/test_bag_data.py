"""Bags as training data, and as a LeRobotDataset."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from bags import moving_bag

from vlm_robot_ros.bags.bag import BagError
from vlm_robot_ros.bags.bag_dataset import BagDataset, BagOptions, open_dataset
from vlm_robot_ros.bags.discovery import find_bags
from vlm_robot_ros.cli.main import main
from vlm_robot_ros.data.action_space import read_actions
from vlm_robot_ros.data.dataset import DataError, open_data_folder
from vlm_robot_ros.data.formats.lerobot_parts import write_part
from vlm_robot_ros.data.formats.lerobot_writer import merge_shards
from vlm_robot_ros.training.chunk_dataset import ChunkDataset


def test_a_bag_is_data_on_an_even_grid_with_nothing_made_up(tmp_path):
    shown = moving_bag(tmp_path / "bag")
    data = open_dataset(tmp_path / "bag")
    assert len(data) == 1
    assert data.info.fps == 10
    assert data.info.action_names == ("x", "y", "z", "qx", "qy", "qz", "qw", "gripper")
    episode = data.episode(0)
    assert episode.instruction == "pick up the red cube"
    # From 0.5 s, where it begins to move, to the last command.
    times = 0.5 + 0.1 * np.arange(len(episode.action))
    assert len(times) == 25
    for camera in ("front", "wrist"):
        truth = np.stack([shown[round(time, 3)] for time in times])
        assert np.array_equal(episode.images[camera], truth)
    assert np.allclose(episode.state[:, 0], 0.1 * np.sin(times), atol=1e-4)
    # What it was told last before the next image's time.
    told = np.minimum(times + 0.1 - 0.02, 2.98)
    assert np.allclose(episode.action[:, 0], 0.4 + 0.01 * told, atol=2e-4)
    states, actions = data.table(0)
    assert np.array_equal(states, episode.state)
    assert np.array_equal(actions, episode.action)


def test_an_episode_is_cut_where_images_are_missing(tmp_path):
    moving_bag(tmp_path / "bag", skip=(20, 21))
    episode = BagDataset([tmp_path / "bag"]).episode(0)
    assert len(episode.action) == 16  # 0.5 s to 2.0 s: one late image may be used again
    notes = BagDataset([tmp_path / "bag"]).info.notes
    assert notes == ("9 moments are left out: something was missing",)


def test_failures_are_left_out_unless_they_are_asked_for(tmp_path):
    moving_bag(tmp_path / "good", success=True)
    moving_bag(tmp_path / "bad", success=False)
    bags = [tmp_path / "good", tmp_path / "bad"]
    assert len(BagDataset(bags)) == 1
    assert len(BagDataset(bags, options=BagOptions(failed=True))) == 2
    with pytest.raises(BagError, match="nothing to learn from"):
        BagDataset([tmp_path / "bad"])


def test_what_sets_a_failure_right_is_a_correction_and_is_drawn_as_often_as_it_weighs(tmp_path):
    moving_bag(tmp_path / "good", success=True)
    moving_bag(tmp_path / "again", success=True, again="pick up the red one", seconds=6.0)
    data = BagDataset([tmp_path / "good", tmp_path / "again"])
    assert [data.instruction(n) for n in range(len(data))] == [
        "pick up the red cube",
        "pick up the red one",
    ]
    assert data.corrections == {1}
    tables = [data.table(number) for number in range(2)]
    states, actions = zip(*tables, strict=True)
    space, felt = read_actions(data.info, "left", actions, states)
    seen = ChunkDataset(data, [0, 1], space, felt, ["front"], (8, 8), 4, weights={1: 3.0})
    drawn = np.bincount(seen.draw(4000).instructions.numpy()) / 4000
    assert drawn[seen.sentences.index("pick up the red one")] == pytest.approx(0.75, abs=0.03)


def test_a_weight_that_is_none_is_refused(tmp_path, capsys):
    moving_bag(tmp_path / "bag", success=True)
    command = ["finetune", str(tmp_path / "bag"), "--out", str(tmp_path / "made")]
    assert main([*command, "--correction-weight", "0"]) == 2
    assert "correction weight 0.0; valid: above 0" in capsys.readouterr().err


def test_bags_become_a_dataset_that_says_the_same(tmp_path):
    for number in range(3):
        moving_bag(tmp_path / "bags" / str(number), said=f"push the lemon {number}")
    (tmp_path / "bags" / "torn").mkdir()
    (tmp_path / "bags" / "torn" / "torn.mcap").write_bytes(b"no bag at all")
    out = tmp_path / "dataset"
    assert main(["bag", "convert", str(tmp_path / "bags"), "--out", str(out)]) == 0
    bags, data = BagDataset([tmp_path / "bags" / str(n) for n in range(3)]), open_data_folder(out)
    assert data.info.format == "LeRobotDataset v3.0"
    assert data.info.action_names == bags.info.action_names
    assert len(data) == 3
    for number in range(3):
        ours, theirs = bags.episode(number), data.episode(number)
        assert theirs.instruction == ours.instruction
        assert np.array_equal(theirs.state, ours.state)
        assert np.array_equal(theirs.action, ours.action)
        for camera in ("front", "wrist"):
            off = theirs.images[f"observation.images.{camera}"].astype(int) - ours.images[camera]
            assert np.abs(off).mean() < 4  # H.264 loses a little
    stats = json.loads((out / "meta" / "stats.json").read_text())
    rows = np.concatenate([bags.table(number)[1] for number in range(3)])
    for name, value in (("mean", rows.mean(0)), ("std", rows.std(0)), ("min", rows.min(0))):
        assert np.allclose(stats["action"][name], value, atol=1e-5)
    assert stats["action"]["count"] == [len(rows)]
    for name, part in (("q01", 0.01), ("q99", 0.99)):
        assert np.allclose(stats["action"][name], np.quantile(rows, part, axis=0), atol=1e-6)
    info = json.loads((out / "meta" / "info.json").read_text())
    about = info["features"]["observation.images.front"]["info"]
    assert (about["video.codec"], about["is_depth_map"]) == ("h264", False)
    card = (out / "README.md").read_text()
    assert "push the lemon 1" in card
    assert "3 episodes" in card
    assert not (out / ".parts").exists()


def test_noise_of_a_constant_value_is_no_value(tmp_path):
    moving_bag(tmp_path / "bag", noise=1e-17)
    _, action = BagDataset([tmp_path / "bag"]).table(0)
    assert set(action[:, 5:6].ravel().tolist()) == {0.0}


def test_videos_are_av1_where_that_is_asked_for(tmp_path, capsys):
    moving_bag(tmp_path / "bag")
    out = tmp_path / "dataset"
    command = ["bag", "convert", str(tmp_path / "bag"), "--out", str(out), "--codec", "av1"]
    assert main(command) == 0
    # The encoder takes real-time priority, which nodes that are started later would inherit.
    tasks = [int(task.name) for task in Path("/proc/self/task").iterdir()]
    assert not {os.sched_getscheduler(task) for task in tasks} & {os.SCHED_FIFO, os.SCHED_RR}
    info = json.loads((out / "meta" / "info.json").read_text())
    assert info["features"]["observation.images.front"]["info"]["video.codec"] == "av1"
    images = open_data_folder(out).episode(0).images["observation.images.front"]
    ours = BagDataset([tmp_path / "bag"]).episode(0).images["front"]
    assert np.abs(images.astype(int) - ours).mean() < 6


def test_a_conversion_goes_on_where_it_was(tmp_path, monkeypatch):
    from vlm_robot_ros.bags import to_lerobot
    from vlm_robot_ros.data.formats import lerobot_parts

    for number in range(3):
        moving_bag(tmp_path / "bags" / str(number))
    bags = [tmp_path / "bags" / str(number) for number in range(3)]
    written, write = [], lerobot_parts.write_part

    def tiring(data, *given):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(data.info.path)
        write(data, *given)

    monkeypatch.setattr(lerobot_parts, "write_part", tiring)
    with pytest.raises(KeyboardInterrupt):
        to_lerobot.convert_to_lerobot(bags, tmp_path / "out")
    assert not (tmp_path / "out" / "meta").exists()
    monkeypatch.setattr(
        lerobot_parts,
        "write_part",
        lambda *given: written.append(given[0].info.path) or write(*given),
    )
    assert to_lerobot.convert_to_lerobot(bags, tmp_path / "out")[0] == 3
    assert written == bags
    with pytest.raises(DataError, match="has a dataset already"):
        to_lerobot.convert_to_lerobot(bags, tmp_path / "out")


def test_a_join_that_was_interrupted_mixes_no_videos(tmp_path, monkeypatch):
    from vlm_robot_ros.data.formats import lerobot_writer

    parts = [tmp_path / name for name in ("a", "b")]
    for part, name in zip(parts, "ab", strict=True):
        moving_bag(tmp_path / "bags" / name)
        write_part(BagDataset([tmp_path / "bags" / name]), part)
        for video in part.glob("*.mp4"):
            video.write_bytes(video.read_bytes() + name.encode())  # told apart by their ends

    def tired(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lerobot_writer, "_write_meta", tired)
        with pytest.raises(KeyboardInterrupt):
            merge_shards(parts, tmp_path / "out")
    merge_shards(parts[::-1], tmp_path / "out")
    for folder in (tmp_path / "out" / "videos").iterdir():
        assert [path.read_bytes()[-1:] for path in sorted(folder.rglob("*.mp4"))] == [b"b", b"a"]


def test_a_path_without_a_bag_among_others_is_named(tmp_path, capsys):
    bag, out = tmp_path / "bag", tmp_path / "out"
    moving_bag(bag)
    assert main(["bag", "convert", str(bag), str(tmp_path / "typo"), "--out", str(out)]) == 2
    assert "typo'; valid:" in capsys.readouterr().err
    assert not out.exists()


def test_loose_files_in_a_folder_are_bags_of_their_own(tmp_path):
    for name in ("monday", "tuesday"):
        moving_bag(tmp_path / name)
        shutil.copy(tmp_path / name / f"{name}.mcap", tmp_path)
        shutil.rmtree(tmp_path / name)
    assert len(find_bags(tmp_path)) == 2
    assert len(open_dataset(tmp_path)) == 2


@pytest.mark.long
def test_version_2_1_has_the_same_episodes_and_what_groot_needs(tmp_path):
    bags = [tmp_path / "bags" / name for name in ("one", "two")]
    for bag in bags:
        moving_bag(bag)
    for version in ("v3.0", "v2.1"):
        command = ["bag", "convert", str(tmp_path / "bags"), "--out", str(tmp_path / version)]
        assert main([*command, "--format", version]) == 0
    old, new = (open_data_folder(tmp_path / version) for version in ("v2.1", "v3.0"))
    assert len(old) == len(new) == 2
    for number in range(2):
        one, other = old.episode(number), new.episode(number)
        assert one.instruction == other.instruction
        np.testing.assert_array_equal(one.state, other.state)
        np.testing.assert_array_equal(one.action, other.action)
        for camera, images in one.images.items():
            assert np.abs(images.astype(int) - other.images[camera]).mean() < 2
    found = json.loads((tmp_path / "v2.1" / "meta" / "modality.json").read_text())
    arm = "pose" if "pose" in found["action"] else "joints"
    assert found["action"][arm]["start"] == 0
    assert found["action"]["gripper"]["start"] == found["action"][arm]["end"]
    assert found["video"]["front"] == {"original_key": "observation.images.front"}


def test_folders_of_the_user_stay_where_a_dataset_is_written_beside_them(tmp_path):
    moving_bag(tmp_path / "bag")
    kept = tmp_path / "out" / "data" / "mine.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    assert main(["bag", "convert", str(tmp_path / "bag"), "--out", str(tmp_path / "out")]) == 0
    assert kept.read_text() == "mine"
