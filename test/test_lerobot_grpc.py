"""LeRobot's policy server over real gRPC: requests, answers, and hostile pickles."""

import os
import pickle
import sys
import time
import types
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
import pytest
import torch
from observations import JOINTS, ROBOT, SEEN

from vlm_robot_ros.policies.factory import load_policy
from vlm_robot_ros.policies.lerobot.grpc_client import LerobotGrpcClient, _bytes_field
from vlm_robot_ros.policies.lerobot.pickle_format import load_actions
from vlm_robot_ros.policies.remote.numpy_msgpack import ProtocolError
from vlm_robot_ros.policies.remote.policy_client import RemotePolicyError

HELPERS = "lerobot.async_inference.helpers"


@dataclass
class TimedAction:
    """As LeRobot 0.6.1 has it."""

    timestamp: float
    timestep: int
    action: Any


@dataclass
class TimedObservation:
    """As LeRobot 0.6.1 has it."""

    timestamp: float
    timestep: int
    observation: dict
    must_go: bool = False


@dataclass
class RemotePolicyConfig:
    """As LeRobot 0.6.1 has it."""

    policy_type: str
    pretrained_name_or_path: str
    lerobot_features: dict
    actions_per_chunk: int
    device: str = "cpu"
    rename_map: dict = field(default_factory=dict)


@pytest.fixture(autouse=True)
def helpers(monkeypatch):
    """LeRobot's module of messages, for pickles of both sides."""
    module = types.ModuleType(HELPERS)
    for each in (TimedAction, TimedObservation, RemotePolicyConfig):
        monkeypatch.setattr(each, "__module__", HELPERS)
        setattr(module, each.__name__, each)
    for name in ("lerobot", "lerobot.async_inference"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, HELPERS, module)


def varint(size):
    return bytes([size]) if size < 128 else bytes([size & 127 | 128]) + varint(size >> 7)


def fields(message):
    """Read protobuf's fields of a message: whole numbers and bytes."""
    found, place = {}, 0

    def number():
        nonlocal place
        value = shift = 0
        while True:
            value |= (message[place] & 127) << shift
            place, shift = place + 1, shift + 7
            if message[place - 1] < 128:
                return value

    while place < len(message):
        key, value = message[place], None
        place += 1
        value = number()
        if key & 7 == 2:
            place, value = place + value, message[place : place + value]
        found[key >> 3] = value
    return found


@contextmanager
def server(answer, port=0):
    """Serve as LeRobot's server does; `answer(observation)` gives the bytes of the actions."""
    seen = {}

    def instructions(request, context):
        seen["config"] = pickle.loads(fields(request)[1])
        return b""

    def observations(requests, context):
        pieces = [fields(each) for each in requests]
        seen["states"] = [each[1] for each in pieces]
        seen["observation"] = pickle.loads(b"".join(each[2] for each in pieces))
        return b""

    def actions(request, context):
        data = answer(seen["observation"])
        return b"\x0a" + varint(len(data)) + data if data else b""

    calls = {
        "Ready": grpc.unary_unary_rpc_method_handler(lambda request, context: b""),
        "SendPolicyInstructions": grpc.unary_unary_rpc_method_handler(instructions),
        "SendObservations": grpc.stream_unary_rpc_method_handler(observations),
        "GetActions": grpc.unary_unary_rpc_method_handler(actions),
    }
    made = grpc.server(futures.ThreadPoolExecutor(4))
    made.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("transport.AsyncInference", calls)]
    )
    bound = made.add_insecure_port(f"127.0.0.1:{port}")
    made.start()
    try:
        yield f"lerobot-grpc://127.0.0.1:{bound}/act:/models/act", seen
    finally:
        made.stop(0).wait()


def still(observation):
    """Stay at the joints, for three steps, the gripper open."""
    assert observation.must_go
    row = torch.tensor([observation.observation[f"observation.state.{i}"] for i in range(8)])
    row[7] = 1.0
    steps = [TimedAction(0.0, observation.timestep + i, row + i / 100) for i in range(3)]
    return pickle.dumps(steps)


def joint_map(folder, timeout=5.0):
    (folder / "map.yaml").write_text(f"""
cameras: [{{key: observation.images.front, camera: front}}]
state: [{{key: observation.state, parts: [{{values: joints}}, {{values: gripper}}]}}]
prompt: {{key: task}}
actions: {{key: action, mode: joint_position, rate: 10.0, gripper: {{column: 7}}}}
timeout: {timeout}
""")
    return folder / "map.yaml"


def infer(policy):
    """Ask, once the server has loaded the policy."""
    end = time.monotonic() + 60
    while True:
        try:
            return policy.infer(SEEN)
        except RemotePolicyError as error:
            if "being loaded" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.02)


def test_policy_is_loaded_and_asked(tmp_path):
    with server(still) as (address, seen):
        policy = load_policy(address, ROBOT, policy_map=joint_map(tmp_path))
        for _ in range(2):
            chunk = infer(policy)
            steps = np.arange(3)[:, None] / 100
            np.testing.assert_allclose(chunk.values, JOINTS + steps, atol=1e-6)
        policy.close()
    config = seen["config"]
    assert (config.policy_type, config.pretrained_name_or_path) == ("act", "/models/act")
    assert config.lerobot_features["observation.images.front"]["shape"] == (256, 256, 3)
    np.testing.assert_array_equal(seen["observation"].observation["front"], SEEN.images["front"])
    assert seen["observation"].observation["task"] == SEEN.instruction


def test_large_observation_comes_in_pieces(tmp_path):
    (tmp_path / "map.yaml").write_text(
        joint_map(tmp_path)
        .read_text()
        .replace("camera: front", "camera: front, size: [1280, 1280]")
    )
    with server(still) as (address, seen):
        infer(load_policy(address, ROBOT, policy_map=tmp_path / "map.yaml"))
    assert seen["states"] == [1, 2, 3]


class Evil:
    """A pickle that runs a command."""

    def __reduce__(self):
        return os.system, ("touch /tmp/vlm_robot_ros_pwned",)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda seen: b"", "its own log says why"),
        (lambda seen: pickle.dumps([Evil()]), "names 'posix.system', which is no action"),
        (lambda seen: pickle.dumps(eval), "names 'builtins.eval'"),
        (lambda seen: pickle.dumps(5), "the answer is int"),
        (lambda seen: pickle.dumps([]), "the answer is list"),
        (lambda seen: pickle.dumps([1]), "something else than actions"),
        (lambda seen: b"\x80\x04nonsense", "no list of actions"),
        (lambda seen: pickle.dumps([TimedAction(0.0, 99, torch.ones(8))]), "to observation 99"),
        (
            lambda seen: pickle.dumps([TimedAction(0.0, seen.timestep, "a")]),
            "no tables of floating",
        ),
        (lambda seen: pickle.dumps([TimedAction(0.0, seen.timestep, torch.ones(6))]), "6 values"),
    ],
)
def test_answer_that_is_none_or_hostile_holds(tmp_path, answer, message):
    with server(answer) as (address, _):
        policy = load_policy(address, ROBOT, policy_map=joint_map(tmp_path))
        with pytest.raises(RemotePolicyError, match=message):
            infer(policy)
        policy.close()
    assert not os.path.exists("/tmp/vlm_robot_ros_pwned")


def test_hostile_pickle_changes_nothing_for_the_next_one():
    class State:
        def __init__(self, target):
            self.target = target

        def __reduce__(self):
            return self.target, (), (None, {"timestep": 7, "__defaults__": (5, 5, 5)})

    for target in (TimedAction, torch._utils._rebuild_tensor_v2):
        defaults = torch._utils._rebuild_tensor_v2.__defaults__
        with pytest.raises(ProtocolError):
            load_actions(pickle.dumps([State(target)]), 1)
        assert torch._utils._rebuild_tensor_v2.__defaults__ == defaults
    good = pickle.dumps([TimedAction(0.0, 1, torch.ones(8))])
    assert load_actions(good, 1).tolist() == [[1.0] * 8]
    for bad in (torch.ones(8, requires_grad=True).int(), torch.ones(8, dtype=torch.complex64)):
        with pytest.raises(ProtocolError, match="no tables of floating"):
            load_actions(pickle.dumps([TimedAction(0.0, 1, bad)]), 1)
    grad = pickle.dumps([TimedAction(0.0, 1, torch.ones(8, requires_grad=True))])
    assert load_actions(grad, 1).tolist() == [[1.0] * 8]
    with pytest.raises(ProtocolError, match="to observation"):
        load_actions(pickle.dumps([TimedAction(0.0, torch.ones(1), torch.ones(8))]), 1)


def test_length_of_many_digits_is_refused():
    with pytest.raises(ProtocolError, match="no list of actions"):
        _bytes_field(b"\x0a" + b"\xff" * 10_000_000, 1)


def test_storage_of_a_tensor_is_no_way_in():
    inner = pickle.dumps(Evil(), protocol=2)

    class Storage:
        def __reduce__(self):
            from torch.storage import _load_from_bytes

            return _load_from_bytes, (inner,)

    with pytest.raises(ProtocolError, match="no list of actions"):
        load_actions(pickle.dumps([Storage()]), 1)
    assert not os.path.exists("/tmp/vlm_robot_ros_pwned")


def test_server_may_come_later_be_late_and_come_back(tmp_path):
    with server(still) as (address, _):
        port = int(address.split(":")[2].split("/")[0])
    policy = load_policy(address, ROBOT, policy_map=joint_map(tmp_path, 0.5))
    with pytest.raises(RemotePolicyError, match="UNAVAILABLE"):
        policy.infer(SEEN)
    for answer in (lambda seen: time.sleep(2) or b"", still):
        with server(answer, port):
            end, late = time.monotonic() + 30, answer is not still
            while time.monotonic() < end:
                try:
                    assert not policy.infer(SEEN).hold
                    break
                except RemotePolicyError as error:
                    if late and "DEADLINE_EXCEEDED" in str(error):
                        break
                    time.sleep(0.05)
            else:
                pytest.fail("it did not come back")
    policy.close()


@pytest.mark.parametrize(
    "address",
    ["lerobot-grpc://a", "lerobot-grpc://a/act", "lerobot-grpc://a/what:/p", "lerobot-grpc:///act:p",
     "lerobot-grpc://a:99999/act:p", "lerobot-grpc://u:p@a/act:p"],
)  # fmt: skip
def test_address_that_is_none_is_refused(address):
    with pytest.raises(ValueError, match="valid: lerobot-grpc://HOST"):
        LerobotGrpcClient(address, "cpu", 1.0)
