"""The access control policy of the policy node allows what the node does, and nothing else."""

from xml.etree import ElementTree

import pytest
import yaml

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.paths import config_dir
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.robot.sros2_policy import permissions

SINKS = [
    {"kind": "joint_trajectory", "topic": "joint_trajectory_controller/joint_trajectory"},
    {"kind": "gripper_positions", "topic": "/gripper/commands"},
]


def allowed(text, kind, how, namespace):
    """Return the names that a policy allows, resolved as ROS does."""
    root = ElementTree.fromstring(text)
    names = root.findall(f".//{kind}s[@{how}='ALLOW']/{kind}")
    prefix = namespace.rstrip("/")
    return {
        name.text if name.text[0] == "/" else
        f"{prefix}/policy_node{name.text[1:]}" if name.text[0] == "~" else f"{prefix}/{name.text}"
        for name in names
    }  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("namespace", ["/", "/left"])
@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_it_allows_what_the_node_does_and_nothing_else(graph, tmp_path, namespace, transport):
    rclpy = pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    content = yaml.safe_load((config_dir() / "arms" / "panda_sim.yaml").read_text())
    contract = tmp_path / "arm.yaml"
    contract.write_text(yaml.safe_dump({**content, "sinks": SINKS}))
    text = permissions(load_robot(str(contract)), "/arm/policy_node", namespace)
    graph.start(
        "policy_node", namespace, robot=contract, output="live", use_sim_time=True,
        image_transport=transport,
    )  # fmt: skip
    node = graph.node

    def does(find):
        try:
            return {name for name, _ in find("policy_node", namespace)}
        except rclpy.node.NodeNameNonExistentError:
            return set()  # not discovered yet

    def becomes(find, wanted):
        assert graph.until(lambda: does(find) == wanted, 100.0), does(find) ^ wanted

    (served,) = allowed(text, "action", "execute", namespace)
    published = {f"{served}/_action/{name}" for name in ("feedback", "status")}
    answered = {f"{served}/_action/{name}" for name in ("send_goal", "cancel_goal", "get_result")}
    becomes(
        node.get_publisher_names_and_types_by_node,
        allowed(text, "topic", "publish", namespace) | published,
    )
    becomes(
        node.get_service_names_and_types_by_node,
        allowed(text, "service", "reply", namespace) | answered,
    )
    # The policy looks through one of the contract's cameras, in one transport.
    may = allowed(text, "topic", "subscribe", namespace)
    front = f"{namespace.rstrip('/')}/camera/front/image_raw"
    looks = front if transport == "raw" else f"{front}/compressed"
    heard = {name for name in may if "/camera/" not in name or name == looks}
    becomes(node.get_subscriber_names_and_types_by_node, heard)


def test_grippers_of_real_arms_are_asked_by_actions(capsys):
    assert main(["contract", "permissions", "fr3", "--enclave", "/arm"]) == 0
    text = capsys.readouterr().out
    robot = load_robot("fr3")
    told, called = allowed(text, "topic", "publish", "/"), allowed(text, "action", "call", "/")
    assert {sink.kind for sink in robot.sinks} == {"joint_trajectory", "gripper_action"}
    for sink in robot.sinks:
        name = f"/{sink.topic.strip('/')}"
        assert (name in told, name in called) == (
            sink.kind != "gripper_action", sink.kind == "gripper_action"
        )  # fmt: skip
    assert 'path="/arm"' in text


@pytest.mark.parametrize("option", ["--enclave", "--namespace"])
def test_names_that_are_none_are_refused(option, capsys):
    assert main(["contract", "permissions", "fr3", option, "arm"]) == 2
    assert "valid: names that begin with /" in capsys.readouterr().err
