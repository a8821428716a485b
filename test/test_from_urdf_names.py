"""Contracts from descriptions of many kinds: odd names, arms without gripper, soft limits."""

from xml.sax.saxutils import quoteattr

import numpy as np
import pytest
import yaml

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.robot.config import WITHOUT_GRIPPER, CommandSink
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.robot.soft_limits import soft_limits

NAMES = tuple(f"joint{number}" for number in range(1, 7))
LIMIT = '<limit lower="-2" upper="2" velocity="{0}" effort="5"/>'
FINGER = '<limit lower="0" upper="1" velocity="1" effort="1"/>'


def urdf(names=NAMES, robot="arm", links=None, finger=("finger_joint", "revolute", FINGER),
         finger_link="finger", speed=2, extra=""):  # fmt: skip
    """Return an arm of joints about z and y, and a finger at its end unless it is None."""
    links = links or [f"link{number}" for number in range(len(names) + 1)]
    parts = [f"<link name={quoteattr(link)}/>" for link in links]
    for number, name in enumerate(names):
        axis = "0 1 0" if number % 2 else "0 0 1"
        parts.append(
            f'<joint name={quoteattr(name)} type="revolute"><parent link="{links[number]}"/>'
            f'<child link="{links[number + 1]}"/><origin xyz="0 0 0.15"/><axis xyz="{axis}"/>'
            f"{LIMIT.format(speed)}{extra}</joint>"
        )
    if finger:
        name, kind, limit = finger
        parts.append(
            f'<link name="{finger_link}"/><joint name={quoteattr(name)} type="{kind}">'
            f'<parent link="{links[-1]}"/><child link="{finger_link}"/><axis xyz="0 1 0"/>'
            f"{limit}</joint>"
        )
    return f"<robot name={quoteattr(robot)}>{''.join(parts)}</robot>"


@pytest.fixture
def made(tmp_path, capsys):
    """Return what makes a contract: its status, the robot if there is one, and what was said."""

    def make(text, *options, tool="link6"):
        source, out = tmp_path / "arm.urdf", tmp_path / "arm.yaml"
        source.write_text(text, encoding="utf-8")
        command = ["contract", "from-urdf", str(source), "--tool", tool, "--out", str(out)]
        status = main([*command, *options])
        said = "".join(capsys.readouterr())
        assert out.exists() == (status == 0), "what is refused is not written"
        if status == 0:
            assert main(["contract", "check", str(out)]) == 0, capsys.readouterr().err
        return status, load_robot(out) if status == 0 else None, said

    return make


@pytest.mark.parametrize(
    "names",
    [
        ("y", "n", "on", "off", "null", "joint: a"),
        ("1", "2.5", "0x10", "1e3", "~", ".nan"),
        ("yes", "No", "true", "2026-11-29", "1:30", "0o7"),
        ("arm,1", "arm}2", "arm#3", "arm 4", "a'5", 'a"6'),
        ("- a", "[b]", "*c", "&d", "!e", "%f"),
        ("é", "関節", "\U0001f9be", "a\\b", "a # b", "? g"),
    ],
)
def test_every_name_of_a_joint_is_kept_as_it_is(made, names):
    status, robot, said = made(urdf(names), "--gripper", "finger_joint")
    assert status == 0, said
    assert robot.joint_names == names


@pytest.mark.parametrize("name", ["7", "my arm: left", "no", "null", "a, b", "#1"])
def test_every_name_of_robot_link_and_gripper_is_kept_as_it_is(made, name):
    links = [name, *(f"link{number}" for number in range(1, 7))]
    text = urdf(robot=name, links=links, finger=(name, "revolute", FINGER))
    status, robot, said = made(text, "--gripper", name)
    assert status == 0, said
    assert (robot.name, robot.base_frame, robot.gripper.joint) == (name, name, name)


@pytest.mark.parametrize(
    ("text", "options", "tool"),
    [
        (urdf(finger=("grip", "revolute", FINGER),
              links=[*(f"l{n}" for n in range(6)), "grip"], finger_link="jaw"),
         ("--gripper", "grip"), "grip"),
        (urdf(("base", *NAMES[1:]), links=["base", *(f"l{n}" for n in range(6))]),
         ("--gripper", "finger_joint"), "l5"),
        (urdf(links=(*NAMES, "tip")), ("--gripper", "finger_joint", "--base", "joint1"), "tip"),
    ],
)  # fmt: skip
def test_a_joint_may_have_the_name_of_a_link(made, text, options, tool):
    status, robot, said = made(text, *options, tool=tool)
    assert status == 0, said
    assert len(robot.joints) == 6
    assert robot.tool_frame == tool


@pytest.mark.parametrize(
    ("finger", "options", "said"),
    [
        (None, (), "without gripper\n"),
        (("finger", "fixed", ""), (), "without gripper\n"),
        (("finger", "fixed", ""), ("--gripper", "finger"), "without gripper\n"),
        (("finger", "revolute", FINGER), (), "moving joints besides the arm's: finger\n"),
    ],
)
def test_an_arm_without_a_moving_gripper_has_a_contract_without_gripper(
    made, finger, options, said
):
    status, robot, text = made(urdf(finger=finger), *options)
    assert status == 0, text
    assert said in text
    assert (robot.gripper, robot.has_gripper, robot.finger_names) == (WITHOUT_GRIPPER, False, ())
    assert robot.gripper.fraction(0.3) == 0.3
    assert robot.sinks == (
        CommandSink("joint_trajectory", "joint_trajectory_controller/joint_trajectory"),
    )


def test_a_gripper_that_is_not_there_is_refused_with_what_to_do(made):
    status, _, said = made(urdf(finger=None), "--gripper", "finger_joint")
    assert status == 2
    assert "no joint 'finger_joint' for the gripper; there is none but the arm's" in said
    assert "leave it out for an arm without gripper" in said


def test_the_ends_of_a_continuous_gripper_are_marked_as_invented(made, tmp_path):
    text = urdf(finger=("grip", "continuous", '<limit velocity="3" effort="1"/>'))
    status, robot, said = made(text, "--gripper", "grip")
    assert status == 0, said
    assert (robot.gripper.joint, robot.gripper.closed, robot.gripper.open) == ("grip", 0.0, 1.0)
    lines = (tmp_path / "arm.yaml").read_text().splitlines()
    above = lines[[line.startswith("gripper:") for line in lines].index(True) - 1]
    assert "# check" in above
    assert "invented: the joint is continuous" in above


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (urdf(speed=100), "joint 'joint1' has a velocity limit of 100; valid: up to 30 rad/s"),
        (
            urdf((*NAMES, *(f"joint{n}" for n in range(7, 12)))),
            "joints: 11 of them; valid: 10 at most",
        ),
        (urdf(robot=""), "name: got ''; it must be a text"),
        (
            urdf().replace('lower="-2" upper="2"', 'lower="0" upper="0.01"'),
            "position: 0.0 to 0.01",
        ),
        (urdf().replace('lower="-2" upper="2"', 'lower="-180" upper="180"'), "valid: radians"),
    ],
)
def test_what_the_check_would_refuse_is_refused_at_once(made, text, problem):
    tool = "link11" if "link11" in text else "link6"
    status, _, said = made(text, "--gripper", "finger_joint", tool=tool)
    assert status == 2
    assert problem in said


@pytest.mark.parametrize(
    ("soft", "limits"),
    [
        ('soft_lower_limit="-1.5" soft_upper_limit="1.25"', (-1.5, 1.25)),
        ('soft_lower_limit="-3" soft_upper_limit="3"', (-2, 2)),
        ('soft_lower_limit="-1" soft_upper_limit="3"', (-1, 2)),
        ('soft_upper_limit="1"', (-2, 1)),
        ('soft_lower_limit="0" soft_upper_limit="0"', (-2, 2)),
        ("", (-2, 2)),
    ],
)
def test_soft_limits_count_where_they_are_inside_the_limits(made, soft, limits):
    text = urdf(extra=f'<safety_controller k_velocity="10" {soft}/>')
    status, robot, said = made(text, "--gripper", "finger_joint")
    assert status == 0, said
    np.testing.assert_allclose([joint.position for joint in robot.joints], [limits] * 6)


def test_a_gripper_has_soft_limits_too(made):
    soft = '<safety_controller k_velocity="1" soft_lower_limit="0.1" soft_upper_limit="0.9"/>'
    status, robot, said = made(
        urdf(finger=("grip", "revolute", FINGER + soft)), "--gripper", "grip"
    )
    assert status == 0, said
    assert (robot.gripper.closed, robot.gripper.open) == (0.1, 0.9)


@pytest.mark.parametrize(
    ("soft", "problem"),
    [
        ('soft_lower_limit="3" soft_upper_limit="4"', "joint 'joint1' has soft limits 3 to 4"),
        ('soft_lower_limit="1" soft_upper_limit="-1"', "soft limits 1 to -1, but its limits are"),
        ('soft_lower_limit="low"', "cannot be read as a URDF"),
        ('soft_lower_limit="nan"', "cannot be read as a URDF"),
    ],
)
def test_soft_limits_that_leave_nothing_are_refused(made, soft, problem):
    text = urdf(extra=f'<safety_controller k_velocity="10" {soft}/>')
    status, _, said = made(text, "--gripper", "finger_joint")
    assert status == 2
    assert problem in said


def test_soft_limits_are_by_joint():
    given = '<safety_controller k_velocity="1" soft_lower_limit="-1"/>'
    assert soft_limits(urdf(extra=given))["joint3"] == (-1.0, np.inf)
    assert soft_limits(urdf()) == {}


def test_small_numbers_are_numbers_for_every_reader_of_yaml(made, tmp_path):
    text = urdf().replace('xyz="0 0 0.15"', 'xyz="4e-6 0 0.15"')
    status, _, said = made(text, "--gripper", "finger_joint")
    assert status == 0, said
    content = yaml.safe_load((tmp_path / "arm.yaml").read_text())
    numbers = [value for joint in content["joints"] for value in joint["origin"]]
    assert all(isinstance(value, float) for value in numbers)
    assert 0 < min(map(abs, filter(None, numbers))) < 1e-4
