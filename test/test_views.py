"""What a policy is given of a camera: crops, and places out of distances."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from scipy.spatial.transform import Rotation

from vlm_robot_ros.data.camera_input import (
    CameraIntrinsics,
    backproject_depth,
    calibration,
    crop_image,
    to_policy_input,
)
from vlm_robot_ros.data.image_decoding import ImageError, to_depth
from vlm_robot_ros.demo.script import sample_seeded_scene
from vlm_robot_ros.paths import config_dir
from vlm_robot_ros.robot.config import camera_info_topic
from vlm_robot_ros.robot.contract_yaml import ContractError
from vlm_robot_ros.robot.loader import load_robot, parse_robot
from vlm_robot_ros.robot.sros2_policy import permissions
from vlm_robot_ros.sim.simulator import Simulator
from vlm_robot_ros.tasks.scene import VisualConditions

ROBOT = load_robot("panda_sim_rgbd")
DEPTH = ROBOT.camera("front_depth")
K = np.array([[100.0, 0, 1.5], [0, 200.0, 1], [0, 0, 1]])


def image(array, encoding, **changes):
    """Return what looks like a sensor_msgs Image."""
    height, width, size = array.shape[0], array.shape[1], array[0, 0].nbytes
    given = {"height": height, "width": width, "encoding": encoding, "step": width * size,
             "is_bigendian": 0, "data": array.tobytes()}  # fmt: skip
    return SimpleNamespace(**{**given, **changes})


def test_millimetres_and_metres_are_the_same_distances():
    metres = np.array([[0.5, 1.25, np.nan], [2.0, np.inf, -1.0]], np.float32)
    near = np.array([[500, 1250, 0], [2000, 0, 0]], np.uint16)
    expected = np.array([[0.5, 1.25, np.nan], [2.0, np.nan, np.nan]], np.float32)
    np.testing.assert_allclose(to_depth(image(metres, "32FC1")), expected)
    np.testing.assert_allclose(to_depth(image(near, "16UC1")), expected)
    swapped = image(near.astype(">u2"), "16UC1", is_bigendian=1)
    np.testing.assert_allclose(to_depth(swapped), expected)


def test_rows_may_be_longer_than_their_pixels():
    padded = np.zeros((2, 5), np.uint16)
    padded[:, :3] = [[1, 2, 3], [4, 5, 6]]
    depth = to_depth(image(padded, "16UC1", width=3, step=10))
    np.testing.assert_allclose(depth, np.array([[1, 2, 3], [4, 5, 6]]) / 1e3)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"encoding": "rgb8"}, "encoding 'rgb8'; valid for depth: 32FC1, 16UC1, mono16"),
        ({"data": b"12"}, "2 bytes of data"),
        ({"step": 3}, "step 3 for 3 pixels of 2 bytes"),
        ({"height": 0}, "size 3x0"),
    ],
)
def test_distances_that_are_none_are_refused_with_a_reason(changes, problem):
    with pytest.raises(ImageError, match=problem):
        to_depth(image(np.ones((2, 3), np.uint16), **{"encoding": "16UC1", **changes}))


def test_a_distance_becomes_a_place_where_the_camera_is():
    turn = Rotation.from_euler("xyz", [0.3, -0.2, 1.0])
    found = backproject_depth(np.full((3, 4), 2.0, np.float32), K, (1.0, 2.0, 3.0, 0.3, -0.2, 1.0))
    seen = np.array([1, 2, 3]) + turn.apply([(3 - 1.5) / 100 * 2, (0 - 1) / 200 * 2, 2.0])
    np.testing.assert_allclose(found[0, 3], seen, atol=1e-5)


def test_what_was_not_measured_has_no_place():
    assert np.isnan(backproject_depth(np.full((1, 1), np.nan, np.float32), K, (0.0,) * 6)).all()


def test_distances_need_a_calibration():
    message = image(np.ones((2, 3), np.float32), "32FC1")
    with pytest.raises(
        ImageError, match="without a calibration on 'camera/front/depth/camera_info'"
    ):
        to_policy_input(message, DEPTH)
    with pytest.raises(ImageError, match="focal lengths above 0"):
        calibration(SimpleNamespace(k=[0.0] * 9))


def test_a_crop_is_the_part_that_the_contract_names():
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    camera = replace(ROBOT.camera("wrist"), width=6, height=4, crop=(1, 2, 3, 4))
    np.testing.assert_array_equal(to_policy_input(image(pixels, "rgb8"), camera), pixels[1:, 2:])
    with pytest.raises(ImageError, match=r"size 5x4; .*crop \[1, 2, 3, 4\]: from 6x4"):
        crop_image(pixels[:, :5], camera)


COLOUR = replace(ROBOT.camera("wrist"), width=64, height=48)


@pytest.mark.parametrize("factor", [0.5, 2, 2.5])
def test_an_image_of_the_same_aspect_ratio_is_scaled_with_a_warning(factor):
    height, width = int(48 * factor), int(64 * factor)
    scene = np.empty((height, width, 3), np.uint8)
    scene[:, : width // 2], scene[:, width // 2 :] = (200, 30, 30), (30, 30, 200)
    warnings = []
    seen = to_policy_input(image(scene, "rgb8"), COLOUR, warn=warnings.append)
    assert seen.shape == (48, 64, 3)
    assert (seen[:, :30] == (200, 30, 30)).all()
    assert (seen[:, 34:] == (30, 30, 200)).all()
    assert warnings == [
        f"size {width}x{height}, but the contract has 64x48: scaled, which is right only if both "
        "show the same field of view"
    ]


def test_a_crop_of_a_scaled_image_is_of_the_same_part():
    scene = np.repeat(np.repeat(np.arange(48 * 64 * 3).reshape(48, 64, 3) % 251, 2, 0), 2, 1)
    camera = replace(COLOUR, crop=(10, 20, 30, 40))
    seen = to_policy_input(image(scene.astype(np.uint8), "rgb8"), camera)
    np.testing.assert_array_equal(seen, scene[20:80:2, 40:120:2])


def test_an_image_of_the_size_in_the_contract_is_not_warned_of():
    warnings = []
    scene = np.zeros((48, 64, 3), np.uint8)
    assert to_policy_input(image(scene, "rgb8"), COLOUR, warn=warnings.append).shape == scene.shape
    assert not warnings


@pytest.mark.parametrize("size", [(48, 128), (72, 128), (64, 48), (45, 64)])
def test_an_image_of_another_aspect_ratio_is_refused_with_both_sizes(size):
    message = image(np.zeros((*size, 3), np.uint8), "rgb8")
    with pytest.raises(
        ImageError, match=f"size {size[1]}x{size[0]}, but the contract has 64x48; valid: that size"
    ):
        to_policy_input(message, COLOUR)


def test_distances_of_another_size_are_not_interpolated():
    camera = replace(DEPTH, width=4, height=2, pose=(0.0,) * 6, crop=())
    depth = np.ones((4, 8), np.float32)
    depth[:, 4:] = 3.0
    warnings = []
    known = CameraIntrinsics(K, (4, 8))
    seen = to_policy_input(image(depth, "32FC1"), camera, known, warnings.append)
    assert seen.shape == (2, 4, 3)
    assert set(np.unique(seen[..., 2])) == {1.0, 3.0}
    assert "size 8x4, but the contract has 4x2: scaled" in warnings[0]
    with pytest.raises(ImageError, match="size 8x4, but the contract has 4x4"):
        to_policy_input(image(depth, "32FC1"), replace(camera, height=4), known)


def test_the_places_of_a_depth_camera_are_those_of_the_table_and_of_what_stands_on_it():
    sim, scene = Simulator(ROBOT), replace(sample_seeded_scene(3), look=VisualConditions())
    sim.reset(scene)
    seen, shown = sim.observe("front_depth"), sim.render_things()
    sim.close()
    above = seen[(shown == 0) & (np.abs(seen[..., 0] - 0.5) < 0.2) & (np.abs(seen[..., 1]) < 0.2)]
    assert np.abs(np.percentile(above[:, 2], [10, 50])).max() < 1e-3
    for number, place in enumerate(sim.positions):
        surface = np.median(seen[shown == number + 1], 0)
        assert np.linalg.norm(surface - place) < 0.06


@pytest.fixture
def content():
    return yaml.safe_load((config_dir() / "arms" / "panda_sim_rgbd.yaml").read_text())


def test_a_depth_camera_without_a_pose_is_refused(content):
    del content["cameras"][1]["pose"]
    with pytest.raises(ContractError, match=r"cameras\[1\]: depth: a depth camera needs 'pose'"):
        parse_robot(content)


def test_a_depth_camera_has_its_pose_from_the_contract_or_from_tf(content):
    content["cameras"][1]["pose_from_tf"] = True
    with pytest.raises(ContractError, match=r"cameras\[1\]: pose_from_tf: there is a 'pose', too"):
        parse_robot(content)
    del content["cameras"][1]["pose"]
    with pytest.raises(ContractError, match="which the simulated arm does not publish"):
        parse_robot(content)
    content["simulation"] = ""
    camera = parse_robot(content).cameras[1]
    assert camera.pose_from_tf
    assert not camera.pose


@pytest.mark.parametrize("crop", [[0, 0, 513, 100], [-1, 0, 10, 10], [0, 0, 0, 10], [0, 0, 10]])
def test_a_crop_outside_the_image_is_refused(content, crop):
    content["cameras"][0]["crop"] = crop
    with pytest.raises(ContractError, match=r"cameras\[0\]: crop"):
        parse_robot(content)


def test_depth_is_true_or_false(content):
    content["cameras"][0]["depth"] = "yes"
    with pytest.raises(ContractError, match="depth: got 'yes'; it must be true or false"):
        parse_robot(content)


def test_a_node_is_permitted_to_hear_the_calibration_of_a_depth_camera():
    assert "camera/front/depth/camera_info" in permissions(ROBOT, "/arm/policy_node")


def test_a_calibration_of_another_size_is_refused():
    known = CameraIntrinsics(K, (480, 640))
    message = image(np.ones((2, 3), np.float32), "32FC1")
    with pytest.raises(ImageError, match=r"size 3x2, but the calibration .* is of 640x480"):
        to_policy_input(message, DEPTH, known)


@pytest.mark.parametrize(
    ("topic", "info"),
    [("image", "camera_info"), ("/image", "/camera_info"), ("a/b/image_raw", "a/b/camera_info")],
)
def test_a_calibration_is_beside_its_images(topic, info):
    assert camera_info_topic(topic) == info


def test_two_calibrations_on_one_topic_are_refused(content):
    content["cameras"][1]["topic"] = "camera/front/depth_raw"
    with pytest.raises(
        ContractError, match="'front_depth' would be on 'camera/front/camera_info'"
    ):
        parse_robot(content)
