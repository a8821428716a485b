"""Maps between a robot's contract and the policies of others: observations out, actions in."""

import numpy as np
import pytest
from observations import FRONT, JOINTS, POSE, ROBOT, SEEN
from scipy.spatial.transform import Rotation

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.policies.remote.action_mapping import find_actions, map_actions
from vlm_robot_ros.policies.remote.observation_mapping import map_observation
from vlm_robot_ros.policies.remote.policy_map_loader import (
    PolicyMapError,
    load_policy_map,
    map_names,
    parse_policy_map,
)
from vlm_robot_ros.policies.remote.rotations import read_rotation, write_rotation

GOOD = {"actions": {"mode": "joint_position", "rate": 10.0, "gripper": {"column": 7}}}


def chunk_of(table, **actions):
    fields = {"rate": 10.0, "gripper": {"column": 7}, **actions}
    found = parse_policy_map({"actions": fields}, ROBOT)
    return map_actions(found.actions, ROBOT, SEEN, np.asarray(table, float))


def leaves(message):
    for value in message.values():
        yield from leaves(value) if isinstance(value, dict) else [value]


@pytest.mark.parametrize("name", [name for name in map_names() if name != "aloha"])
def test_a_shipped_map_fits_the_simulated_arm(name):
    found = load_policy_map(name, ROBOT)
    message = map_observation(found, SEEN)
    assert found.about
    values = list(leaves(message))
    assert len(values) == len(found.cameras) + len(found.state) + 1
    assert SEEN.instruction in [each for each in values if isinstance(each, str)]


def test_droid_reads_joints_a_closed_gripper_of_one_and_padded_images():
    message = map_observation(load_policy_map("droid", ROBOT), SEEN)
    assert message["observation/joint_position"] == pytest.approx(JOINTS, abs=1e-6)
    assert message["observation/gripper_position"] == pytest.approx([0.25])
    image = message["observation/exterior_image_1_left"]
    assert (image.shape, image.dtype) == ((224, 224, 3), np.uint8)


def test_droid_moves_a_fifth_of_a_radian_a_step_from_where_the_joints_are():
    found = load_policy_map("droid", ROBOT)
    table = np.zeros((10, 8))
    table[:, 0], table[:, 1], table[:5, 7] = 1.0, -3.0, 0.6
    chunk = map_actions(found.actions, ROBOT, SEEN, table)
    assert chunk.mode is ActionMode.JOINT_POSITION
    assert chunk.step_dt == pytest.approx(1 / 15)
    assert chunk.values[:, 0] == pytest.approx(JOINTS[0] + 0.2 * np.arange(1, 11))
    assert chunk.values[:, 1] == pytest.approx(JOINTS[1] - 0.2 * np.arange(1, 11))  # clipped
    assert chunk.gripper.tolist() == [0.0] * 5 + [1.0] * 5
    assert not chunk.gripper_at_once


def test_libero_reads_a_pose_and_two_fingers_and_mirrored_images():
    message = map_observation(load_policy_map("libero", ROBOT), SEEN)
    state = message["observation/state"]
    assert state[:3] == pytest.approx(POSE[:3], abs=1e-6)
    assert Rotation.from_rotvec(state[3:6]).as_matrix() == pytest.approx(
        Rotation.from_quat(POSE[3:]).as_matrix(), abs=1e-6
    )
    assert state[6:] == pytest.approx([0.03, -0.03])
    found = load_policy_map("libero", ROBOT)
    small = found.model_copy(
        update={"cameras": [found.cameras[0].model_copy(update={"size": None})]}
    )
    image = map_observation(small, SEEN)["observation/image"]
    raw = FRONT[::-1]  # as robosuite renders it
    np.testing.assert_array_equal(image, raw[::-1, ::-1])  # as openpi turns it


def test_libero_moves_five_centimetres_a_step_and_turns_about_the_base_axes():
    found = load_policy_map("libero", ROBOT)
    table = np.zeros((4, 7))
    table[:, 2], table[:, 5], table[:, 6] = 1.0, 0.2, [-1, -1, 1, 1]
    chunk = map_actions(found.actions, ROBOT, SEEN, table)
    assert chunk.mode is ActionMode.END_EFFECTOR_POSE
    assert chunk.values[:, :3] == pytest.approx(POSE[:3] + np.outer(np.arange(1, 5), [0, 0, 0.05]))
    turned = Rotation.from_quat(chunk.values[3, 3:]) * Rotation.from_quat(POSE[3:]).inv()
    assert turned.as_rotvec() == pytest.approx([0, 0, 0.4])
    assert chunk.gripper.tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("kind", ["quaternion", "rotation_vector", "euler", "rotation_6d"])
def test_a_rotation_is_read_as_it_is_written(kind):
    turns = Rotation.random(20, random_state=1)
    written = np.array([write_rotation(kind, quaternion) for quaternion in turns.as_quat()])
    again = read_rotation(kind, written)
    assert (again * turns.inv()).magnitude() == pytest.approx(np.zeros(20), abs=1e-6)
    if kind in ("quaternion", "rotation_6d"):  # networks write them about right
        again = read_rotation(kind, written * 1.02)
        assert (again * turns.inv()).magnitude() == pytest.approx(np.zeros(20), abs=1e-6)


def test_joints_in_degrees_and_deltas_and_velocities_are_positions_in_radians():
    table = np.tile(np.r_[np.rad2deg(JOINTS), 1.0], (3, 1))
    assert chunk_of(table, mode="joint_position", unit="deg").values[2] == pytest.approx(JOINTS)
    table = np.tile(np.r_[np.full(7, 0.01), 1.0], (3, 1))
    for actions, last in (
        ({"mode": "joint_delta"}, 0.03),
        ({"mode": "joint_velocity"}, 0.003),
        ({"mode": "joint_delta", "relative_to": "observation"}, 0.01),
    ):
        assert chunk_of(table, **actions).values[2] == pytest.approx(JOINTS + last)


def test_a_pose_delta_in_the_tool_frame_goes_along_the_tool():
    table = np.zeros((2, 8))
    table[:, 2], table[:, 7] = 0.1, 1.0  # along the tool, which points down
    chunk = chunk_of(table, mode="pose_delta", frame="tool")
    assert chunk.values[:, 2] == pytest.approx(POSE[2] - np.array([0.1, 0.2]), abs=1e-3)
    assert chunk_of(table, mode="pose_delta").values[1, 2] == pytest.approx(POSE[2] + 0.2)


def test_nested_keys_and_templates_and_channels_first():
    content = {
        "cameras": [{"key": ["images", "cam_high"], "camera": "front", "layout": "chw"}],
        "state": [{"key": "state", "parts": [{"values": "joints", "unit": "deg"}]}],
        "prompt": {"text": "Task: {instruction}."},
        "actions": {"mode": "joint_position", "rate": 50.0, "gripper": {"column": 7}},
    }
    message = map_observation(parse_policy_map(content, ROBOT), SEEN)
    np.testing.assert_array_equal(message["images"]["cam_high"], FRONT.transpose(2, 0, 1))
    assert message["state"] == pytest.approx(np.rad2deg(JOINTS), rel=1e-5)
    assert message["prompt"] == "Task: pick up the lemon."


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((3, 7)), "the actions have 7 values; the map for robot 'panda_sim' needs 8"),
        (np.full((3, 8), 35.0), "the gripper's values go from 35 to 35"),
    ],
)
def test_actions_that_do_not_fit_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        chunk_of(table, mode="joint_position")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"action": [[1.0]]}, "no 'actions'; it has: action"),
        ({"actions": "left"}, "no numbers"),
        ({"actions": [[1.0, float("nan")]]}, "not finite"),
        ({"actions": np.zeros((2, 2, 2))}, r"shape \(2, 2, 2\)"),
        ({"actions": np.zeros((0, 8))}, "at most 1000 steps"),
        ({"actions": np.zeros((1001, 8))}, "at most 1000 steps"),
    ],
)
def test_answers_without_actions_are_refused(answer, message):
    found = parse_policy_map(GOOD, ROBOT)
    with pytest.raises(ValueError, match=message):
        find_actions(found.actions, answer)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected a mapping, got list"),
        ({}, "'actions' is missing"),
        ({**GOOD, "camera": []}, "unknown field"),
        ({"actions": {"mode": "fly", "rate": 10.0}}, "joint_position"),
        ({"actions": {"mode": "pose", "rate": 0}}, "rate"),
        (
            {**GOOD, "cameras": [{"key": "a", "camera": "top"}]},
            "camera 'top'; robot 'panda_sim' has",
        ),
        ({**GOOD, "cameras": [{"key": "prompt", "camera": "front"}]}, "'prompt' is given twice"),
        ({**GOOD, "prompt": {"text": "{task}"}}, "valid: {instruction}"),
        ({"actions": {**GOOD["actions"], "gripper": {"column": 3}}}, "column 3 is of the gripper"),
        (
            {"actions": {**GOOD["actions"], "gripper": None}},
            "no gripper; robot 'panda_sim' has one",
        ),
        ({"actions": {**GOOD["actions"], "gripper": {"column": 7, "open": 0.0}}}, "are both 0"),
    ],
)
def test_a_map_that_is_wrong_is_refused_with_what_is_valid(content, message):
    with pytest.raises(PolicyMapError, match=message):
        parse_policy_map(content, ROBOT)


def test_a_map_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(PolicyMapError, match="valid: aloha, droid, groot, lerobot, libero, or"):
        load_policy_map("", ROBOT)
    with pytest.raises(PolicyMapError, match="no map in"):
        load_policy_map(tmp_path / "mine.yaml", ROBOT)


def test_a_rotation_vector_does_not_jump_where_the_tool_points_down():
    tilts = Rotation.from_rotvec(np.outer(np.pi + np.linspace(-0.2, 0.2, 21), [1, 0, 0]))
    written = np.array([write_rotation("rotation_vector", each.as_quat()) for each in tilts])
    assert np.abs(np.diff(written, axis=0)).max() < 0.05
    assert (Rotation.from_rotvec(written) * tilts.inv()).magnitude() == pytest.approx(
        np.zeros(21), abs=1e-9
    )
