"""Policies that go wrong, in the real node with an arm in motion: it stands, and says why."""

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from relay import CAMERA, ROBOT, Relay
from spoil import changed, frozen


@pytest.fixture(scope="module")
def running(lasting_graph, tmp_path_factory):
    """A node with a policy that goes wrong on demand."""
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{Path(__file__).parent}{os.pathsep}{before}"
    try:
        folder = tmp_path_factory.mktemp("arm")
        yield Relay(lasting_graph, folder, policy="odd_policies:OnWord", policy_timeout=4.0)
    finally:
        os.environ["PYTHONPATH"] = before


@pytest.fixture
def relay(running):
    running.begin("aside")
    yield running
    assert running.process.poll() is None, "the node has ended"
    assert running.unsafe == [], "unsafe commands"


@pytest.mark.long
@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("raise", "the policy failed: RuntimeError('out of order')"),
        ("exhaust", "the policy failed: MemoryError("),
        ("hang", "the policy has not answered for "),
        ("hang for good", "its process has not answered for 4 s, and was begun again"),
        ("die", "its process has ended by signal SIGKILL, and was begun again"),
        ("exit", "its process has ended with status 1, and was begun again"),
        ("nothing", "the policy failed: TypeError('an answer is an ActionChunk, got NoneType"),
        ("no label", "a chunk's label has a str, got None"),
        ("hold without a reason", "a chunk's hold has a str, got True"),
        ("scores of numbers", "a chunk's score has a str, got 5"),
        ("no score", "a chunk's label 'push the cube' has no score; 1 have"),
        ("nan", "not finite"),
        ("infinite", "not finite"),
        ("shape", "values of shape (H, 7), got (8, 5)"),
        ("empty", "values of shape (H, 7), got (0, 7)"),
        ("quaternion", "quaternions have norms"),
        ("gripper", "not finite"),
        ("period", "step_dt is 0.0"),
        ("unsure", "not sure enough"),
        ("sure", "not sure enough"),
    ],
)
def test_it_comes_to_a_stand_says_why_and_obeys_again(relay, word, reason):
    relay.say(word)
    relay.until_held(reason)
    relay.until_told(reason)
    relay.until_still()
    relay.say("aside")
    relay.until_acting()


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        (frozen("data"), "front camera: the image is frozen"),
        (changed(data=lambda m: bytes(len(m.data))), "front camera: the image is blank"),
    ],
)
def test_images_that_cannot_be_trusted_are_noticed_for_any_policy(relay, way, reason):
    relay.ways[CAMERA] = way
    relay.until_held(reason)
    relay.until_told(reason)
    relay.until_still()
    relay.ways.clear()
    relay.until_acting()


@pytest.mark.long
def test_who_is_activated_anew_while_its_policy_hangs_obeys(relay):
    relay.say("hang for good")
    relay.until_held("the policy has not answered for ")
    for number in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE):
        request = {"transition": Transition(id=number)}
        assert relay.graph.call(ChangeState, "/policy_node/change_state", **request).success
    relay.say("aside")
    relay.until_acting()


def test_a_plan_that_leads_far_away_does_not_get_the_tool_out_of_its_workspace(relay):
    seen = len(relay.states)
    relay.say("far")
    assert relay.graph.until(lambda: len(relay.states) > seen + 300, 120.0)
    places = np.array([[s.tool.x, s.tool.y, s.tool.z] for s in relay.states[seen:]])
    assert np.all(places < np.array(ROBOT.workspace.max) + 0.03)
    assert np.ptp(places, axis=0).max() > 0.1, "it did not move"


@pytest.mark.long
def test_a_policy_that_cannot_be_made_is_told(graph):
    for name, said in (
        ("nowhere:Policy", "No module named 'nowhere'"),
        ("json:Policy", "has no attribute 'Policy'"),
        ("types:SimpleNamespace", "no positional arguments"),
        ("builtins:str", "has no cameras, reset"),
    ):
        process = graph.start("policy_node", policy=name)
        errors = graph.ended(process)
        assert process.returncode == 1
        assert said in errors
        assert "Traceback" not in errors
