"""Hostile files are refused before they take memory or time: YAML, JSON, arrays, checkpoints."""

import json
import shutil
import time

import numpy as np
import pytest
from hostile import array_declaring, laughing_yaml, run_with_little_memory

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.data.sim_episode import EpisodeError, load_episode
from vlm_robot_ros.file_limits import (
    LIMIT_VARIABLE,
    FileLimitError,
    UnpackedSize,
    check_image,
    check_size,
    check_yaml,
    parse_json,
    read_json,
    regular_file,
)
from vlm_robot_ros.paths import config_dir, shipped_checkpoint
from vlm_robot_ros.robot.contract_yaml import ContractError
from vlm_robot_ros.robot.loader import load_robot, read_robot


@pytest.fixture
def limit(monkeypatch):
    """Return a function that sets the limit [MiB]."""
    return lambda size: monkeypatch.setenv(LIMIT_VARIABLE, str(size))


def test_the_limit_is_4_gib_and_the_environment_variable_changes_or_lifts_it(limit):
    check_size(4096 * 2**20, "it")
    with pytest.raises(FileLimitError, match=r"it unpacks to .*; at most 4,096 MiB are read. Set"):
        check_size(4096 * 2**20 + 1, "it")
    limit(1)
    with pytest.raises(FileLimitError, match="at most 1 MiB"):
        check_size(2**20 + 1, "it")
    limit(0)
    check_size(1e30, "it")


@pytest.mark.parametrize("value", ["much", "-1", "nan"])
def test_a_limit_that_is_no_size_is_refused_with_what_is_valid(limit, value):
    limit(value)
    with pytest.raises(FileLimitError, match=f"{LIMIT_VARIABLE} is '{value}'; valid: a size in M"):
        check_size(1, "it")


def test_parts_that_are_small_by_themselves_are_added_up(limit):
    limit(1)
    size = UnpackedSize("an episode")
    size.add(600_000)
    with pytest.raises(FileLimitError, match="an episode unpacks to"):
        size.add(600_000)


@pytest.mark.parametrize("sides", [(8193, 1), (1, 8193), (0, 5), (5, 0)])
def test_an_image_is_refused_by_its_dimensions(sides):
    with pytest.raises(FileLimitError, match="valid: 1x1 to 8192x8192"):
        check_image(*sides, "an image")


def test_an_image_is_refused_by_its_size(limit):
    limit(10)
    check_image(1000, 1000, "an image")
    with pytest.raises(FileLimitError, match="2000x2000"):
        check_image(2000, 2000, "an image")


# -- YAML ----------------------------------------------------------------------------------------


def test_aliases_that_multiply_are_refused_in_little_memory(tmp_path):
    path = tmp_path / "arm.yaml"
    path.write_text(laughing_yaml() + f"name: *a{8}\n")
    code = "import sys; from vlm_robot_ros.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = run_with_little_memory(code, "contract", "check", path, memory=2**31, seconds=30)
    assert done.returncode == 2
    assert "with its aliases unpacks to" in done.stderr
    assert len(done.stderr) < 500


def test_aliases_that_do_not_multiply_are_read():
    text = (config_dir() / "arms" / "panda_sim.yaml").read_text()
    aliased = text.replace("jerk: ", "jerk: &jerk ", 1)
    assert "&jerk" in aliased
    assert read_robot(aliased, "arm").name == "panda_sim"


def test_yaml_that_contains_itself_is_refused():
    with pytest.raises(ContractError):
        read_robot("a: &a [*a, *a]\nname: &b {b: *b}\n", "arm")


@pytest.mark.parametrize("text", ["[" * 500, "a: " + "{a: " * 100 + "}" * 100, "- " * 300 + "x"])
def test_deep_yaml_is_refused(text):
    with pytest.raises(FileLimitError, match="nested deeper than 64 levels"):
        check_yaml(text, "it")


def test_long_yaml_is_refused_at_once(tmp_path):
    path = tmp_path / "arm.yaml"
    path.write_text("a: [" + "1," * 3_000_000 + "1]\n")
    begun = time.monotonic()
    with pytest.raises(ContractError, match=r"arm.yaml' unpacks to"):
        load_robot(path)
    with pytest.raises(ContractError, match="arm unpacks to"):
        read_robot(path.read_text(), "arm")
    assert time.monotonic() - begun < 5


def test_every_shipped_contract_is_far_below_the_limit(limit):
    limit(256)
    for path in (config_dir() / "arms").glob("*.yaml"):
        load_robot(path)


# -- JSON ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "[" * 99 + "]" * 99])
def test_deep_json_is_refused(text):
    with pytest.raises(FileLimitError, match="nested deeper than 64 levels"):
        parse_json(text, "it")


def test_json_whose_objects_take_more_than_its_text_is_refused(limit):
    limit(16)
    assert len(parse_json("[" + "[]," * 1000 + "[]]", "it")) == 1001
    with pytest.raises(FileLimitError, match="unpacks to"):
        parse_json("[" + "[]," * 1_000_000 + "[]]", "it")


def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(tmp_path):
    import os

    os.mkfifo(tmp_path / "info.json")
    with pytest.raises(FileLimitError, match="is not a regular file"):
        read_json(tmp_path / "info.json")
    with pytest.raises(FileLimitError, match="is not a regular file"):
        regular_file(tmp_path)


# -- Arrays --------------------------------------------------------------------------------------


def test_a_compressed_array_is_refused_by_its_size(tmp_path, limit):
    np.savez_compressed(tmp_path / "a.npz", image=np.zeros((400, 176, 240, 3), np.uint8))
    assert (tmp_path / "a.npz").stat().st_size < 100_000
    limit(16)
    with pytest.raises(EpisodeError, match="unpacks to"):
        load_episode(tmp_path / "a.npz")


def test_an_array_is_refused_by_the_shape_that_it_declares(tmp_path):
    array_declaring(tmp_path / "a.npz", (1_000_000, 1_000_000))
    with pytest.raises(EpisodeError, match=r"unpacks to 3,814,697 MiB"):
        load_episode(tmp_path / "a.npz")


def test_pickled_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", image=np.array([{"a": 1}], object))
    with pytest.raises(EpisodeError):
        load_episode(tmp_path / "a.npz")


# -- Checkpoints ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [("width", 60_000), ("text_width", 60_000), ("hidden", 100_000), ("horizon", 10**8),
     ("readers", 10**9), ("history", 10**6), ("crop", [0, 0, 10**6, 10**6])],
)  # fmt: skip
def test_a_checkpoint_whose_configuration_exceeds_its_weights_is_refused(tmp_path, name, value):
    from vlm_robot_ros.models.checkpoint import CheckpointError, load_model

    folder = tmp_path / "made"
    shutil.copytree(shipped_checkpoint(), folder)
    config = json.loads((folder / "config.json").read_text())
    config["model"][name] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"describes a model|valid: 1x1 to"):
        load_model(folder)


def test_weights_that_declare_shapes_beyond_their_file_are_refused(tmp_path):
    from vlm_robot_ros.models.checkpoint import CheckpointError, load_model

    folder = tmp_path / "made"
    shutil.copytree(shipped_checkpoint(), folder)
    tensor = {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}
    head = json.dumps({"a": tensor}).encode()
    size = (folder / "model.safetensors").stat().st_size
    content = len(head).to_bytes(8, "little") + head
    (folder / "model.safetensors").write_bytes(content.ljust(size, b"\0"))
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        load_model(folder)


def test_a_checkpoint_of_a_deep_configuration_is_refused_by_the_command(tmp_path, capsys):
    folder = tmp_path / "made"
    shutil.copytree(shipped_checkpoint(), folder)
    (folder / "config.json").write_text('{"model": ' + "[" * 100_000)
    command = ["visualize", "--checkpoint", str(folder), "--out", str(tmp_path / "x.png"), "push"]
    assert main(command) == 2
    assert "nested deeper" in capsys.readouterr().err
