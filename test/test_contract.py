"""The contract: what is shipped loads, what is wrong is said."""

import copy
import json

import numpy as np
import pytest
import yaml

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.kinematics.kinematics import Kinematics, downward_pose, pose7_to_transform
from vlm_robot_ros.paths import config_dir
from vlm_robot_ros.robot.contract_yaml import ContractError
from vlm_robot_ros.robot.loader import load_robot, parse_robot, read_robot
from vlm_robot_ros.sim.world import build_world


@pytest.fixture
def content():
    return yaml.safe_load((config_dir() / "arms" / "panda_sim.yaml").read_text())


def test_an_unknown_robot_lists_those_there_are():
    with pytest.raises(ContractError, match=r"shipped: .*panda_sim"):
        load_robot("pamda")


def test_a_missing_field_is_named(content):
    del content["gripper"]["open"]
    with pytest.raises(ContractError, match="gripper: 'open' is missing"):
        parse_robot(content)


def test_an_unknown_field_is_named_with_the_valid_ones(content):
    content["workspace"]["sped"] = 1.0
    with pytest.raises(ContractError, match=r"unknown field\(s\) sped; valid: min, max, speed"):
        parse_robot(content)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "fast", True, None, [1]])
def test_a_value_that_is_no_number_is_refused(content, value):
    content["joints"][0]["velocity"] = value
    with pytest.raises(ContractError, match=r"joints\[0\]: velocity: got"):
        parse_robot(content)


def test_how_old_inputs_may_be_is_the_contracts_or_the_usual(content):
    usual = parse_robot(content)
    assert (usual.image_timeout, usual.joint_state_timeout) == (0.5, 0.3)
    own = parse_robot({**content, "image_timeout": 1.5, "joint_state_timeout": 0.1})
    assert (own.image_timeout, own.joint_state_timeout) == (1.5, 0.1)
    with pytest.raises(ContractError, match="image_timeout: got 0"):
        parse_robot({**content, "image_timeout": 0})


def test_two_joints_of_one_name_are_refused(content):
    content["joints"][1] = copy.deepcopy(content["joints"][0])
    with pytest.raises(ContractError, match="names must differ"):
        parse_robot(content)


def test_an_arm_of_eleven_joints_is_refused(content):
    for number in range(4):
        content["joints"].append({**content["joints"][0], "name": f"more_{number}"})
        content["home"].append(0.0)
    with pytest.raises(ContractError, match="joints: 11 of them; valid: 10 at most"):
        parse_robot(content)


def test_a_sink_of_a_kind_that_there_is_not_is_refused_with_those_there_are(content):
    content["sinks"] = [{"kind": "telepathy", "topic": "mind"}]
    with pytest.raises(
        ContractError, match=r"'telepathy'; it must be one of gripper_action, .*joint_trajectory"
    ):
        parse_robot(content)


_PATH = {"kind": "joint_trajectory", "topic": "arm/joint_trajectory"}
_TWIST = {"kind": "twist", "topic": "servo/delta_twist_cmds"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sinks": [_PATH, _TWIST]}, "the arm would be commanded by joint_trajectory and twist"),
        ({"sinks": [_PATH, {**_PATH, "topic": "b"}]}, "the arm would be commanded by"),
        ({"sinks": [{"kind": kind, "topic": kind} for kind in
                    ("gripper_action", "gripper_positions")]}, "the gripper would be command"),
        ({"sinks": [{"kind": kind, "topic": kind} for kind in
                    ("joint_state", "gripper_action")]}, "the gripper would be command"),
        ({"sinks": [{"kind": "joint_state", "topic": "/joint_states"}]}, "the node itself uses"),
        ({"sinks": [{"kind": "pose", "topic": "camera/front/image_raw"}]}, "the node itself uses"),
        ({"sinks": [_PATH, {**_TWIST, "topic": "/arm/joint_trajectory"}]}, "topics must differ"),
        ({"sinks": [{**_TWIST, "topic": "a b"}]}, "topic 'a b'; valid: letters"),
        ({"gripper": {"joint": "panda_joint7", "open": 1, "closed": 0}}, "names must differ"),
        ({"image_timeout": 1e9}, "10 at most"),
        ({"workspace": {"min": [280, -400, 8], "max": [780, 400, 450], "speed": 1}}, "metres"),
        ({"workspace": {"min": [0, 0, 0], "max": [1, 1, 1], "speed": 250}}, "5 at most"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_of_a_real_arm_is_refused(content, changes, reason):
    parse_robot({**content, "simulation": ""})
    with pytest.raises(ContractError, match=reason):
        parse_robot({**content, "simulation": "", **changes})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"position": [-166, 166]}, "valid: radians"),
        ({"position": [-0.004, 0.004]}, "0.05 apart at least"),
        ({"velocity": 150}, "30 at most"),
        ({"velocity": 10**400}, "it must be a number"),
        ({"jerk": 0.1}, "valid: 15 at least"),
    ],
)
def test_limits_in_other_units_are_refused(content, changes, reason):
    content["joints"][0].update(changes)
    with pytest.raises(ContractError, match=reason):
        parse_robot(content)


def test_two_cameras_on_one_topic_are_refused(content):
    content["cameras"].append({**content["cameras"][0], "name": "again"})
    with pytest.raises(ContractError, match="topics must differ; more than once: camera/front"):
        parse_robot(content)
    content["cameras"][-1].update(topic="elsewhere", width=0.5)
    with pytest.raises(ContractError, match=r"width: got 0\.5; it must be a whole number from 1"):
        parse_robot(content)


def test_joints_that_go_with_the_fingers_are_a_list(content):
    content["gripper"]["mimics"] = "panda_finger_joint2"
    with pytest.raises(ContractError, match="got 'panda_finger_joint2'; it must be a list of"):
        parse_robot(content)
    content["gripper"]["mimics"] = ["panda_finger_joint2"]
    assert parse_robot(content).gripper.mimics == ("panda_finger_joint2",)


def test_broken_yaml_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "arm.yaml"
    path.write_text("joints: [")
    with pytest.raises(ContractError, match=r"arm\.yaml: not valid YAML"):
        load_robot(path)


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        ("name: panda_joint2,", "nam: panda_joint2,", "'name' is missing"),
        ("velocity: 2.175,", "velocity: -2.175,", "above 0.0"),
        ("position: [-1.7628, 1.7628]", "position: [1.7628, -1.7628]", "must be below"),
        ("name: panda_joint2,", "name: panda_joint1,", "names must differ"),
        ("home: [", "home: [0.0, ", "positions for 7 joints"),
        ("joint_state_rate: 50.0", "joint_state_rate: often", "got 'often'"),
        ("rate: 10.0}", "rate: 10.0, colour: red}", "unknown field"),
        ("rate: 10.0}", "rate: 10.0, crop: [0, 0, 999, 9]}", "is not within 256x256"),
        ("rate: 10.0}", "rate: 10.0, depth: true}", "a depth camera needs 'pose'"),
        ("rate: 10.0}", "rate: 10.0, pose: map}", "pose: got 'map'"),
        ("rate: 10.0}", "rate: 10.0, transport: pigeon}", "one of raw, compressed"),
        ("model: panda", "modell: panda", "'model' is missing"),
        ("model: panda", "model: 7", "got 7; it must be a text"),
        ("1.7628]", "1.7628], continuous: true", "must be a whole turn at least"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, right, wrong, reason):
    lines = (config_dir() / "arms" / "panda_sim.yaml").read_text().splitlines()
    number = next(number for number, line in enumerate(lines) if right in line)
    lines[number] = lines[number].replace(right, wrong)
    path = tmp_path / "arm.yaml"
    path.write_text("\n".join(lines))
    if "differ" in reason:  # of two lines together: that of the list
        number = lines.index("joints:")
    with pytest.raises(ContractError, match=rf"{reason}.*line {number + 1}\)"):
        load_robot(path)


def test_kinematics_agree_with_the_physics_model():
    import mujoco

    robot = load_robot("panda_sim")
    model = build_world(robot)
    data = mujoco.MjData(model)
    rng = np.random.default_rng(0)
    for _ in range(20):
        positions = rng.uniform(robot.lower, robot.upper)
        data.qpos[:7] = positions
        mujoco.mj_forward(model, data)
        tool = Kinematics(robot).forward(positions)
        np.testing.assert_allclose(tool[:3, 3], data.body("eef").xpos, atol=1e-3)


def test_inverse_kinematics_reaches_a_pose_without_exceeding_joint_speeds():
    robot = load_robot("panda_sim")
    kinematics = Kinematics(robot)
    goal = pose7_to_transform(downward_pose(np.array([0.5, 0.15, 0.1]), 0.0))
    positions = np.array(robot.home)
    for _ in range(150):
        before = positions
        positions = kinematics.step_towards(positions, goal, 0.02)
        assert np.all(np.abs(positions - before) <= robot.velocity * 0.02 + 1e-12)
    np.testing.assert_allclose(kinematics.forward(positions), goal, atol=1e-3)


@pytest.mark.parametrize(
    "path", sorted((config_dir() / "arms").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_shipped_contract_waits_with_its_tool_down_inside_its_workspace(path):
    robot = load_robot(path)
    assert robot.name == path.stem
    tool = Kinematics(robot).forward(np.array(robot.home))
    assert tool[:3, 2] == pytest.approx([0, 0, -1], abs=0.02)
    assert np.all(tool[:3, 3] > robot.workspace.min)
    assert np.all(tool[:3, 3] < robot.workspace.max)
    # Where it waits it can go every way: no joint is at its end.
    assert np.all(np.array(robot.home) > robot.lower + 0.05)
    assert np.all(np.array(robot.home) < robot.upper - 0.05)


def test_a_sink_of_steps_needs_hardware_that_interpolates(content, tmp_path):
    path = tmp_path / "arm.yaml"
    sink = {"kind": "joint_positions", "topic": "commands"}
    path.write_text(yaml.safe_dump({**content, "sinks": [sink]}))
    with pytest.raises(ContractError, match=r"hardware_interpolates: true.*use joint_trajectory"):
        load_robot(path)
    assert read_robot(path.read_text(), "an old bag").sinks[0].kind == "joint_positions"
    path.write_text(
        yaml.safe_dump({**content, "sinks": [{**sink, "hardware_interpolates": True}]})
    )
    assert load_robot(path).sinks[0].hardware_interpolates


@pytest.mark.parametrize("seconds", [-1, "never", 1e9])
def test_a_feedback_timeout_is_seconds(content, seconds):
    gripper = {**content["gripper"], "feedback_timeout": seconds}
    with pytest.raises(ContractError, match="feedback_timeout"):
        parse_robot({**content, "gripper": gripper})


def test_all_mistakes_are_told_at_once(content):
    del content["tool_frame"]
    content["joints"][2]["velocity"] = "fast"
    with pytest.raises(ContractError) as caught:
        parse_robot(content, "mine")
    assert str(caught.value).splitlines() == [
        "mine: 'tool_frame' is missing; it must be a text",
        "mine: joints[2]: velocity: got 'fast'; it must be a number above 0.0, 30 at most",
    ]


def test_schema_for_editors_is_printed(capsys):
    assert main(["contract", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["properties"]["image_timeout"]["maximum"] == 10.0
    assert "joint_trajectory" in schema["$defs"]["SinkPart"]["properties"]["kind"]["enum"]
