"""The parameters of the policy node: described, checked, and said where they are wrong."""

import pytest
import yaml

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue  # noqa: E402
from rcl_interfaces.srv import DescribeParameters, ListParameters, SetParameters  # noqa: E402

from vlm_robot_ros.nodes.policy_settings import PARAMETERS  # noqa: E402
from vlm_robot_ros.paths import config_dir  # noqa: E402


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
    answer = graph.call(SetParameters, "/policy_node/set_parameters", parameters=given)
    assert not answer.results[0].successful
    assert "policy cannot be changed now: it was read when" in answer.results[0].reason
    del health[:]
    assert graph.until(lambda: len(health) > 1)
    assert {v.key: v.value for v in health[-1].status[0].values}["policy"] == "hold"


def test_the_file_of_parameters_has_the_defaults():
    content = yaml.safe_load((config_dir() / "policy_node.yaml").read_text())
    written = content["/**"]["ros__parameters"]
    defaults = {spec.name: spec.default for spec in PARAMETERS}
    assert written == {name: defaults.get(name, "no such parameter") for name in written}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"policy": "magic"}, "valid: fusion, hold"),
        ({"control_rate": 9999.0}, "valid: 5.0 to 500.0"),
        ({"control_rate": "fast"}, "control_rate"),
        ({"robot": "r2d2"}, "no robot 'r2d2'; shipped: fr3"),
        ({"device": "cuda"}, "valid here: auto, cpu"),
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
