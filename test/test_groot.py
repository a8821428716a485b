"""GR00T's protocol over real ZeroMQ sockets: frames, answers, silence, nonsense, restarts."""

import os
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
import zmq
from observations import JOINTS, POSE, ROBOT, SEEN

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.policies.factory import load_policy
from vlm_robot_ros.policies.remote.groot_client import GrootClient
from vlm_robot_ros.policies.remote.groot_msgpack import pack, unpack
from vlm_robot_ros.policies.remote.numpy_msgpack import ProtocolError
from vlm_robot_ros.policies.remote.policy_client import KEY_VARIABLE, RemotePolicyError

REQUEST = (
    "82a8656e64706f696e74aa6765745f616374696f6ea46461746182ab6f62736572766174696f6e82a57374617465"
    "81a66a6f696e747382b15f5f6e6461727261795f636c6173735f5fc3a661735f6e7079c48c934e554d5059010076"
    "007b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a2046616c73652c2027736861"
    "7065273a2028312c20312c2033292c207d2020202020202020202020202020202020202020202020202020202020"
    "20202020202020202020202020202020202020202020202020200a000000000000003f0000803fa86c616e677561"
    "676581a47461736b9191a7676f20686f6d65a76f7074696f6e73c0"
)
"""What GR00T's own client packs of the request below."""
ANSWER = (
    "9281a4706f736582b15f5f6e6461727261795f636c6173735f5fc3a661735f6e7079c490934e554d505901007600"
    "7b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a2046616c73652c202773686170"
    "65273a2028312c20322c2032292c207d202020202020202020202020202020202020202020202020202020202020"
    "202020202020202020202020202020202020202020202020200a000000000000803f000000400000404081a174cb"
    "3ff8000000000000"
)
CONFIG = (
    "81a5737461746582b85f5f4d6f64616c697479436f6e6669675f636c6173735f5fc3a761735f6a736f6e85ad6465"
    "6c74615f696e64696365739100ad6d6f64616c6974795f6b65797391a66a6f696e7473b673696e5f636f735f656d"
    "62656464696e675f6b657973c0b76d65616e5f7374645f656d62656464696e675f6b657973c0ae616374696f6e5f"
    "636f6e66696773c0"
)
"""What its server packs of actions, and of what it says of its modalities."""


def actions(observation):
    """Stay where the arm is said to be, for four steps; the gripper opens."""
    assert observation["video"]["front"].shape == (1, 1, 256, 256, 3)
    assert observation["video"]["front"].dtype == np.uint8
    assert observation["state"]["joints"].shape == (1, 1, len(JOINTS))
    assert observation["language"]["annotation.human.task_description"] == [[SEEN.instruction]]
    pose = np.tile(POSE.astype(np.float32), (1, 4, 1))
    return [{"pose": pose, "gripper": np.ones((1, 4, 1), np.float32)}, {}]


@contextmanager
def server(answer, port=0, key=None):
    """Serve as GR00T's server does: one request at a time; `answer` may return bytes."""
    context = zmq.Context()
    socket = context.socket(zmq.REP)
    socket.setsockopt(zmq.LINGER, 0)
    bound = port or socket.bind_to_random_port("tcp://127.0.0.1")
    if port:
        socket.bind(f"tcp://127.0.0.1:{port}")
    done, seen = threading.Event(), []

    def run():
        while not done.is_set():
            if not socket.poll(20):
                continue
            request = unpack(socket.recv())
            seen.append(request["endpoint"])
            if key and request.get("api_token") != key:
                result = {"error": "Unauthorized: Invalid API token"}
            elif request["endpoint"] == "get_action":
                result = answer(request["data"]["observation"])
            else:
                result = {} if request["endpoint"] != "ping" else {"status": "ok"}
            if result is not None:
                socket.send(result if isinstance(result, bytes) else pack(result))
            else:
                done.wait()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"groot://127.0.0.1:{bound}", seen
    finally:
        done.set()
        thread.join(10)
        socket.close()
        context.term()


def test_frames_are_those_of_groots_client_and_server_to_the_byte():
    state = {"joints": np.arange(3, dtype=np.float32)[None, None] / 2}
    observation = {"state": state, "language": {"task": [["go home"]]}}
    data = {"observation": observation, "options": None}
    assert pack({"endpoint": "get_action", "data": data}).hex() == REQUEST
    table, info = unpack(bytes.fromhex(ANSWER))
    np.testing.assert_array_equal(table["pose"], np.arange(4.0).reshape(1, 2, 2))
    assert info == {"t": 1.5}
    assert unpack(bytes.fromhex(CONFIG))["state"]["delta_indices"] == [0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"__ndarray_class__": True}, "without its .npy file"),
        ({"__ndarray_class__": True, "as_npy": b"\x93NUMPY"}, "no .npy file"),
        ({"__ndarray_class__": True, "as_npy": bytes.fromhex(ANSWER)[40:]}, "no .npy file"),
    ],
)
def test_malformed_array_is_refused(content, message):
    with pytest.raises(ProtocolError, match=message):
        unpack(pack({"a": content}))


def test_array_of_objects_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([print], object))
    data = (tmp_path / "a.npy").read_bytes()
    with pytest.raises(ProtocolError, match="type object"):
        unpack(pack({"__ndarray_class__": True, "as_npy": data}))


def test_array_that_is_shorter_than_its_header_says_is_refused():
    data = bytes.fromhex(ANSWER).replace(b"(1, 2, 2)", b"(9, 9, 9)")
    with pytest.raises(ProtocolError, match=r"shape \(9, 9, 9\)"):
        unpack(data)


def test_policy_answers_through_the_map():
    with server(actions) as (address, seen):
        policy = load_policy(address, ROBOT, policy_map="groot")
        chunk = policy.infer(SEEN)
        assert chunk.mode is ActionMode.END_EFFECTOR_POSE
        np.testing.assert_allclose(chunk.values, np.tile(POSE, (4, 1)), atol=1e-6)
        assert chunk.gripper.tolist() == [1.0] * 4
        policy.reset()
        policy.close()
    assert seen == ["ping", "get_modality_config", "get_action", "reset"]


def test_key_comes_from_the_environment(monkeypatch):
    with server(actions, key="abc") as (address, _):
        with pytest.raises(RemotePolicyError, match="Unauthorized"):
            load_policy(address, ROBOT, policy_map="groot").infer(SEEN)
        monkeypatch.setenv(KEY_VARIABLE, "abc")
        assert not load_policy(address, ROBOT, policy_map="groot").infer(SEEN).hold


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"error": "Traceback\nKeyError: 'wrist'"}, "KeyError: 'wrist'"),
        (b"ERROR", "no message"),
        ([{}, {}], "valid: a map of actions"),
        (5, "answers int"),
        ([{"pose": np.ones((1, 4, 7))}, {}], "no 'gripper'"),
        ([{"pose": np.ones((4, 7)), "gripper": np.ones((1, 4, 1))}, {}], r"shape \(4, 7\)"),
        ([{"pose": np.full((1, 4, 7), np.nan), "gripper": np.ones((1, 4, 1))}, {}], "finite"),
        ([{"pose": np.ones((1, 4, 7)), "gripper": np.ones((1, 5, 1))}, {}], "steps"),
        (None, "no answer after 0.5 s"),
    ],
)
def test_answer_that_is_none_holds_with_the_reason(tmp_path, answer, message):
    with server(lambda observation: answer) as (address, _):
        policy = load_policy(address, ROBOT, policy_map=patient_map(tmp_path, 0.5))
        with pytest.raises(RemotePolicyError, match=message):
            policy.infer(SEEN)
        policy.close()


def patient_map(folder, timeout):
    from vlm_robot_ros.paths import config_dir

    text = (config_dir() / "policy_maps" / "groot.yaml").read_text()
    (folder / "map.yaml").write_text(f"{text}timeout: {timeout}\n")
    return folder / "map.yaml"


@pytest.mark.long
def test_server_may_come_later_and_come_back(tmp_path):
    with server(actions) as (address, _):
        port = int(address.split(":")[-1])
    policy = load_policy(address, ROBOT, policy_map=patient_map(tmp_path, 0.5))
    for _ in range(2):
        with pytest.raises(RemotePolicyError):
            policy.infer(SEEN)
        with server(actions, port):
            end = time.monotonic() + 30
            while True:
                try:
                    assert not policy.infer(SEEN).hold
                    break
                except RemotePolicyError:
                    assert time.monotonic() < end
                    time.sleep(0.05)
    policy.close()


@pytest.mark.parametrize(
    "address", ["groot://", "groot://a:99999", "groot://u:p@a", "groot://a:5/path"]
)
def test_address_that_is_none_is_refused(address):
    with pytest.raises(ValueError, match=r"valid: groot://HOST"):
        GrootClient(address, 1.0)


def test_groots_own_server_is_asked():
    folder = os.environ.get("GROOT_SERVING", "")
    if not folder:
        pytest.skip("needs GR00T's gr00t/policy/server_client.py: a folder in GROOT_SERVING")
    sys.path.insert(0, folder)
    from gr00t.policy.server_client import PolicyServer

    class Policy:
        def get_action(self, observation, options=None):
            return tuple(actions(observation))

        def reset(self, options=None):
            return {}

    with server(actions) as (address, _):
        port = int(address.split(":")[-1])
    own = PolicyServer(Policy(), host="127.0.0.1", port=port, api_token=None)
    thread = threading.Thread(target=own.run, daemon=True)
    thread.start()
    policy = load_policy(address, ROBOT, policy_map="groot")
    policy.reset()
    np.testing.assert_allclose(policy.infer(SEEN).values, np.tile(POSE, (4, 1)), atol=1e-6)
    policy.reset()
    policy.close()
