"""Policies, encoders and dataset formats of an installed package outside of the project."""

import json

import numpy as np
import pytest
import torch

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.data.dataset import open_data_folder
from vlm_robot_ros.models.encoders.registry import load_encoder
from vlm_robot_ros.policies.factory import load_policy
from vlm_robot_ros.robot.loader import load_robot

_MODULE = '''
import numpy as np
import torch

from vlm_robot_ros.data.dataset import DatasetInfo, Episode
from vlm_robot_ros.interfaces.policy import HoldPolicy
from vlm_robot_ros.models.encoders.base import Encoder, TextFeatures


class Steady(HoldPolicy):
    def __init__(self, robot):
        self.robot = robot


class Letters(Encoder):
    """Counts letters."""

    def __init__(self, letters):
        super().__init__()
        self.letters = letters

    def encode_text(self, texts):
        counts = [[text.count(letter) for letter in self.letters] for text in texts]
        tokens = torch.tensor(counts, dtype=torch.float32)[:, None]
        return TextFeatures(tokens, torch.ones(len(texts), 1, dtype=torch.bool), tokens[:, 0])


class Numbers:
    """A dataset of one episode in a text file."""

    def __init__(self, path):
        self._table = np.loadtxt(path / "numbers.txt", ndmin=2)
        self.info = DatasetInfo(path, "numbers", "", 10.0, (), ("joint1",), ("joint1",), ())

    def __len__(self):
        return 1

    def instruction(self, number):
        return "count"

    def table(self, number):
        return self._table, self._table

    def episode(self, number, cameras=None):
        return Episode("count", {}, self._table, self._table)


class NumbersFormat:
    def can_open(self, path):
        return (path / "numbers.txt").is_file()

    def open(self, path, split):
        return Numbers(path)


NUMBERS = NumbersFormat()
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package outside of the project, as pip installs one."""
    folder = tmp_path / "site"
    (folder / "outside-1.0.dist-info").mkdir(parents=True)
    (folder / "outside-1.0.dist-info" / "METADATA").write_text("Name: outside\nVersion: 1.0\n")
    (folder / "outside-1.0.dist-info" / "entry_points.txt").write_text(
        "[vlm_robot_ros.policies]\nsteady = outside_module:Steady\n"
        "[vlm_robot_ros.encoders]\nletters = outside_module:Letters\n"
        "[vlm_robot_ros.dataset_formats]\nnumbers = outside_module:NUMBERS\n"
    )
    (folder / "outside_module.py").write_text(_MODULE)
    monkeypatch.syspath_prepend(folder)
    return folder


def test_registered_policy_loads_by_name(package):
    policy = load_policy("steady", load_robot("panda_sim"))
    assert policy.robot.name == "panda_sim"


@pytest.mark.long
def test_registered_policy_is_evaluated_by_name(package, tmp_path):
    command = ["evaluate", "--policy", "steady", "--cells", "absent", "--episodes", "1"]
    options = [
        "--workers",
        "1",
        "--out",
        str(tmp_path / "run"),
        "--json",
        str(tmp_path / "r.json"),
    ]
    assert main([*command, *options]) == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["policy"] == "steady"
    (outcome,) = (tmp_path / "run" / "episodes.jsonl").read_text().splitlines()
    assert json.loads(outcome)["success"]


def test_unknown_policy_is_refused_with_the_registered_names(package):
    with pytest.raises(ValueError, match="valid: fusion, hold, blind, steady, module:Class"):
        load_policy("stead", load_robot("panda_sim"))


def test_registered_encoder_loads_by_name(package):
    encoder = load_encoder("letters:ab")
    embedding = encoder.encode_text(["abba", "cab"]).embedding
    assert torch.equal(embedding, torch.tensor([[2.0, 2.0], [1.0, 1.0]]))


def test_registered_dataset_format_opens_its_folders(package, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    np.savetxt(folder / "numbers.txt", [[0.0], [0.1]])
    data = open_data_folder(folder)
    assert (len(data), data.info.format, data.instruction(0)) == (1, "numbers", "count")
    assert data.table(0)[1].tolist() == [[0.0], [0.1]]
