"""Moments in which a person moved the arm, from the bag to the training."""

import numpy as np
import pytest
import torch
from bags import HOME, ROBOT, BagWriter, moving_bag

from vlm_robot_ros.bags.bag_dataset import open_dataset
from vlm_robot_ros.bags.interventions import interventions
from vlm_robot_ros.bags.recording import read_recording
from vlm_robot_ros.bags.to_lerobot import convert_to_lerobot
from vlm_robot_ros.cli.main import main
from vlm_robot_ros.data.action_space import read_actions
from vlm_robot_ros.kinematics.kinematics import Kinematics
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
    assert np.array_equal(led.intervention, (at > 0.99) & (at < 2.01))
    assert not alone.intervention.any()


def test_the_end_of_an_intervention_that_a_killed_node_left_out_is_its_last_action(tmp_path):
    bag = BagWriter(tmp_path / "bag")
    for tick in range(250):
        now = tick / 50
        bag.joints(now)
        if not 2.0 <= now < 4.0:
            bag.action(now, now, [0.4, 0.0, 0.3, 1.0, 0.0, 0.0, 0.0])
    for at, event in ((1.0, 4), (4.5, 4), (4.8, 5)):
        bag.mark(at, event)
    bag.close()
    recording = read_recording(tmp_path / "bag")
    assert interventions(recording) == [
        (pytest.approx(1.0), pytest.approx(1.98)),
        (pytest.approx(4.5), pytest.approx(4.8)),
    ]


def test_a_leader_arm_among_poses_is_data_of_poses(tmp_path):
    moving_bag(tmp_path / "bag", led=(1.0, 2.0), leader=True)
    episode = open_dataset(tmp_path / "bag").episode(0)
    assert len(episode.action) > 20
    assert episode.intervention.sum() == 11
    poses = episode.action[episode.intervention, :3]
    arm = Kinematics(ROBOT)
    for row, at in zip(poses, 1.08 + 0.1 * np.arange(10), strict=False):
        assert row == pytest.approx(arm.forward(HOME + 0.1 * np.sin(at))[:3, 3], abs=0.01)


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
