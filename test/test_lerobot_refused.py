"""LeRobotDatasets without a sure meaning are refused by name."""

import numpy as np
import pytest
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
from vlm_robot_ros.data.dataset import DataError, open_data_folder

REFUSED = {
    "no names": ({"names": None}, "called action.0, action.1"),
    "one name for all": ({"keys": OPENPI, "names": ["actions"]}, "called actions.0, actions.1"),
    "indices that leave one out": (
        {"names": {name: 2 * n for n, name in enumerate(JOINTS)}}, "called action.0"
    ),
    "velocities": (
        {"names": [*(f"joint_{n}.vel" for n in range(6)), "gripper.pos"]},
        "no joint positions among joint_0.vel (velocity)",
    ),
    "torques": (
        {"names": [*(f"tau_{n}" for n in range(6)), "gripper"]},
        "no joint positions among tau_0 (torque)",
    ),
    "velocities of the tool": (
        {"names": ["vel_x", "vel_y", "vel_z", "omega_x", "omega_y", "omega_z", "gripper"]},
        "no joint positions among vel_x (velocity)",
    ),
    "changes of joints": (
        {"names": [*(f"joint_{n}.delta" for n in range(6)), "gripper"]},
        "joint_0.delta, joint_1.delta",
    ),
    "two arms": ({"names": TWO_ARMS, "values": rows(width=14)}, "2 arms (left: left_joint_0"),
    "two arms with numbers": (
        {"names": [f"arm{a}_j{j}" for a in (1, 2) for j in range(1, 7)], "values": rows(width=12)},
        "2 arms (arm1: arm1_j1",
    ),
    "two robots": (
        {"names": [f"robot_{a}.joint_{j}" for a in "ab" for j in (1, 2, 3)],
         "values": rows(width=6)},
        "2 arms (a: robot_a.joint_1",
    ),
    "more joints than an arm has": (
        {"names": [f"joint_{n}" for n in range(14)], "values": rows(width=14)}, "14 joints; valid"
    ),
    "joints without a unit": ({}, "unit is not stated; give --units rad or --units deg"),
    "small angles beside a percentage": (
        {"names": SO101, "values": rows(5.0, 100.0, 6)}, "up to 4.9"
    ),
    "angles that are no radians": (
        {"names": SO101, "values": rows(90.0, 100.0, 6)}, "so they are not radians; give --units"
    ),
    "joints with two units": (
        {"names": ["joint_1_deg", "joint_2_rad"], "values": rows(width=2)}, "unit is not stated"
    ),
    "not a number": (
        {"values": np.where(np.arange(7) == 2, np.nan, rows())}, "joint_2 is nan in frame 0"
    ),
    "fps 0": ({"info": {"fps": 0}}, "fps is 0; valid: frames a second, above 0"),
    "fps null": ({"info": {"fps": None}}, "fps is null; valid"),
    "fps of a text": ({"info": {"fps": "30"}}, 'fps is "30"; valid'),
    "fps that is no number": ({"spoil": replaced('"fps": 10', '"fps": NaN')}, "fps is NaN; valid"),
    "another version": ({"info": {"codebase_version": "v3.1"}}, "v3.1; valid: v2.0, v2.1, v3.0"),
    "no actions": ({"keys": ("state", "moves", "image")}, "no feature action or actions; it has"),
    "an unknown place in a path": (
        {"info": {"data_path": "{where}/{episode_index}.parquet"}},
        "valid in braces: episode_chunk, chunk_index, episode_index",
    ),
    "an episode of another number": (
        {"episodes": [{"episode_index": 0, "tasks": []}, {"episode_index": 1, "tasks": []}],
         "column": {"episode_index": np.full(LENGTH, 7)}},
        ", but of 7; valid: the episode_index",
    ),
}  # fmt: skip
"""What is given, and what the error says."""


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_sure_meaning_is_refused_with_what_to_do(tmp_path, name, capsys):
    given, said = REFUSED[name]
    folder = dataset(tmp_path / "data", **given)
    assert main(["finetune", str(folder), "--out", str(tmp_path / "out"), "--held-out", "0"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert str(folder) in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()
    # `inspect` says the same, and is not ended by what only fine-tuning needs.
    main(["data", "inspect", str(folder), "--out", str(tmp_path / "x.png")])
    assert said in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ({"bytes": None, "path": "images/x.png"}, "cannot be read"),
        ({"bytes": b"no image", "path": None}, "cannot be read"),
        (image("I;16"), "is of mode I;16; valid: 8 bits"),
    ],
)
def test_images_that_cannot_be_read_are_refused_by_their_camera(tmp_path, cell, said, capsys):
    folder = dataset(tmp_path / "data", cell=cell)
    assert main(["data", "inspect", str(folder), "--out", str(tmp_path / "x.png")]) == 2
    assert f"data': an image of {CAMERA} {said}" in capsys.readouterr().err


def test_degrees_that_are_called_radians_are_refused(tmp_path):
    data = open_data_folder(dataset(tmp_path / "data", SO101, rows(90.0, 100.0, 6)))
    with pytest.raises(DataError, match=r"rad; valid are at most 6.* rad"):
        read_actions(data.info, "", *tables(data), units="rad")
