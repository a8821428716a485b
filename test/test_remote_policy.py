"""Policies of servers over real websockets: answers, silence, nonsense, restarts."""

import asyncio
import time

import numpy as np
import pytest
from observations import JOINTS, ROBOT, SEEN
from policy_servers import answering

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.policies.factory import load_policy
from vlm_robot_ros.policies.remote.numpy_msgpack import ProtocolError, pack, unpack
from vlm_robot_ros.policies.remote.openpi_client import OpenpiClient, openpi_url
from vlm_robot_ros.policies.remote.policy_client import (
    KEY_FILE_VARIABLE,
    KEY_VARIABLE,
    RemotePolicyError,
)
from vlm_robot_ros.policies.remote.policy_map_loader import load_policy_map
from vlm_robot_ros.policies.remote.remote_policy import RemotePolicy

DROID = load_policy_map("droid", ROBOT)
STILL = {"actions": np.zeros((10, 8), np.float32)}


def policy_of(server, timeout=5.0, found=DROID):
    return RemotePolicy(OpenpiClient(server.address, timeout), found, ROBOT)


OPENPI_OBSERVATION = (
    "84b16f62736572766174696f6e2f737461746584c40b5f5f6e6461727261795f5fc3c40464617461c40c0000"
    "00000000003f0000803fc4056474797065a33c6634c40573686170659103a3696d6784c40b5f5f6e64617272"
    "61795f5fc3c40464617461c40c000102030405060708090a0bc4056474797065a37c7531c405736861706593"
    "020203a670726f6d7074a7676f20686f6d65a16ecb3ff8000000000000"
)
"""What openpi-client 0.1.2 packs of the observation below."""
OPENPI_ANSWER = (
    "82a7616374696f6e7384c40b5f5f6e6461727261795f5fc3c40464617461c4400000000000000000000000000"
    "000f03f000000000000004000000000000008400000000000001040000000000000144000000000000018400"
    "000000000001c40c4056474797065a33c6638c4057368617065920204ad7365727665725f74696d696e6781a"
    "8696e6665725f6d73cb4004000000000000"
)


def test_messages_are_those_of_openpis_client_to_the_byte():
    observation = {
        "observation/state": np.arange(3, dtype=np.float32) / 2,
        "img": np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
        "prompt": "go home",
        "n": 1.5,
    }
    assert pack(observation).hex() == OPENPI_OBSERVATION
    answer = unpack(bytes.fromhex(OPENPI_ANSWER))
    np.testing.assert_array_equal(answer["actions"], np.arange(8.0).reshape(2, 4))
    assert answer["server_timing"] == {"infer_ms": 2.5}


@pytest.mark.parametrize(
    "value",
    [np.float32(1.5), np.array([], "<f8"), np.array(3, "<i8"), np.ones((2, 0, 3), bool), [1, "a"]],
)
def test_what_is_packed_is_unpacked(value):
    again = unpack(pack({"a": value}))["a"]
    np.testing.assert_array_equal(again, value)
    assert np.asarray(again).dtype == np.asarray(value).dtype


def _array(**changes):
    import msgpack

    fields = {b"__ndarray__": True, b"data": bytes(8), b"dtype": "<f4", b"shape": [2]}
    given = {**fields, **{name.encode(): value for name, value in changes.items()}}
    return msgpack.packb({key: value for key, value in given.items() if value is not None})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes are no message"),
        (pack({"a": 1})[:-1], "are no message"),
        (b"\xc1", "are no message"),
        (b"\x91" * 5000, "are no message"),
        (_array(dtype="|O8"), "type '|O8'; valid: numbers"),
        (_array(dtype="<f4,<f4"), "valid: numbers"),
        (_array(dtype=7), "valid: numbers"),
        (_array(shape=[3]), r"shape \[3\] and type <f4 in 8 bytes"),
        (_array(shape=[-1, -2]), "whole numbers from 0"),
        (_array(shape=[2**40, 2**40, 0, 1.0]), "whole numbers from 0"),
        (_array(data=None), "lacks something"),
        (_array(shape=None), "lacks something"),
        (b"\xdd\x7f\xff\xff\xff", "are no message"),
        (b"\xdd\x00\x00\x27\x10" + 10_000 * (b"\x9f" + 15 * b"\x90"), "more than 100,000 items"),
        (_array(dtype="x" * 10**6), "an array of type 'x{59}; valid"),
    ],
)
def test_bytes_that_are_no_message_are_refused(data, message):
    with pytest.raises(ProtocolError, match=message):
        unpack(data)


@pytest.mark.parametrize("value", [object(), np.array([None]), np.array([1j]), {1: 2, "a": set()}])
def test_what_is_no_message_is_not_packed(value):
    with pytest.raises(ProtocolError, match="cannot be packed"):
        pack({"a": value})


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("openpi://gpu", "ws://gpu:8000"),
        ("openpi://10.0.0.7:9", "ws://10.0.0.7:9"),
        ("wss://policies.example/one", "wss://policies.example:443/one"),
        ("openpi://[::1]:8001", "ws://[::1]:8001"),
    ],
)
def test_an_address_is_a_websockets(address, url):
    assert openpi_url(address) == url


@pytest.mark.parametrize(
    "address", ["openpi://", "http://gpu", "openpi://gpu:x", "ws://me:key@gpu"]
)
def test_an_address_that_is_none_is_refused_with_what_is_valid(address):
    with pytest.raises(ValueError, match="valid: "):
        openpi_url(address)
    with pytest.raises(ValueError, match="valid: "):
        load_policy(address, ROBOT, policy_map="droid")


def test_a_map_is_needed_by_servers_and_only_by_them():
    with pytest.raises(ValueError, match="map is ''; valid: aloha, droid"):
        load_policy("openpi://gpu", ROBOT)
    with pytest.raises(ValueError, match="but policy is 'hold'"):
        load_policy("hold", ROBOT, policy_map="droid")


def test_an_answer_is_a_chunk():
    seen = []

    def answer(message):
        seen.append(message)
        return pack(STILL)

    with answering(answer, pack({"about": "me"})) as server:
        policy = policy_of(server)
        chunk = policy.infer(SEEN)
    assert chunk.mode is ActionMode.JOINT_POSITION
    assert chunk.values == pytest.approx(np.tile(JOINTS, (10, 1)))
    assert seen[0]["prompt"] == "pick up the lemon"
    assert policy.cameras == ("front", "wrist")
    assert policy.replan_steps == 8


def test_the_dialect_of_vllm_is_understood():
    seen = []

    def answer(message):
        seen.append(message)
        if message.get("endpoint") == "reset":
            return pack({"status": "reset successful"})
        if len(seen) == 3:
            return pack({"type": "error", "message": "no such camera"})
        return pack(STILL["actions"])

    with answering(answer, pack({"needs_session_id": True})) as server:
        policy = policy_of(server)
        assert len(policy.infer(SEEN).values) == 10
        policy.reset()
        with pytest.raises(RemotePolicyError, match="no such camera"):
            policy.infer(SEEN)
        assert len(policy.infer(SEEN).values) == 10
    assert seen[0]["session_id"] != seen[1]["session_id"] == seen[2]["session_id"]


NONSENSE = {
    "a text": (lambda _: "Traceback\n  line\nKeyError: 'wrist'\n", "server failed: KeyError"),
    "half a frame": (lambda _: pack(STILL)[:-5], "are no message"),
    "no map": (lambda _: pack([1, 2]), "answers list; valid: a map"),
    "no actions": (lambda _: pack({"state": 1}), "no 'actions'; it has: state"),
    "nan": (lambda _: pack({"actions": np.full((10, 8), np.nan)}), "not finite"),
    "too narrow": (lambda _: pack({"actions": np.zeros((10, 7))}), "needs 8 at least"),
    "no steps": (lambda _: pack({"actions": np.zeros((0, 8))}), "at most 1000 steps"),
    "nobody": (lambda _: None, "closed the connection"),
    "70 MB": (lambda _: bytes(70 * 2**20), "the server closed the connection"),
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_is_told_and_the_next_answer_counts_again(kind):
    answer, message = NONSENSE[kind]
    answers = [answer]

    with answering(lambda m: answers.pop(0)(m) if answers else pack(STILL)) as server:
        policy = policy_of(server)
        with pytest.raises(RemotePolicyError, match=message):
            policy.infer(SEEN)
        until_answered(policy)


def until_answered(policy):
    """Ask until there is an answer, as the node does at each image."""
    for _ in range(500):
        try:
            return policy.infer(SEEN)
        except RemotePolicyError as error:
            problem = str(error)
            time.sleep(0.02)  # the client connects again when its pause is over
    raise AssertionError(f"never answered: {problem}")


def test_who_does_not_answer_in_time_is_asked_anew_and_a_late_answer_is_dropped():
    asked = []

    async def late():
        await asyncio.sleep(1.0)
        return pack({"actions": np.ones((10, 8))})

    def answer(message):
        asked.append(message)
        return late() if len(asked) == 1 else pack(STILL)

    with answering(answer) as server:
        policy = policy_of(server, timeout=0.3)
        with pytest.raises(RemotePolicyError, match=r"no answer for 0.3 s"):
            policy.infer(SEEN)
        assert until_answered(policy).values == pytest.approx(np.tile(JOINTS, (10, 1)))


def test_a_server_may_come_late_and_come_again():
    with answering(lambda _: pack(STILL)) as server:
        port = server.port
    policy = policy_of(server)
    with pytest.raises(RemotePolicyError, match=r"no server at 'ws://127.0.0.1:\d+': "):
        policy.infer(SEEN)
    with pytest.raises(RemotePolicyError, match=r"no server.*; connects again in 0\.\d s"):
        policy.infer(SEEN)
    for _ in range(2):
        with answering(lambda _: pack(STILL), port=port):
            assert len(until_answered(policy).values) == 10
        with pytest.raises(RemotePolicyError):
            policy.infer(SEEN)


def test_a_server_that_greets_with_nonsense_is_told():
    with (
        answering(lambda _: pack(STILL), greeting="busy") as server,
        pytest.raises(RemotePolicyError, match="the server failed: busy"),
    ):
        policy_of(server).infer(SEEN)


def test_the_key_comes_from_the_environment_or_a_file(monkeypatch, tmp_path):
    (tmp_path / "key").write_text("secret2\n")
    with answering(lambda _: pack(STILL)) as server:
        monkeypatch.setenv(KEY_VARIABLE, "secret1")
        policy_of(server).infer(SEEN)
        monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "key"))
        policy_of(server).infer(SEEN)
        said = [headers["Authorization"] for headers in server.seen]
        (tmp_path / "key").write_text("\n")  # rather no connection than one without a key
        with pytest.raises(ValueError, match="is not one line of printable ASCII"):
            policy_of(server)
        monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "none"))
        with pytest.raises(ValueError, match="cannot be read"):
            policy_of(server)
    assert said == ["Api-Key secret1", "Api-Key secret2"]
