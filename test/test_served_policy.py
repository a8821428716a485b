"""A policy of ours, served to clients of openpi's protocol."""

import os
import threading
from dataclasses import replace

import numpy as np
import pytest
from observations import IMAGES, JOINTS, POSE, ROBOT, SEEN
from policy_servers import answering, serving
from test_remote_policy import DROID, STILL, policy_of, until_answered

from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.policies.remote.numpy_msgpack import pack
from vlm_robot_ros.policies.remote.observation_mapping import map_observation
from vlm_robot_ros.policies.remote.openpi_client import (
    OpenpiClient,
    key_headers,
)
from vlm_robot_ros.policies.remote.policy_client import KEY_VARIABLE, RemotePolicyError
from vlm_robot_ros.policies.remote.policy_map_loader import load_policy_map, parse_policy_map
from vlm_robot_ros.policies.remote.served_policy import ServedPolicy


class Circling:
    """A policy whose chunks depend on all that it sees; `changes` are of each chunk."""

    cameras = ("front", "wrist")

    def __init__(self, **changes):
        self.calls, self.changes = [], changes

    def reset(self):
        self.calls.append("reset")

    def next_instruction(self):
        self.calls.append("next")

    def infer(self, seen):
        self.calls.append(seen)
        base = sum(float(image.mean()) for image in seen.images.values()) / 1e4
        places = seen.pose[:3] + base * np.linspace(0, 1, 8)[:, None]
        values = np.hstack([places, np.tile(seen.pose[3:], (8, 1))])
        grip = np.linspace(0, 1, 8) * seen.opening
        mode = ActionMode.END_EFFECTOR_POSE
        fields = (mode, values, grip, 0.1, "x", {"x": 1.0}, 0.8, "")
        return replace(ActionChunk(*fields), **self.changes)

    def draw(self):
        return None


def test_a_served_policy_answers_a_client_as_it_answers_itself():
    own, found = Circling(), load_policy_map("lerobot", ROBOT)
    with serving(ServedPolicy(own, found, ROBOT), {"about": "circling"}) as server:
        policy = policy_of(server, found=found)
        chunk = policy.infer(SEEN)
        other = Observation(IMAGES, POSE, 0.2, "go home", JOINTS)
        policy.infer(other)
        mine = Circling().infer(SEEN)
        np.testing.assert_allclose(chunk.values, mine.values, atol=1e-6)
        np.testing.assert_allclose(chunk.gripper, mine.gripper, atol=1e-6)
        assert chunk.mode is mine.mode
        assert chunk.step_dt == pytest.approx(mine.step_dt)
        assert [each if isinstance(each, str) else each.instruction for each in own.calls] == [
            "reset", "pick up the lemon", "next", "next", "go home"
        ]  # fmt: skip
        assert (chunk.label, chunk.confidence) == ("x", 0.8)
        stranger = policy_of(server, found=found)
        with pytest.raises(RemotePolicyError, match="another client is connected"):
            stranger.infer(SEEN)
        assert own.calls.count("reset") == 1
        policy.close()
        until_answered(stranger)  # its connection resets the policy
        assert own.calls.count("reset") == 2


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"hold": "there is no lemon"}, {"hold": "there is no lemon"}),
        ({"confidence": 0.2}, {"confidence": 0.2}),
        ({"pace": 0.5}, {"pace": 0.5}),
        ({"gripper_at_once": True}, {"gripper": [0.0] * 8}),
        ({"label": "y", "scores": {"y": 0.8}}, {"label": "y"}),
    ],
)
def test_what_a_served_policy_says_beside_its_actions_counts(changes, wanted):
    found = load_policy_map("lerobot", ROBOT)
    with serving(ServedPolicy(Circling(**changes), found, ROBOT)) as server:
        chunk = policy_of(server, found=found).infer(SEEN)
    for name, value in wanted.items():
        assert np.array_equal(getattr(chunk, name), value), name


def test_a_served_policy_of_another_rate_than_the_map_is_refused():
    found = load_policy_map("lerobot", ROBOT)
    with (
        serving(ServedPolicy(Circling(step_dt=0.05), found, ROBOT)) as server,
        pytest.raises(RemotePolicyError, match="come 10 times a second, the policy's 20"),
    ):
        policy_of(server, found=found).infer(SEEN)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({**STILL, "confidence": "high"}, "confidence is 'high'; valid: 0 to 1"),
        ({**STILL, "confidence": float("nan")}, "confidence is nan"),
        ({**STILL, "pace": 2}, "pace is 2"),
        ({**STILL, "label": [1]}, "label is"),
    ],
)
def test_words_beside_the_actions_are_checked(answer, message):
    with (
        answering(lambda _: pack(answer)) as server,
        pytest.raises(RemotePolicyError, match=message),
    ):
        policy_of(server).infer(SEEN)


def test_connecting_again_and_again_leaves_nothing_behind():
    with answering(lambda _: None) as server:
        policy = policy_of(server)

        def ask(times):
            for _ in range(times):
                policy._client._next_attempt = 0.0
                with pytest.raises(RemotePolicyError):
                    policy.infer(SEEN)
            return len(os.listdir("/proc/self/fd")), threading.active_count()

        before = ask(5)
        after = ask(40)
    assert after[0] <= before[0] + 3
    assert after[1] <= before[1] + 1


def test_an_error_of_a_server_is_cut_where_it_is_long():
    answer = pack({"type": "error", "message": "x" * 10**6})
    with answering(lambda _: answer) as server, pytest.raises(RemotePolicyError) as raised:
        policy_of(server).infer(SEEN)
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"observation.images.front": None}, "no 'observation.images.front'"),
        ({"observation.images.front": np.zeros((4, 4))}, "valid: an image of three channels"),
        ({"observation.state": np.zeros(7)}, "1 values too short"),
        ({"observation.state": np.zeros(9)}, "1 values too many"),
        ({"task": 7}, "the prompt is int; valid: a text"),
    ],
)
def test_what_is_wrong_with_an_observation_is_told_to_the_client(changes, message):
    found = load_policy_map("lerobot", ROBOT)
    given = {**map_observation(found, SEEN), **changes}
    given = {name: value for name, value in given.items() if value is not None}
    with serving(ServedPolicy(Circling(), found, ROBOT)) as server:
        client = OpenpiClient(server.address, 5.0)
        with pytest.raises(RemotePolicyError, match=message):
            client.infer(given)


def test_a_served_policy_with_a_key_answers_nobody_else(monkeypatch):
    found = load_policy_map("lerobot", ROBOT)
    stranger_key = key_headers()
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    with serving(ServedPolicy(Circling(), found, ROBOT)) as server:
        friend = policy_of(server, found=found)
        monkeypatch.delenv(KEY_VARIABLE)
        stranger = policy_of(server, found=found)
        assert stranger_key == {}
        with pytest.raises(RemotePolicyError, match="401"):
            stranger.infer(SEEN)
        assert len(friend.infer(SEEN).values) == 8


def test_a_map_that_cannot_say_what_a_policy_needs_or_does_is_refused():
    pose = {"mode": "pose", "rate": 10.0, "gripper": {"column": 7}, "rotation": "quaternion"}
    with pytest.raises(ValueError, match="needs camera 'front'; the map has none"):
        ServedPolicy(Circling(), parse_policy_map({"actions": pose}, ROBOT), ROBOT)
    served = ServedPolicy(Circling(step_dt=1 / 15), load_policy_map("droid", ROBOT), ROBOT)
    with pytest.raises(ValueError, match="'joint_delta', the policy's END_EFFECTOR_POSE"):
        served.answer(map_observation(DROID, SEEN))
