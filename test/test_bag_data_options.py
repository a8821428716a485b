"""What of bags becomes data: cameras, sizes, what states and actions are, marks of success."""

import json

import numpy as np
import pyarrow.parquet as parquet
import pytest
from bags import moving_bag

from vlm_robot_ros.bags.bag import BagError
from vlm_robot_ros.bags.bag_dataset import BagDataset, BagOptions
from vlm_robot_ros.cli.main import main
from vlm_robot_ros.data.dataset import open_data_folder
from vlm_robot_ros.interfaces.action import POSE_NAMES
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.policies.remote.policy_map_loader import load_policy_map
from vlm_robot_ros.robot.loader import load_robot


def test_cameras_and_image_sizes_are_chosen_and_the_map_says_so(tmp_path, capsys):
    moving_bag(tmp_path / "bag")
    command = ["bag", "convert", str(tmp_path / "bag"), "--cameras", "front"]
    options = ["--image-size", "96x64", "--out", str(tmp_path / "out")]
    assert main([*command, *options]) == 0
    data = open_data_folder(tmp_path / "out").episode(0)
    assert {name: each.shape[1:] for name, each in data.images.items()} == {
        "observation.images.front": (64, 96, 3)
    }
    robot = load_robot("panda_sim")
    found = load_policy_map(tmp_path / "out" / "meta" / "policy_map.yaml", robot)
    assert [(camera.camera, camera.size) for camera in found.cameras] == [("front", [96, 64])]
    assert load_robot(tmp_path / "out" / "meta" / "contract.yaml") == robot
    with pytest.raises(BagError, match=r"camera 'top' is not .* valid: front, wrist"):
        BagDataset([tmp_path / "bag"], BagOptions(cameras=("top",)))
    with pytest.raises(SystemExit):
        main([*command, "--image-size", "96", "--out", str(tmp_path / "b")])
    assert "valid: WIDTHxHEIGHT" in capsys.readouterr().err


def test_actions_become_the_joints_that_the_arm_had_next(tmp_path):
    moving_bag(tmp_path / "bag")
    told = BagDataset([tmp_path / "bag"])
    done = BagDataset([tmp_path / "bag"], BagOptions(joint_actions=True))
    assert done.info.action_names == done.info.state_names
    state, action = done.table(0)
    np.testing.assert_allclose(action[:-1, :-1], state[1:, :-1], atol=2e-3)
    np.testing.assert_array_equal(action[:, -1], told.table(0)[1][: len(action), -1])


def test_the_state_may_be_the_pose_of_the_tool_and_the_map_says_so(tmp_path):
    moving_bag(tmp_path / "bag")
    joints = BagDataset([tmp_path / "bag"])
    both = BagDataset([tmp_path / "bag"], BagOptions(state=("joints", "pose")))
    assert both.info.state_names == (*joints.info.state_names[:-1], *POSE_NAMES, "gripper")
    state, (felt, _) = both.table(0)[0], joints.table(0)
    np.testing.assert_array_equal(state[:, :7], felt[:, :7])
    kinematics = Kinematics(load_robot("panda_sim"))
    poses = [transform_to_pose7(kinematics.forward(row[:7].astype(float))) for row in felt]
    np.testing.assert_allclose(state[:, 7:10], np.array(poses)[:, :3], atol=1e-5)
    alike = np.abs((state[:, 10:14] * np.array(poses)[:, 3:]).sum(1))
    np.testing.assert_allclose(alike, 1.0, atol=1e-5)
    assert ((state[1:, 10:14] * state[:-1, 10:14]).sum(1) > 0).all()  # it never jumps
    out = tmp_path / "out"
    assert (
        main(["bag", "convert", str(tmp_path / "bag"), "--state", "pose", "--out", str(out)]) == 0
    )
    found = load_policy_map(out / "meta" / "policy_map.yaml", load_robot("panda_sim"))
    assert [part.values for part in found.state[0].parts] == ["position", "quaternion", "gripper"]
    assert open_data_folder(out).info.state_names == (*POSE_NAMES, "gripper")


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_success_marks_are_columns_of_marked_episodes(tmp_path, version):
    for name, success in (("good", True), ("bad", False), ("unmarked", None)):
        moving_bag(tmp_path / "bags" / name, success=success)
    out = tmp_path / "out"
    command = ["bag", "convert", str(tmp_path / "bags"), "--success-marks", "--out", str(out)]
    assert main([*command, "--format", version]) == 0
    rows = [row for file in sorted(out.glob("data/**/*.parquet"))
            for row in parquet.read_table(file).to_pylist()]  # fmt: skip
    assert {row["episode_index"] for row in rows} == {0, 1}
    last = [row for row in rows if row["next.done"]]
    assert [row["episode_index"] for row in last] == [0, 1]
    assert sorted(row["next.success"] for row in last) == [False, True]
    assert sum(row["next.success"] for row in rows) == 1
    features = json.loads((out / "meta" / "info.json").read_text())["features"]
    assert features["next.success"] == {"dtype": "bool", "shape": [1], "names": None}
    assert len(open_data_folder(out)) == 2


def test_without_being_asked_for_a_dataset_has_no_success_marks(tmp_path):
    moving_bag(tmp_path / "bag", success=True)
    assert main(["bag", "convert", str(tmp_path / "bag"), "--out", str(tmp_path / "out")]) == 0
    features = json.loads((tmp_path / "out" / "meta" / "info.json").read_text())["features"]
    assert not [name for name in features if name.startswith("next.")]
