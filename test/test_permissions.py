"""The access control policy of the policy node allows what the node does, and nothing else."""

from xml.etree import ElementTree

import pytest
import yaml

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.contract.load import load_robot
from vlm_robot_ros.contract.permissions import permissions
from vlm_robot_ros.paths import config_dir

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


@pytest.mark.parametrize("namespace", ["/", "/left"])
@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_it_allows_what_the_node_does_and_nothing_else(graph, tmp_path, namespace, transport):
    pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
    content = yaml.safe_load((config_dir() / "arms" / "panda_sim.yaml").read_text())
    contract = tmp_path / "arm.yaml"
    contract.write_text(yaml.safe_dump({**content, "sinks": SINKS}))
    text = permissions(load_robot(str(contract)), "/arm/policy_node", namespace)
    graph.start(
        "policy_node", namespace, robot=contract, output="live", use_sim_time=True,
        image_transport=transport,
    )  # fmt: skip
    node, action = graph.node, f"{namespace.rstrip('/')}/action"
    assert graph.until(lambda: node.count_publishers(action) > 0, 60.0)

    def names(find):
        return {name for name, _ in find("policy_node", namespace)}

    settled = lambda: "/clock" in names(node.get_subscriber_names_and_types_by_node)  # noqa: E731
    assert graph.until(settled, 20.0)
    assert names(node.get_publisher_names_and_types_by_node) == allowed(
        text, "topic", "publish", namespace
    )
    heard = names(node.get_subscriber_names_and_types_by_node)
    may = allowed(text, "topic", "subscribe", namespace)
    other = "/compressed" if transport == "raw" else "/image_raw"
    unused = {name for name in may - heard if not name.endswith(other)}
    assert heard <= may
    # What is looked at is the policy's choice; the cameras of the contract may all be.
    assert all("/camera/" in name for name in unused)
    assert names(node.get_service_names_and_types_by_node) == allowed(
        text, "service", "reply", namespace
    )


def test_grippers_of_real_arms_are_asked_by_actions(capsys):
    assert main(["contract", "permissions", "fr3", "--enclave", "/arm"]) == 0
    text = capsys.readouterr().out
    robot = load_robot("fr3")
    told = allowed(text, "topic", "publish", "/") | allowed(text, "action", "call", "/")
    for sink in robot.sinks:
        assert f"/{sink.topic.strip('/')}" in told
    assert 'path="/arm"' in text


@pytest.mark.parametrize("option", ["--enclave", "--namespace"])
def test_names_that_are_none_are_refused(option, capsys):
    assert main(["contract", "permissions", "fr3", option, "arm"]) == 2
    assert "valid: names that begin with /" in capsys.readouterr().err
