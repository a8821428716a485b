"""The policy node's lifecycle, as a process over real DDS: what it leaves behind when it goes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rig import bring_up, change_state
from std_srvs.srv import SetBool

from vlm_robot_ros.paths import shipped_checkpoint


@pytest.fixture
def own_rig(graph, scene):
    return bring_up(graph, scene)


def test_deactivating_in_motion_leaves_a_hold_as_the_last_word(own_rig):
    rig = own_rig
    rig.say(rig.command)
    rig.until_acting()
    assert change_state(rig, Transition.TRANSITION_DEACTIVATE)
    # What was on the wire before the answer is here, and nothing comes after.
    assert rig.graph.until(lambda: rig.actions[-1].hold_reason == "deactivated")
    count = len(rig.actions)
    rig.say(rig.command)
    reports = len(rig.health)
    assert rig.graph.until(lambda: len(rig.health) > reports + 2)
    assert len(rig.actions) == count
    # Once more: refused by Kilted's rclpy, left without an answer by Jazzy's, survived by both.
    twice = Transition(id=Transition.TRANSITION_DEACTIVATE)
    answer = rig.graph.ask(ChangeState, "/policy_node/change_state", transition=twice)
    assert not rig.graph.until(lambda: answer.done() and answer.result().success, 2.0)
    assert change_state(rig, Transition.TRANSITION_ACTIVATE)
    rig.until_held("waiting for an instruction")  # not what was said before


@pytest.mark.long
def test_it_can_be_taken_down_and_configured_anew(own_rig):
    rig = own_rig
    for number in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
        assert change_state(rig, number)
    assert not rig.graph.until(lambda: rig.process.poll() is not None, 1.2)
    # Nothing in: the node is not heard, and hears nothing.
    assert rig.graph.until(lambda: rig.words.get_subscription_count() == 0)
    assert change_state(rig, Transition.TRANSITION_CONFIGURE)
    assert change_state(rig, Transition.TRANSITION_ACTIVATE)
    rig.say(rig.command)
    rig.until_acting()
    assert change_state(rig, Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert rig.graph.until(lambda: rig.actions[-1].hold_reason == "shut down")


@pytest.mark.long
def test_a_corrupt_checkpoint_is_refused_and_a_whole_one_taken_after_it(graph, scene, tmp_path):
    rig = bring_up(graph, scene, allow_remote_reconfiguration=True)
    for number in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
        assert change_state(rig, number)
    shutil.copytree(shipped_checkpoint(), tmp_path / "broken")
    for weights in (tmp_path / "broken").glob("*.safetensors"):
        weights.write_bytes(weights.read_bytes()[:1000])
    count = len(rig.actions)
    _use(rig, tmp_path / "broken")
    assert not change_state(rig, Transition.TRANSITION_CONFIGURE)
    said = os.pread(rig.process.errors.fileno(), 10**6, 0).decode()
    assert f"cannot configure: no usable checkpoint in '{tmp_path / 'broken'}'" in said
    assert rig.process.poll() is None
    assert len(rig.actions) == count
    _use(rig, shipped_checkpoint())
    assert change_state(rig, Transition.TRANSITION_CONFIGURE)
    assert change_state(rig, Transition.TRANSITION_ACTIVATE)
    rig.say(rig.command)
    rig.until_acting()


@pytest.mark.long
def test_a_node_that_is_not_configured_takes_no_checkpoint_from_the_network(own_rig, tmp_path):
    rig = own_rig
    for number in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
        assert change_state(rig, number)
    for name in ("robot", "policy", "checkpoint", "encoder", "calibration", "output"):
        value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value="dry")
        given = [Parameter(name=name, value=value)]
        answer = rig.graph.call(SetParameters, "/policy_node/set_parameters", parameters=given)
        assert not answer.results[0].successful
        assert f"{name} is read-only after the start; restart the node" in answer.results[0].reason
    yes = ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=True)
    given = [Parameter(name="allow_remote_reconfiguration", value=yes)]
    answer = rig.graph.call(SetParameters, "/policy_node/set_parameters", parameters=given)
    assert not answer.results[0].successful
    rate = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=25)
    _set(rig, Parameter(name="control_rate", value=rate))  # an integer for a number
    assert change_state(rig, Transition.TRANSITION_CONFIGURE)
    assert change_state(rig, Transition.TRANSITION_ACTIVATE)
    rig.say(rig.command)
    rig.until_acting()


def _use(rig, checkpoint):
    value = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=str(checkpoint))
    _set(rig, Parameter(name="checkpoint", value=value))


def _set(rig, given):
    answer = rig.graph.call(SetParameters, "/policy_node/set_parameters", parameters=[given])
    assert answer.results[0].successful, answer.results[0].reason


@pytest.mark.long
def test_how_sure_it_must_be_can_be_changed_while_it_acts(own_rig):
    rig = own_rig
    rig.say(rig.command)
    rig.until_acting()
    for least, done in ((1.0, lambda: rig.until_held("at least 1.00 wanted")),
                        (0.5, rig.until_acting)):  # fmt: skip
        value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=least)
        _set(rig, Parameter(name="min_confidence", value=value))
        done()


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_motion_leaves_a_hold_as_the_last_word(own_rig, number):
    rig = own_rig
    rig.say(rig.command)
    rig.until_acting()
    rig.process.send_signal(number)
    assert rig.graph.until(lambda: rig.process.poll() is not None)
    assert rig.process.returncode == 0
    assert rig.graph.until(lambda: rig.actions[-1].hold_reason == "the policy node ends")


@pytest.mark.long
def test_what_forbids_motion_outlives_a_configuration(own_rig):
    rig = own_rig
    answer = rig.graph.ask(SetBool, "/policy_node/enable", data=False)
    assert rig.graph.until(answer.done)
    for number in (
        Transition.TRANSITION_DEACTIVATE,
        Transition.TRANSITION_CLEANUP,
        Transition.TRANSITION_CONFIGURE,
        Transition.TRANSITION_ACTIVATE,
    ):
        assert change_state(rig, number)
    rig.actions.clear()
    rig.say(rig.command)
    rig.until_held("disabled; call ~/enable")


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_node_whose_policy_is_never_loaded_can_be_ended(number, tmp_path):
    code = "import sys; from vlm_robot_ros.nodes.policy_node import main; sys.exit(main())"
    ros = ["--ros-args", "-p", "policy:=odd_policies:NeverReady"]
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-c", code, *ros], env={**os.environ, "PYTHONPATH": path}
    ) as node:
        loading = Path(f"/proc/{node.pid}/task/{node.pid}/children")
        while not loading.read_text():
            assert node.poll() is None
            time.sleep(0.05)
        children = loading.read_text().split()
        node.send_signal(number)
        assert node.wait(20) == 0
    end = time.monotonic() + 10
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < end, "the policy's process goes on"
        time.sleep(0.05)
