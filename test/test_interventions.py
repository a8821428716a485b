"""Moments in which a person moved the arm, from the bag to the training."""

import numpy as np
import pytest
import torch
from bags import moving_bag

from vlm_robot_ros.bags.bag_dataset import open_dataset
from vlm_robot_ros.bags.to_lerobot import convert_to_lerobot
from vlm_robot_ros.cli.main import main
from vlm_robot_ros.data.action_space import read_actions
from vlm_robot_ros.training.chunk_dataset import ChunkDataset, action_vectors


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_a_dataset_tells_of_interventions_where_there_are_any(tmp_path, version):
    moving_bag(tmp_path / "bags" / "led", led=(1.0, 2.0))
    moving_bag(tmp_path / "bags" / "policy")
    bags = [tmp_path / "bags" / name for name in ("led", "policy")]
    convert_to_lerobot(bags, tmp_path / "data", version=version)
    data = open_dataset(tmp_path / "data")
    led, alone = (data.episode(number) for number in range(2))
    # The first frame is the image that the first motion answers.
    at = 0.5 + 0.1 * np.arange(len(led.action))
    assert np.array_equal(led.intervention, (at > 0.99) & (at < 1.99))
    assert not alone.intervention.any()


def test_a_dataset_without_interventions_is_as_before(tmp_path):
    moving_bag(tmp_path / "bag")
    convert_to_lerobot([tmp_path / "bag"], tmp_path / "data")
    assert open_dataset(tmp_path / "data").episode(0).intervention is None


@pytest.mark.parametrize("weight", [1.0, 20.0])
def test_interventions_are_drawn_as_often_as_they_weigh(tmp_path, weight):
    moving_bag(tmp_path / "bag", led=(1.0, 1.5))
    data = open_dataset(tmp_path / "bag")
    states, actions = data.table(0)
    space, felt = read_actions(data.info, "left", [actions], [states])
    seen = ChunkDataset(data, [0], space, felt, ("front",), (8, 8), 1, intervention_weight=weight)
    drawn = seen.draw(2000).state[:, 0]
    # Each moment has a state of its own: the arm moves all the time.
    own = torch.from_numpy(action_vectors(states, actions, space, felt)[0][:, 0])
    led = data.episode(0).intervention
    share = led[(drawn[:, None] - own).abs().argmin(1).numpy()].mean()
    inside = led.sum()
    assert share == pytest.approx(
        weight * inside / (weight * inside + len(led) - inside), abs=0.04
    )


def test_a_weight_that_is_none_is_refused(tmp_path, capsys):
    moving_bag(tmp_path / "bag", success=True)
    command = ["finetune", str(tmp_path / "bag"), "--out", str(tmp_path / "made")]
    assert main([*command, "--intervention-weight", "0"]) == 2
    assert "intervention weight 0.0; valid: above 0" in capsys.readouterr().err
