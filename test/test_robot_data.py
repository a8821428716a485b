"""Data of the field, as lerobot and tensorflow_datasets wrote it and read it (see test/data)."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.data.action_space import (
    infer_action_space,
    read_actions,
    state_space,
    with_gripper_range,
)
from vlm_robot_ros.data.dataset import DataError, DatasetInfo, open_data_folder
from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.kinematics.action_encoding import from_vectors

DATA = Path(__file__).parent / "data"
BRIDGE, FRACTAL = (DATA / "rlds" / f"tiny_{name}" / "1.0.0" for name in ("bridge", "fractal"))


def info(*names, form="LeRobotDataset v3.0"):
    return DatasetInfo(Path("x"), form, "", 10.0, (), (), names)


@pytest.mark.parametrize("name", ["lerobot_v3", "lerobot_v2"])
def test_what_lerobot_wrote_is_read_as_it_reads_it(name):
    data, truth = open_data_folder(DATA / name), np.load(DATA / f"{name}.npz")
    assert len(data) == 10
    assert data.info.fps == 10
    assert data.info.robot == "panda"
    for number in range(10):
        episode, rows = data.episode(number), truth["episode"] == number
        theirs = (truth["image"][rows] * 255).round().astype(np.uint8)
        assert np.array_equal(episode.images["observation.images.front"], theirs)
        assert np.array_equal(episode.state, truth["state"][rows])
        assert np.array_equal(episode.action, truth["action"][rows])
        assert {episode.instruction, data.instruction(number)} == set(truth["said"][rows])


def test_a_set_like_bridge_is_read_as_tensorflow_datasets_reads_it():
    data, truth = open_data_folder(BRIDGE), np.load(DATA / "rlds_tiny_bridge.npz")
    assert len(data) == 10
    assert len(open_data_folder(BRIDGE, "val")) == 1
    for number in range(10):
        episode, rows = data.episode(number), truth["episode"] == number
        assert np.array_equal(episode.images["image_0"], truth["observation.image_0"][rows])
        assert np.array_equal(episode.state, truth["observation.state"][rows])
        assert np.array_equal(episode.action, truth["action"][rows])
        assert episode.instruction == truth["language_instruction"][rows][0].decode()


def test_a_set_like_fractal_is_read_and_its_actions_are_those_of_the_contract():
    data, truth = open_data_folder(FRACTAL), np.load(DATA / "rlds_tiny_fractal.npz")
    space = infer_action_space(data.info, "left")
    assert space.mode is ActionMode.END_EFFECTOR_DELTA
    assert "dropped: terminate_episode.0" in space.notes[0]
    assert "observation/natural_language_embedding is left out" in data.info.notes
    for number in range(10):
        episode, rows = data.episode(number), truth["episode"] == number
        off = np.abs(episode.images["image"].astype(int) - truth["observation.image"][rows])
        assert off.max() <= 4  # TensorFlow decodes JPEG with a faster transform
        vectors = space.vectors(episode.action)
        assert np.array_equal(vectors[:, :3], truth["action.world_vector"][rows])
        # 1 closes, 0 leaves it, -1 opens: [0, 1, 0, 0, -1, 0] as it was recorded.
        assert vectors[:, 6].tolist() == [1, 0, 0, 0, 1, 1][: len(vectors)]
        said = truth["observation.natural_language_instruction"][rows][0]
        assert episode.instruction == said.decode()


def test_poses_keep_their_turns_from_the_data_to_the_contract():
    angle = np.pi / 2
    space = infer_action_space(info("x", "y", "z", "roll", "pitch", "yaw", "gripper"), "left")
    assert space.mode is ActionMode.END_EFFECTOR_POSE
    given = np.array([[0.4, 0.1, 0.2, 0.0, 0.0, angle, 0.3]])
    values, opening = from_vectors(space.mode, space.vectors(given))
    half = np.sqrt(0.5)
    np.testing.assert_allclose(values, [[0.4, 0.1, 0.2, 0, 0, half, half]], atol=1e-6)
    np.testing.assert_allclose(opening, [0.3], atol=1e-6)
    same = infer_action_space(info("x", "y", "z", "qx", "qy", "qz", "qw", "gripper"), "left")
    turned = np.array([[0.4, 0.1, 0.2, 0, 0, half, half, 0.3]])
    np.testing.assert_allclose(same.vectors(turned), space.vectors(given), atol=1e-6)
    with pytest.raises(DataError, match="length 0"):
        same.vectors(turned * 0)


def test_of_two_arms_one_is_taken_with_the_joints_that_it_has():
    arms = [
        f"{side}_{part}" for side in ("left", "right") for part in ("waist", "elbow", "gripper")
    ]
    space = infer_action_space(info(*arms), "right")
    assert space.mode is ActionMode.JOINT_POSITION
    assert (space.columns, space.gripper) == ((3, 4), 5)
    said = " ".join(space.notes)
    assert "of two arms the right one" in said
    assert "dropped: left_waist, left_elbow, left_gripper" in said
    given = np.array([[9, 9, 9, 0.1, 0.2, 1.0]])
    np.testing.assert_allclose(space.vectors(given), [[0.1, 0.2, 1]], atol=1e-6)
    values, opening = from_vectors(space.mode, space.vectors(given))
    assert values.shape == (1, 2)
    assert opening == [1.0]


def test_moves_are_told_from_places():
    delta, pose = ActionMode.END_EFFECTOR_DELTA, ActionMode.END_EFFECTOR_POSE
    assert infer_action_space(info("dx", "dy", "dz", "gripper"), "left").mode is delta
    assert infer_action_space(info("delta_x", "delta_y", "delta_z"), "left").mode is delta
    alone = infer_action_space(info("ee.x", "ee.y", "ee.z", "gripper"), "left")
    assert (alone.mode, alone.turn) == (pose, "none")
    assert "the tool keeps its own" in alone.notes[0]
    unnamed = infer_action_space(info(*(f"action.{i}" for i in range(7)), form="RLDS"), "left")
    assert (unnamed.turn, unnamed.gripper) == ("euler", 6)
    assert "without names" in unnamed.notes[0]


def test_moves_that_are_called_like_places_are_known_by_their_values():
    names = ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
    both = replace(info(*names), state_names=names)
    rng = np.random.default_rng(0)
    states = [np.tile([0.5, 0.1, 0.3, 3.1, 0, 0, 1.0], (20, 1)) + rng.normal(0, 0.05, (20, 7))]
    moves = [rng.normal(0, 0.01, (20, 7))]
    space, felt = read_actions(both, "left", moves, states)
    assert space.mode is ActionMode.END_EFFECTOR_DELTA
    assert "taken for moves" in space.notes[0]
    assert felt.mode is ActionMode.END_EFFECTOR_POSE
    goals = [states[0] + moves[0]]
    assert read_actions(both, "left", goals, states)[0].mode is ActionMode.END_EFFECTOR_POSE


def test_values_that_would_send_an_arm_elsewhere_are_refused():
    empty = [np.zeros((20, 0))]
    with pytest.raises(DataError, match=r"move the tool by .* are they normalised\?"):
        read_actions(info("dx", "dy", "dz"), "left", [np.ones((20, 3))], empty)
    with pytest.raises(DataError, match=r"joint positions of 90 rad; valid are at most 6"):
        read_actions(info("shoulder_pan.pos"), "left", [np.full((20, 1), 90.0)], empty, "rad")
    with pytest.raises(DataError, match=r"x, y, z are 519.6 .* are they millimetres\?"):
        read_actions(info("x", "y", "z"), "left", [np.full((20, 3), 300.0)], empty)
    names = ("x", "y", "z", "roll", "pitch", "yaw")
    turned = np.tile([0.4, 0, 0.3, 0, 0, 90.0], (20, 1))
    with pytest.raises(DataError, match=r"turn the tool by 90; .* are they degrees\?"):
        read_actions(info(*names), "left", [turned], empty)


def test_names_that_say_nothing_are_no_joints():
    with pytest.raises(DataError, match="valid are names of joints, or x, y, z"):
        infer_action_space(info("terminate", "gripper"), "left")
    with pytest.raises(DataError, match="valid are names of joints"):
        infer_action_space(info(*(f"action.{i}" for i in range(7))), "left")
    with pytest.raises(DataError, match="has a world_vector, but not rotation_delta"):
        infer_action_space(
            info("world_vector.0", "world_vector.1", "world_vector.2", "open_gripper"), "left"
        )
    states = replace(info("dx", "dy", "dz"), state_names=tuple(f"state.{i}" for i in range(8)))
    assert state_space(states, "left") is None


def test_a_gripper_goes_as_far_as_it_does_in_the_data():
    def opening(name, values, at):
        space = infer_action_space(info("joint_1", name), "left")
        column = np.array([[0, value] for value in values])
        ranged = with_gripper_range(space, column)
        return ranged.values(np.array([[0, at]]))[1][0], " ".join(ranged.notes)

    assert opening("gripper", [0, 50, 100], 25)[0] == pytest.approx(0.25, abs=0.02)
    assert opening("gripper", [0, 0.04, 0.08], 0.08)[0] == pytest.approx(1.0)
    assert opening("gripper", [0.2, 0.9], 0.5)[0] == pytest.approx(0.5)
    assert opening("gripper_closed", [0, 1, 0], 1)[0] == 0
    assert "if it is the other way round" in opening("gripper", [-1, 1, 1], 1)[1]


def test_inspect_prints_what_is_there_and_draws_it(tmp_path, capsys):
    image = tmp_path / "sheet.png"
    assert main(["data", "inspect", str(DATA / "lerobot_v3"), "--out", str(image)]) == 0
    said = capsys.readouterr().out
    assert "10 episodes; in the 10 that were read 4 to 6 frames, 49 in all, 10 a second" in said
    assert "| observation.images.front | 64 | 96 |" in said
    assert "| pick up the red cube | 5 |" in said
    assert "actions are read as END_EFFECTOR_DELTA" in said
    assert "states are read as END_EFFECTOR_POSE" in said
    assert image.stat().st_size > 1000


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda d: (d / "meta" / "info.json").write_text("{"), "info.json' cannot be read"),
        (lambda d: (d / "meta" / "info.json").write_text("{}"), "is of version None; valid: v2.0"),
        (lambda d: next(d.glob("data/*/*0.parquet")).write_bytes(b"x"), "cannot be read"),
        (lambda d: next(d.glob("videos/*/*/*.mp4")).write_bytes(b"x" * 99), "cannot be read"),
        (lambda d: next(d.glob("videos/*/*/*.mp4")).unlink(), "cannot be read"),
    ],
)
def test_spoilt_lerobot_data_is_told(tmp_path, capsys, spoil, said):
    spoilt = tmp_path / "data"
    shutil.copytree(DATA / "lerobot_v3", spoilt)
    spoil(spoilt)
    assert main(["data", "inspect", str(spoilt), "--out", str(tmp_path / "x.png")]) == 2
    assert said in capsys.readouterr().err


def test_spoilt_rlds_data_is_told(tmp_path, capsys):
    spoilt = tmp_path / "data"
    shutil.copytree(BRIDGE, spoilt)
    command = ["data", "inspect", str(spoilt), "--out", str(tmp_path / "x.png")]
    assert main([*command, "--split", "tests"]) == 2
    assert "no split 'tests'; valid: train, val" in capsys.readouterr().err
    file = next(spoilt.glob("*train*"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    assert main(command) == 2
    assert "ends within record 9" in capsys.readouterr().err
    file.write_bytes(whole[:12] + b"\xff" * 200 + whole[212:])
    assert main(command) == 2
    assert "the record at byte 12 is corrupt" in capsys.readouterr().err
    about = spoilt / "dataset_info.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "fileFormat": "riegeli"}))
    assert main(command) == 2
    assert "holds riegeli files; valid: tfrecord" in capsys.readouterr().err


def test_what_is_no_dataset_is_told_with_what_is_near(tmp_path, capsys):
    assert main(["data", "inspect", str(tmp_path)]) == 2
    assert "valid: LeRobotDataset v2.0, v2.1 or v3.0, RLDS" in capsys.readouterr().err
    assert main(["data", "inspect", str(DATA / "rlds")]) == 2
    assert f"nearest: {BRIDGE}" in capsys.readouterr().err
    with pytest.raises(IndexError, match="has episodes 0 to 9, not 10"):
        open_data_folder(DATA / "lerobot_v3").episode(10)
