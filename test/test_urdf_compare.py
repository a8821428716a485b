"""A contract beside the robot description that is published."""

import dataclasses

import pytest
from test_from_urdf import urdf

from vlm_robot_ros.kinematics.urdf_compare import urdf_differences
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.robot.urdf_import import contract_from_urdf


@pytest.fixture(scope="module")
def robot(tmp_path_factory) -> RobotConfig:
    folder = tmp_path_factory.mktemp("askew")
    (folder / "askew.urdf").write_text(urdf())
    (folder / "askew.yaml").write_text(contract_from_urdf(folder / "askew.urdf", "tip", "slide"))
    return load_robot(folder / "askew.yaml")


def with_joint(robot, number, **changes):
    joints = list(robot.joints)
    joints[number] = dataclasses.replace(joints[number], **changes)
    return dataclasses.replace(robot, joints=tuple(joints))


def test_a_contract_of_the_description_agrees_with_it(robot):
    assert urdf_differences(robot, urdf()) == []


def test_narrower_limits_agree_and_wider_ones_do_not(robot):
    narrow = with_joint(robot, 0, position=(-1.0, 1.0), velocity=1.0)
    assert urdf_differences(narrow, urdf()) == []
    wide = with_joint(robot, 0, position=(-1.3, 2.0))
    (problem,) = urdf_differences(wide, urdf())
    assert "shoulder may go from -1.300 to 2.000 rad; in the description from -1.200" in problem
    (problem,) = urdf_differences(robot, urdf(speed=1.2))
    assert "shoulder may turn at 1.500 rad/s; in the description at 1.200" in problem


def test_a_tool_elsewhere_is_told_in_centimetres(robot):
    origin = list(robot.joints[1].origin)
    origin[2] += 0.03
    (problem,) = urdf_differences(with_joint(robot, 1, origin=tuple(origin)), urdf())
    assert "tip is up to 3.0 cm and 0.0 degrees from where the description has it" in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [("no xml", "the description cannot be read"),
     ("<robot name='a'><link name='b'/></robot>", "no joint shoulder, elbow, wrist"),
     (urdf().replace('"tip"', '"end_of_it"'), "no link tip: the tool's place is not compared")],
)  # fmt: skip
def test_what_cannot_be_compared_is_told(robot, text, problem):
    assert problem in urdf_differences(robot, text)[-1]
