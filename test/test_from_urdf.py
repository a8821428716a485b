"""Contracts from robot descriptions: what is in them is right, what is not is marked."""

import numpy as np
import pinocchio
import pytest

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.robot.contract_yaml import ContractError
from vlm_robot_ros.robot.loader import load_robot

JOINT = """
  <joint name="{name}" type="{kind}">
    <parent link="{parent}"/><child link="{child}"/>
    <origin xyz="{xyz}" rpy="{rpy}"/><axis xyz="{axis}"/>
    {limit}
  </joint>
"""
LIMIT = '<limit lower="{0}" upper="{1}" velocity="{2}" effort="10"/>'
LINKS = ("world", "base", "upper", "fore", "hand", "finger", "tip")


def urdf(speed=1.5, elbow="revolute"):
    """Return an arm of three joints with axes askew, a finger, and a link at its tip."""
    parts = [f'<link name="{name}"/>' for name in LINKS]

    def joint(name, kind, parent, child, xyz, rpy, axis, limit=""):
        parts.append(JOINT.format(**locals()))

    joint("foot", "fixed", "world", "base", "0.1 0.2 0.3", "0 0 0.5", "0 0 1")
    joint("shoulder", "revolute", "base", "upper", "0 0 0.2", "0.3 0 0", "0 1 0",
          LIMIT.format(-1.2, 2.0, speed))  # fmt: skip
    joint("elbow", elbow, "upper", "fore", "4e-6 0.1 0.4", "0 0.2 0.1", "1 0 0",
          LIMIT.format(-2.5, 0.5, 2.0))  # fmt: skip
    joint("wrist", "continuous", "fore", "hand", "0.3 0 0", "0 0 0", "0.6 0 0.8",
          '<limit velocity="3.0" effort="10"/>')  # fmt: skip
    joint("slide", "prismatic", "hand", "finger", "0 0 0.1", "0 0 0", "0 1 0",
          LIMIT.format(0.0, 0.04, 0.2))  # fmt: skip
    joint("end", "fixed", "hand", "tip", "0.02 3e-9 0.15", "0.1 0.2 0.3", "0 0 1")
    return f'<robot name="askew">{"".join(parts)}</robot>'


@pytest.fixture
def description(tmp_path):
    path = tmp_path / "askew.urdf"
    path.write_text(urdf())
    return path


def make(description, *options):
    out = description.with_suffix(".yaml")
    command = ["contract", "from-urdf", str(description), "--out", str(out), *options]
    return main(command), out


@pytest.mark.parametrize("base", ["", "base"])
def test_a_contract_moves_as_the_description_does(description, base):
    options = ("--tool", "tip", "--gripper", "slide", *(("--base", base) if base else ()))
    status, out = make(description, *options)
    assert status == 0
    robot = load_robot(out)
    assert robot.joint_names == ("shoulder", "elbow", "wrist")
    assert (robot.gripper.joint, robot.gripper.open) == ("slide", 0.04)
    assert robot.velocity == pytest.approx([1.5, 2.0, 3.0])
    assert [joint.continuous for joint in robot.joints] == [False, False, True]
    assert robot.lower == pytest.approx([-1.2, -2.5, -2 * np.pi], abs=1e-5)
    assert not robot.simulated
    model = pinocchio.buildModelFromXML(description.read_text())
    data = model.createData()
    rng = np.random.default_rng(0)
    for _ in range(20):
        angles = rng.uniform(-1, 0.5, 3)
        # pinocchio has a continuous joint as cosine and sine
        q = np.array([*angles[:2], np.cos(angles[2]), np.sin(angles[2]), 0.0])
        pinocchio.framesForwardKinematics(model, data, q)
        foot = data.oMf[model.getFrameId(base or "world")]
        wanted = (foot.inverse() * data.oMf[model.getFrameId("tip")]).homogeneous
        assert Kinematics(robot).forward(angles) == pytest.approx(wanted, abs=1e-6)


def test_what_a_description_does_not_know_is_marked(description):
    _, out = make(description, "--tool", "tip", "--gripper", "slide")
    text = out.read_text()
    for what in ("acceleration", "home", "workspace", "cameras", "sinks"):
        before = text.split(f"\n{what}")[0] if what != "acceleration" else text.split("joints:")[0]
        assert "# check" in before.splitlines()[-1], what


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--tool", "claw", "--gripper", "slide"),
            "no link 'claw' for the tool; there are: world",
        ),
        (
            ("--tool", "tip", "--gripper", "claw"),
            "no joint 'claw' for the gripper; there are: slide",
        ),
        (("--tool", "base", "--gripper", "slide"), "no joint between 'world' and 'base'"),
        (("--tool", "finger", "--gripper", "slide"), "joint 'slide' does not turn"),
        (("--tool", "tip", "--gripper", "slide", "--base", "finger"), "does not hang on 'finger'"),
    ],
)
def test_names_that_there_are_not_are_refused_with_those_there_are(
    description, options, message, capsys
):
    status, out = make(description, *options)
    assert status == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_joint_without_a_speed_limit_is_named(description, capsys):
    description.write_text(urdf(speed=0.0))
    assert make(description, "--tool", "tip", "--gripper", "slide")[0] == 2
    assert "joint 'shoulder' has no limit of its velocity" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "joints: []", "<robot", "<robot name='r'></robot>"])
def test_what_is_no_description_is_refused(description, text, capsys):
    description.write_text(text)
    assert make(description, "--tool", "tip", "--gripper", "slide")[0] == 2
    assert capsys.readouterr().err


def test_a_file_that_is_there_is_not_overwritten(description, capsys):
    make(description, "--tool", "tip", "--gripper", "slide")
    assert make(description, "--tool", "tip", "--gripper", "slide")[0] == 2
    assert "is there already" in capsys.readouterr().err


def test_check_prints_what_a_contract_says(capsys):
    assert main(["contract", "check", "ur5e_sim"]) == 0
    said = capsys.readouterr().out
    assert "shoulder_pan_joint" in said
    assert "tool at home: [0.457" in said


def test_check_names_the_line_of_a_mistake(tmp_path, capsys):
    from vlm_robot_ros.paths import config_dir

    text = (config_dir() / "arms" / "ur5e_sim.yaml").read_text()
    path = tmp_path / "arm.yaml"
    path.write_text(text.replace("speed: 0.6", "speed: fast"))
    line = 1 + text[: text.index("speed: 0.6")].count("\n")
    assert main(["contract", "check", str(path)]) == 2
    valid = "it must be a number above 0.0, 5 at most"
    assert f"workspace: speed: got 'fast'; {valid} (line {line})" in (capsys.readouterr().err)
    path.write_text(text + "name: twice\n")
    with pytest.raises(ContractError, match="'name' stands twice"):
        load_robot(path)
