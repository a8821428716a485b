"""`vlm-robot contract check --live`: streams, and whether camera and arm agree."""

import subprocess

import numpy as np
import pytest
from test_open_scene import MATRIX, POSE, ROBOT, SIDE, rendered

from vlm_robot_ros.data.camera_input import CameraIntrinsics, backproject_depth
from vlm_robot_ros.ros.geometry_check import check_geometry

INTRINSICS = CameraIntrinsics(MATRIX, (SIDE, SIDE))
TOOL = np.eye(4)
TOOL[:3, 3] = [-0.05, 0.0, 1.0]
GRIPPER = ((-0.06, -0.01, 1.0), (-0.04, 0.01, 1.06))
"""What the camera sees of the hand: its tips are where the tool is."""


def check(boxes, pose=POSE, tool=TOOL):
    distances, _ = rendered(boxes)
    points = backproject_depth(distances, MATRIX, pose)
    image = np.full((SIDE, SIDE, 3), 90, np.uint8)
    depth = ROBOT.camera("front_depth")
    return check_geometry(image, points, depth, INTRINSICS, ROBOT.workspace, tool)


def test_a_camera_that_agrees_with_table_and_tool_has_no_problem():
    found = check([GRIPPER])
    assert not found.problems
    assert abs(found.table) < 0.002
    assert found.tool < 0.02


def test_what_was_measured_of_the_table_is_drawn_green_and_the_tool_in_its_axes_colours():
    found = check([GRIPPER])
    assert found.image.shape[1] >= 640
    green = (found.image[..., 1].astype(int) - found.image[..., 0]) > 20
    assert 0.02 < green.mean() < 0.95
    assert (found.image == (60, 110, 255)).all(2).any()


@pytest.mark.parametrize(
    ("moved", "problem"),
    [((0.0, 0.0, 0.05), "the table is measured 5.0 cm above"),
     ((0.0, 0.12, 0.0), "little is measured nearer to the tool")],
)  # fmt: skip
def test_a_camera_that_is_not_where_the_contract_says_is_told_by_table_or_tool(moved, problem):
    found = check([GRIPPER], (*np.add(POSE[:3], moved), *POSE[3:]))
    assert any(problem in each for each in found.problems), found.problems


def test_a_camera_that_measures_nothing_is_a_problem_and_no_crash():
    points = np.full((SIDE, SIDE, 3), np.nan)
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    depth = ROBOT.camera("front_depth")
    found = check_geometry(image, points, depth, INTRINSICS, ROBOT.workspace, TOOL)
    assert len(found.problems) == 2


def test_the_simulated_arm_agrees_with_its_contract(graph, tmp_path):
    graph.start("arm_sim_node", robot="panda_sim_rgbd", seed=1)
    status, told = _live(graph, tmp_path, "panda_sim_rgbd", 60)
    assert status == 0, told
    assert "front_depth: the table is measured" in told
    assert "no robot_description was published" in told
    assert (tmp_path / "live_front_depth.png").stat().st_size > 10_000


def test_streams_that_do_not_come_and_another_description_are_named(graph, tmp_path):
    pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from std_msgs.msg import String

    kept = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    publisher = graph.node.create_publisher(String, "robot_description", kept)
    publisher.publish(String(data="<robot name='a'><link name='b'/></robot>"))
    status, told = _live(graph, tmp_path, "panda_sim_rgbd", 5)
    assert status == 1, told
    assert "camera/front/depth/image_rect_raw | 0 |" in told
    assert "camera and arm are not compared" in told
    assert "robot_description: the description has no joint panda_joint1" in told


def _live(graph, folder, robot, seconds):
    process = graph.python(
        "-m", "vlm_robot_ros.cli.main", "contract", "check", robot, "--live",
        "--seconds", str(seconds), "--out", str(folder / "live"),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    told, _ = process.communicate(timeout=120)
    return process.returncode, told
