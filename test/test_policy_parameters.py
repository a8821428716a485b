"""The parameters of the policy node: described, checked, and said where they are wrong."""

from pathlib import Path

import pytest
import yaml

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue  # noqa: E402
from rcl_interfaces.srv import (  # noqa: E402
    DescribeParameters,
    GetParameters,
    ListParameters,
    SetParameters,
)

from vlm_robot_ros.paths import config_dir  # noqa: E402
from vlm_robot_ros.ros.arguments import corrected_arguments  # noqa: E402
from vlm_robot_ros.ros.policy_parameters import PARAMETERS  # noqa: E402


@pytest.mark.long
def test_a_clock_that_stands_still_is_told(graph):
    health = graph.listen(DiagnosticArray, "/diagnostics")
    graph.start("policy_node", use_sim_time=True)
    told = lambda: health and "is /clock published?" in health[-1].status[0].message  # noqa: E731
    assert graph.until(told, 100.0)
    assert health[-1].status[0].level == DiagnosticStatus.WARN


def test_parameters_are_described_and_wrong_changes_refused(graph):
    graph.start("policy_node")
    names = graph.call(ListParameters, "/policy_node/list_parameters").result.names
    names = [
        name for name in names if "qos" not in name and name != "start_type_description_service"
    ]
    described = graph.call(
        DescribeParameters, "/policy_node/describe_parameters", names=names
    ).descriptors
    bare = [d.name for d in described if not d.description and d.name != "use_sim_time"]
    assert bare == []
    assert {"image_timeout", "min_confidence"} <= set(names)
    wrong = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value="tpu")
    answer = graph.call(
        SetParameters,
        "/policy_node/set_parameters",
        parameters=[Parameter(name="device", value=wrong)],
    )
    assert not answer.results[0].successful
    assert "valid: auto, cpu, cuda" in answer.results[0].reason


def test_what_is_read_at_configuration_is_not_changed_behind_the_arms_back(graph):
    health = graph.listen(DiagnosticArray, "/diagnostics")
    graph.start("policy_node", policy="hold")
    assert graph.until(lambda: health, 100.0)
    other = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value="fusion")
    given = [Parameter(name="policy", value=other)]
    described = graph.call(
        DescribeParameters,
        "/policy_node/describe_parameters",
        names=["policy", "allow_remote_reconfiguration", "blend"],
    ).descriptors
    assert [each.read_only for each in described] == [True, True, False]
    answer = graph.call(SetParameters, "/policy_node/set_parameters", parameters=given)
    assert not answer.results[0].successful
    assert "policy is read-only after the start; restart the node with -p" in (
        answer.results[0].reason
    )
    assert "or start it with -p allow_remote_reconfiguration:=true" in answer.results[0].reason
    blend = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=0.5)
    given = [Parameter(name="blend", value=blend)]
    answer = graph.call(SetParameters, "/policy_node/set_parameters", parameters=given)
    assert "blend cannot be changed now: it was read when" in answer.results[0].reason
    del health[:]
    assert graph.until(lambda: len(health) > 1)
    assert {v.key: v.value for v in health[-1].status[0].values}["policy"] == "hold"


def test_the_file_of_parameters_has_the_defaults():
    content = yaml.safe_load((config_dir() / "policy_node.yaml").read_text())
    written = content["/**"]["ros__parameters"]
    defaults = {spec.name: spec.default for spec in PARAMETERS}
    assert written == {name: defaults.get(name, "no such parameter") for name in written}


@pytest.mark.long
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"policy": "magic"}, "valid: fusion, hold"),
        ({"policy": "openpi://gpu"}, "map is ''; valid: aloha, droid, groot, lerobot, libero"),
        (
            {"policy": "openpi://gpu", "map": "droid", "policy_timeout": 15.0},
            "policy_timeout is 15 s, and an answer may take 15 s",
        ),
        ({"control_rate": 9999.0}, "valid: 5.0 to 500.0"),
        ({"control_rate": "fast"}, "control_rate"),
        ({"robot": "r2d2"}, "no robot 'r2d2'; shipped: fr3"),
        ({"device": "cuda"}, "this machine has no CUDA device; valid here: auto, cpu"),
        ({"device": 1}, "device is '1', and this machine has no CUDA device"),
        ({"device": "cuda:7"}, "valid here: auto, cpu"),
        ({"device": "tpu"}, "valid: auto, cpu, cuda, cuda:N, N (number of a GPU)"),
        ({"robot": "007"}, "robot is 7 (an integer), but it must be a text. YAML takes digits"),
        ({"policy": "off"}, "policy is false (a boolean), but it must be a text. YAML takes on"),
        ({"output": "off"}, "valid: auto, live, dry. YAML takes on, off"),
        ({"robot": "[a, b]"}, "robot is ['a', 'b'] (a list)"),
        ({"threads": 2.0}, "must be an integer; valid: 1 to 64: write for example -p threads:=2,"),
        ({"autostart": 1}, "autostart is 1 (an integer), but it must be a boolean"),
        ({"control_rate": '"50"'}, "must be a floating-point number; valid: 5.0 to 500.0"),
        ({"control_rate": 9999}, "valid: 5.0 to 500.0"),
        ({"blend": ".nan"}, "valid: 0.0 to 1.0"),
        ({"checkpoint": "~/nowhere"}, f"no usable checkpoint in '{Path.home()}/nowhere'"),
        ({"robot": "~/nowhere.yaml"}, f"no contract file at '{Path.home()}/nowhere.yaml'"),
        ({"robot": "~nobody-here/a.yaml"}, "'~nobody-here/a.yaml' has no home folder"),
        ({"checkpoint": "/nowhere"}, "no usable checkpoint in '/nowhere'"),
        ({"robot": "ur5e", "output": "live"}, "'ur5e' is a real arm, and the shipped policy"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_is_valid(graph, parameters, message):
    process = graph.start("policy_node", **parameters)
    errors = graph.ended(process)
    assert process.returncode == 1
    assert message in errors
    assert "Traceback" not in errors


def test_integers_are_taken_for_numbers(graph):
    health = graph.listen(DiagnosticArray, "/diagnostics")
    graph.start("policy_node", policy="hold", control_rate=50, blend=0, policy_timeout=30)
    assert graph.until(lambda: health, 100.0)
    names = ["control_rate", "blend", "policy_timeout"]
    given = graph.call(GetParameters, "/policy_node/get_parameters", names=names).values
    assert [each.type for each in given] == [ParameterType.PARAMETER_DOUBLE] * 3
    assert [each.double_value for each in given] == [50.0, 0.0, 30.0]


@pytest.mark.long
@pytest.mark.parametrize("namespace", ["/arm/", "arm", "/arm"])
def test_a_namespace_may_end_with_a_slash(graph, namespace):
    graph.start("policy_node", namespace=namespace, policy="hold")
    assert graph.until(
        lambda: ("policy_node", "/arm") in graph.node.get_node_names_and_namespaces(), 100.0
    )


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("__ns:=/arm/", "__ns:=/arm"),
        ("__ns:=/", "__ns:=/"),
        ("policy_node:__ns:=a/b//", "policy_node:__ns:=/a/b"),
        ("__node:=arm/", "__node:=arm/"),
        ("action:=/arm/", "action:=/arm/"),
    ],
)
def test_only_namespaces_are_corrected(given, meant):
    assert corrected_arguments(["node", "-r", given]) == ["node", "-r", meant]


def test_an_argument_that_rcl_refuses_is_said_without_a_traceback(graph):
    process = graph.python(
        "-c", "import sys; from vlm_robot_ros.nodes.policy_node import main; sys.exit(main())",
        "--ros-args", "-r", "__ns:=/a b",
    )  # fmt: skip
    errors = graph.ended(process)
    assert process.returncode == 1
    assert "cannot start: " in errors
    assert "Traceback" not in errors
