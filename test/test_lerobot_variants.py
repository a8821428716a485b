"""LeRobotDatasets as other tools write them are read with one meaning."""

import json
from pathlib import Path

import numpy as np
import pytest
from bags import moving_bag
from lerobot_datasets import (
    CAMERA,
    JOINTS,
    LENGTH,
    OPENPI,
    SO101,
    TWO_ARMS,
    dataset,
    image,
    replaced,
    rows,
    tables,
)

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.data.action_space import read_actions
from vlm_robot_ros.data.dataset import open_data_folder
from vlm_robot_ros.interfaces.action import ActionMode

POSITION, DELTA, POSE = (
    ActionMode.JOINT_POSITION, ActionMode.END_EFFECTOR_DELTA, ActionMode.END_EFFECTOR_POSE
)  # fmt: skip


def prefixed(folder):
    for name in ("info.json", "episodes.jsonl", "tasks.jsonl"):
        file = folder / "meta" / name
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())


POSES = np.tile([0.4, 0.0, 0.3], (LENGTH, 1)) + rows(0.02, 0.02, 3)
MOVES = rows(0.02)
XYZ = ["x", "y", "z"]
READ = {
    "plain": ({}, POSITION, (0, 1, 2, 3, 4, 5), 6),
    "version 2.0": ({"info": {"codebase_version": "v2.0"}}, POSITION, range(6), 6),
    "version without v": ({"info": {"codebase_version": "2.1"}}, POSITION, range(6), 6),
    "fractional fps": ({"info": {"fps": 29.97}}, POSITION, range(6), 6),
    "openpi's keys": ({"keys": OPENPI}, POSITION, range(6), 6),
    "nested names": ({"names": [JOINTS]}, POSITION, range(6), 6),
    "nested twice": ({"names": [[JOINTS[:3]], [JOINTS[3:]]]}, POSITION, range(6), 6),
    "axes": ({"names": {"axes": JOINTS}}, POSITION, range(6), 6),
    "motors": ({"names": {"motors": JOINTS}}, POSITION, range(6), 6),
    "two lists": ({"names": {"a": JOINTS[:6], "b": JOINTS[6:]}}, POSITION, range(6), 6),
    "indices": (
        {"names": {name: 6 - n for n, name in enumerate(JOINTS)}}, POSITION, range(1, 7), 0
    ),
    "indices of motors": (
        {"names": {"motors": {name: n for n, name in enumerate(JOINTS)}}}, POSITION, range(6), 6
    ),
    "velocities and torques beside positions": (
        {
            "names": [f"joint_{n}.{k}" for n in (1, 2, 3) for k in ("vel", "pos", "torque")]
            + ["gripper.vel", "gripper.pos"],
            "values": rows(width=11),
        },
        POSITION, (1, 4, 7), 10,
    ),
    "one side only": ({"names": [f"left_{name}" for name in JOINTS]}, POSITION, range(6), 6),
    "two fingers": (
        {"names": [*JOINTS[:5], "left_finger", "right_finger"]}, POSITION, range(5), -1
    ),
    "quaternion with w in front": (
        {
            "names": [*XYZ, "qw", "qx", "qy", "qz", "gripper"],
            "values": np.column_stack([POSES, np.tile([1, 0, 0, 0, 0.5], (LENGTH, 1))]),
        },
        POSE, (0, 1, 2, 4, 5, 6, 3), 7,
    ),
    "moves of the tool": (
        {
            "names": {"motors": [*XYZ, "roll", "pitch", "yaw", "gripper"]},
            "values": MOVES,
            "states": np.column_stack([POSES, np.tile([3.1, 0, 0, 0.04], (LENGTH, 1))]),
        },
        DELTA, range(6), 6,
    ),
    "moves with an axis and an angle": (
        {"names": {"motors": [*XYZ, *(f"axis_angle{n}" for n in (1, 2, 3)), "gripper"]},
         "values": MOVES},
        DELTA, range(6), 6,
    ),
    "no tasks in the episodes": (
        {"episodes": [{"episode_index": 0}, {"episode_index": 1}]}, POSITION, range(6), 6
    ),
    "byte order marks": ({"spoil": prefixed}, POSITION, range(6), 6),
    "chunk_index": (
        {"spoil": replaced("{episode_chunk:03d}", "{chunk_index:03d}")},
        POSITION, range(6), 6,
    ),
    "grey images": ({"cell": image("L")}, POSITION, range(6), 6),
    "times of day": (
        {"column": {"timestamp": 1.7e9 + np.arange(LENGTH) * 0.1}}, POSITION, range(6), 6
    ),
    "a column of flags": ({"column": {"next.done": [False] * LENGTH}}, POSITION, range(6), 6),
}  # fmt: skip
"""What is given, and the mode, the columns and the gripper's column that it is read as."""


@pytest.mark.parametrize("name", READ)
def test_what_other_tools_write_is_read_with_one_meaning(tmp_path, name):
    given, mode, columns, gripper = READ[name]
    data = open_data_folder(dataset(tmp_path / "data", **given))
    space, _ = read_actions(data.info, "", *tables(data), units="rad")
    assert (space.mode, space.columns, space.gripper) == (mode, tuple(columns), gripper)
    episode = data.episode(0)
    assert episode.instruction == data.instruction(1) == "pick up the cube"
    assert episode.images[data.info.cameras[0]].shape == (LENGTH, 16, 16, 3)
    assert (episode.images[data.info.cameras[0]] == 77).all()
    assert len(episode.action) == len(episode.state) == LENGTH


def test_an_image_beside_the_tables_is_read(tmp_path):
    folder = dataset(tmp_path / "data", cell={"bytes": None, "path": "images/x.png"})
    (folder / "images").mkdir()
    (folder / "images" / "x.png").write_bytes(image()["bytes"])
    assert (open_data_folder(folder).episode(0).images[CAMERA] == 77).all()


@pytest.mark.parametrize(("units", "factor"), [("rad", 1.0), ("deg", np.pi / 180)])
def test_joint_positions_are_read_in_the_unit_that_is_given(tmp_path, units, factor):
    given = rows(5.0, 100.0, 6)
    data = open_data_folder(dataset(tmp_path / "data", SO101, given))
    space, felt = read_actions(data.info, "", *tables(data), units=units)
    for read in (space, felt):
        values, opening = read.values(given)
        np.testing.assert_allclose(values[:, :5], given[:, :5] * factor, rtol=1e-6)
        assert opening.min() == 0
        assert opening.max() == 1
        assert f"joint positions are in {units}" in read.notes


def test_a_unit_in_the_names_needs_no_option_and_outweighs_it(tmp_path):
    names = [*(f"joint_{n}_deg" for n in range(6)), "gripper"]
    data = open_data_folder(dataset(tmp_path / "data", names, rows(90.0)))
    for units in ("", "rad"):
        space, _ = read_actions(data.info, "", *tables(data), units=units)
        assert space.joint_scale == pytest.approx(np.pi / 180)


def test_a_dataset_of_our_own_bags_states_its_unit(tmp_path):
    moving_bag(tmp_path / "bag")
    out = tmp_path / "dataset"
    assert main(["bag", "convert", str(tmp_path / "bag"), "--out", str(out)]) == 0
    assert json.loads((out / "meta" / "info.json").read_text())["joint_unit"] == "rad"
    data = open_data_folder(out)
    _, felt = read_actions(data.info, "", *tables(data))
    assert felt.mode is POSITION


def test_of_two_arms_one_is_read_alone_only_if_it_is_named(tmp_path, capsys):
    folder = dataset(tmp_path / "data", TWO_ARMS, rows(width=14))
    inspect = ["data", "inspect", str(folder), "--out", str(tmp_path / "x.png")]
    assert main([*inspect, "--arm", "right", "--units", "rad"]) == 0
    said = capsys.readouterr().out
    assert "of two arms the right one is taken" in said
    assert "dropped: left_joint_0" in said


def test_frames_after_a_change_of_the_instruction_are_left_out_and_it_is_said(tmp_path, capsys):
    tasks = ("pick up the cube", "put it down")
    half = np.repeat([0, 1], LENGTH // 2)
    folder = dataset(tmp_path / "data", tasks=tasks, column={"task_index": half})
    data = open_data_folder(folder)
    assert len(data.table(0)[0]) == LENGTH // 2
    assert data.instruction(0) == "pick up the cube"
    assert main(["data", "inspect", str(folder), "--out", str(tmp_path / "x.png")]) == 0
    assert "2 of the episodes that were read change their instruction" in capsys.readouterr().out


def test_an_empty_dataset_and_empty_instructions_are_told(tmp_path, capsys):
    empty = dataset(tmp_path / "empty", spoil=_without_episodes)
    assert main(["data", "inspect", str(empty), "--out", str(tmp_path / "x.png")]) == 2
    assert "empty' has no episodes" in capsys.readouterr().err
    silent = dataset(tmp_path / "silent", tasks=("",))
    assert open_data_folder(silent).instruction(0) == ""


def _without_episodes(folder: Path) -> None:
    (folder / "meta" / "episodes.jsonl").write_text("")
