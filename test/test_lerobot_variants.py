"""LeRobotDatasets as other tools write them: each is read with one meaning, or refused by name."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bags import moving_bag
from PIL import Image

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.data.action_space import read_actions
from vlm_robot_ros.data.dataset import DataError, open_data_folder
from vlm_robot_ros.interfaces.action import ActionMode

JOINTS = [*(f"joint_{number}" for number in range(6)), "gripper"]
SO101 = [
    f"{part}.pos"
    for part in ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")
] + ["gripper.pos"]
LENGTH, CAMERA = 8, "observation.images.top"
POSITION, DELTA, POSE = (
    ActionMode.JOINT_POSITION, ActionMode.END_EFFECTOR_DELTA, ActionMode.END_EFFECTOR_POSE
)  # fmt: skip


def image(mode="RGB"):
    """Return a PNG file with an image of a mode."""
    shape = (16, 16, 3) if mode == "RGB" else (16, 16)
    dtype = np.uint16 if mode == "I;16" else np.uint8
    file = io.BytesIO()
    Image.fromarray(np.full(shape, 77, dtype)).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def rows(scale=0.3, last=1.0, width=7):
    """Return values within a scale, and a last column from 0 to `last`. Shape (T, width)."""
    values = np.random.default_rng(0).uniform(-scale, scale, (LENGTH, width))
    values[:, -1] = np.linspace(0, last, LENGTH)
    return values.astype(np.float32)


def dataset(
    folder, names=JOINTS, values=None, states=None, state_names=None, keys=None, info=None,
    column=None, episodes=None, tasks=("pick up the cube",), spoil=None, cell=None,
):  # fmt: skip
    """Write a dataset of version 2.1 with two episodes, odd in what is given."""
    values = rows() if values is None else values
    states = values if states is None else states
    state, action, camera = keys or ("observation.state", "action", CAMERA)
    meta, data = folder / "meta", folder / "data" / "chunk-000"
    meta.mkdir(parents=True)
    data.mkdir(parents=True)
    single = {"dtype": "int64", "shape": [1], "names": None}
    features = {
        camera: {"dtype": "image", "shape": [16, 16, 3], "names": ["height", "width", "channel"]},
        state: {"dtype": "float32", "shape": [states.shape[1]], "names": state_names or names},
        action: {"dtype": "float32", "shape": [values.shape[1]], "names": names},
        **{name: single for name in ("timestamp", "frame_index", "episode_index", "task_index")},
    }
    about = {
        "codebase_version": "v2.1", "robot_type": "franka", "fps": 10, "chunks_size": 1000,
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "features": features, **(info or {}),
    }  # fmt: skip
    (meta / "info.json").write_text(json.dumps(about))
    lines = [{"task_index": number, "task": task} for number, task in enumerate(tasks)]
    (meta / "tasks.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    known = episodes or [{"episode_index": n, "tasks": list(tasks)} for n in (0, 1)]
    (meta / "episodes.jsonl").write_text("".join(json.dumps(line) + "\n\n" for line in known))
    for number in (0, 1):
        table = {
            camera: [cell or image() for _ in range(LENGTH)],
            state: states.tolist(), action: values.tolist(),
            "timestamp": np.arange(LENGTH) / 10, "frame_index": np.arange(LENGTH),
            "episode_index": np.full(LENGTH, number), "task_index": np.zeros(LENGTH, int),
            **(column or {}),
        }  # fmt: skip
        pq.write_table(pa.table(table), data / f"episode_{number:06d}.parquet")
    if spoil:
        spoil(folder)
    return folder


def replaced(old, new):
    """Return what replaces a text in `meta/info.json`."""

    def spoil(folder):
        file = folder / "meta" / "info.json"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    return spoil


def prefixed(folder):
    for name in ("info.json", "episodes.jsonl", "tasks.jsonl"):
        file = folder / "meta" / name
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())


POSES = np.tile([0.4, 0.0, 0.3], (LENGTH, 1)) + rows(0.02, 0.02, 3)
MOVES = rows(0.02)
OPENPI = ("state", "actions", "image")
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


def tables(data):
    states, actions = zip(*(data.table(number) for number in range(len(data))), strict=True)
    return actions, states


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


TWO_ARMS = [f"{side}_{name}" for side in ("left", "right") for name in JOINTS]
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


def test_degrees_that_are_called_radians_are_refused(tmp_path):
    data = open_data_folder(dataset(tmp_path / "data", SO101, rows(90.0, 100.0, 6)))
    with pytest.raises(DataError, match=r"rad; valid are at most 6.* rad"):
        read_actions(data.info, "", *tables(data), units="rad")


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
