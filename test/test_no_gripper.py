"""An arm without gripper: its contract, its sinks, and its node that moves without a finger."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from vlm_robot_ros.paths import config_dir
from vlm_robot_ros.robot.config import WITHOUT_GRIPPER
from vlm_robot_ros.robot.contract_yaml import ContractError
from vlm_robot_ros.robot.loader import load_robot, parse_robot
from vlm_robot_ros.robot.sros2_policy import permissions
from vlm_robot_ros.runtime.joint_state_assembler import JointStateAssembler


@pytest.fixture
def content():
    text = (config_dir() / "arms" / "panda_sim.yaml").read_text()
    given = yaml.safe_load(text)
    topics = ("joint_trajectory", "joint_state", "joint_positions")
    sinks = [{"kind": kind, "topic": f"sink/{kind}"} for kind in topics]
    return {**given, "simulation": "isaac", "gripper": None, "sinks": sinks}


def test_a_contract_says_null_for_no_gripper(content):
    robot = parse_robot(content)
    assert robot.gripper == WITHOUT_GRIPPER
    assert not robot.has_gripper
    assert "gripper" not in permissions(robot, "/arm/policy_node")


def test_a_contract_without_the_field_is_refused(content):
    del content["gripper"]
    with pytest.raises(ContractError, match="'gripper' is missing"):
        parse_robot(content)


@pytest.mark.parametrize("kind", ["gripper_action", "gripper_positions", "gripper_trajectory"])
def test_a_sink_of_no_gripper_is_refused(content, kind):
    content["sinks"].append({"kind": kind, "topic": "fingers"})
    with pytest.raises(ContractError, match=f"{kind} commands a gripper, but .* is null"):
        parse_robot(content)


def test_a_simulated_arm_has_its_gripper(content):
    content["simulation"] = "panda"
    with pytest.raises(ContractError, match="gripper: null, but the simulated 'panda' has one"):
        parse_robot(content)


def test_joint_states_need_no_finger(content):
    robot = parse_robot(content)
    state = JointStateAssembler(robot, 0.3).read(robot.joint_names, robot.home, 1.0)
    assert state is not None
    assert state.opening == 1.0
    np.testing.assert_allclose(state.joints, robot.home)


def test_a_joint_state_sink_is_sent_the_arm_alone(content):
    pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    from vlm_robot_ros.motion.motion_controller import MotionController
    from vlm_robot_ros.plugins import command_sinks

    robot = parse_robot(content)
    drive = MotionController(robot, 0.02).stationary_command(100.0, np.array(robot.home), 0.3)
    message = command_sinks()["joint_state"].message(drive, robot)
    assert tuple(message.name) == robot.joint_names
    assert len(message.position) == len(robot.joints)


@pytest.mark.long
def test_its_node_moves_it(content, graph, tmp_path, monkeypatch):
    paths = (str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    rclpy_msgs = pytest.importorskip("sensor_msgs.msg")
    from rclpy.qos import qos_profile_sensor_data
    from std_msgs.msg import String

    from vlm_robot_ros.msg import VlmAction

    path = tmp_path / "bare.yaml"
    content["sinks"] = content["sinks"][:1]
    path.write_text(json.dumps(content))
    robot = load_robot(path)
    rng = np.random.default_rng(0)
    camera, node = robot.cameras[0], graph.node
    images = node.create_publisher(rclpy_msgs.Image, camera.topic, qos_profile_sensor_data)
    states = node.create_publisher(rclpy_msgs.JointState, "joint_states", 10)
    words = node.create_publisher(String, "instruction", 10)
    actions = graph.listen(VlmAction, "action")

    def publish():
        now = node.get_clock().now().to_msg()
        image = rclpy_msgs.Image(height=camera.height, width=camera.width, encoding="bgr8",
                                 step=3 * camera.width)  # fmt: skip
        image.data = rng.bytes(image.step * image.height)
        state = rclpy_msgs.JointState(name=list(robot.joint_names), position=list(robot.home))
        image.header.stamp = state.header.stamp = now
        images.publish(image)
        states.publish(state)

    node.create_timer(0.03, publish)
    process = graph.start("policy_node", robot=str(path), policy="odd_policies:Own")
    assert graph.until(lambda: actions, 100.0), process.errors.seek(0) or process.errors.read()
    assert graph.until(lambda: words.get_subscription_count() > 0)
    words.publish(String(data="go aside"))
    assert graph.until(lambda: not actions[-1].hold), actions[-1].hold_reason
    assert actions[-1].gripper == 1.0
