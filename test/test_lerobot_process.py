"""Policies of LeRobot in a process of their own: what it is sent, and what may go wrong there."""

import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lerobot_stub import make_checkpoint, make_interpreter
from observations import JOINTS, ROBOT, SEEN

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.pipe_messages import FrameError, read_message, write_message
from vlm_robot_ros.policies.factory import load_policy
from vlm_robot_ros.policies.lerobot import policy_process
from vlm_robot_ros.policies.lerobot.policy_process import LerobotProcess
from vlm_robot_ros.policies.remote.policy_client import RemotePolicyError

MAP = """
cameras: [{key: observation.images.front, camera: front, size: [32, 24], fit: squash}]
state: [{key: observation.state, parts: [{values: joints}, {values: gripper}]}]
prompt: {key: task}
actions: {key: action, mode: joint_position, rate: 10.0, gripper: {column: 7}}
timeout: 2.0
"""
GOLDEN = (
    "0000006b7b22617272617973223a205b5b2261222c2022666c6f61743332222c205b315d5d2c205b2262222c2022"
    "75696e7438222c205b312c20325d5d5d2c202276616c756573223a207b2263616c6c223a2022696e666572222c20"
    "227461736b223a2022685c7530306539227d7d0000c03f0102"
)
"""The message of the test below."""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    return str(make_interpreter(tmp_path_factory.mktemp("lerobot")))


@pytest.fixture
def policy(tmp_path, python):
    (tmp_path / "map.yaml").write_text(MAP)
    checkpoint = make_checkpoint(tmp_path / "checkpoint")
    made = load_policy(
        f"lerobot:{checkpoint}",
        ROBOT,
        policy_map=tmp_path / "map.yaml",
        lerobot_python=python,
    )
    yield made
    made.close()


def told(text):
    return replace(SEEN, instruction=text)


def test_message_has_the_bytes_that_the_server_file_documents():
    stream = io.BytesIO()
    message = {
        "call": "infer",
        "a": np.array([1.5], np.float32),
        "b": np.array([[1, 2]], np.uint8),
        "task": "h\u00e9",
    }
    write_message(stream, message)
    stream.seek(0)
    again = read_message(stream)
    assert {key: np.asarray(value).tolist() for key, value in again.items()} == {
        "call": "infer", "a": [1.5], "b": [[1, 2]], "task": "h\u00e9"
    }  # fmt: skip
    assert stream.getvalue().hex() == GOLDEN


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xff\xff\xff", "header of 4294967295 bytes"),
        (b"\x00\x00\x00\x02[]", "header that is not valid"),
        (b'\x00\x00\x00\x1d{"values": {}, "arrays": [1]}', "header that is not valid"),
        (b'\x00\x00\x00\x32{"values": {}, "arrays": [["a", "object", [1000]]]}', "not valid"),
        (b'\x00\x00\x00\x35{"values": {}, "arrays": [["a", "float32", [1000000]]]}   ', None),
        (b'\x00\x00\x00\x37{"values": {}, "arrays": [["a", "float32", [9000000000]]]}', "bytes"),
        (b'\x00\x00\x00\x30{"values": {}, "arrays": [["a", "uint8", [-1]]]} ', "not valid"),
    ],
)
def test_malformed_message_is_refused(data, message):
    data = len(data[4:]).to_bytes(4, "big") + data[4:] if data[0] == 0 else data
    with pytest.raises(FrameError if message else EOFError, match=message):
        read_message(io.BytesIO(data))


def test_actions_are_those_of_the_checkpoint(policy):
    chunk = policy.infer(SEEN)
    assert chunk.mode == ActionMode.JOINT_POSITION
    assert chunk.step_dt == pytest.approx(0.1)
    steps = np.arange(5)[:, None] / 100
    np.testing.assert_allclose(chunk.values, JOINTS + steps, atol=1e-6)
    np.testing.assert_allclose(chunk.gripper, SEEN.opening + steps[:, 0], atol=1e-6)
    assert policy.cameras == ("front",)


def test_policy_that_fails_says_why_and_goes_on(policy):
    with pytest.raises(RemotePolicyError, match="CUDA out of memory"):
        policy.infer(told("fail"))
    assert not policy.infer(SEEN).hold


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("die", "has ended by signal 9"),
        pytest.param("hang", "has not answered for 2 s, and was ended", marks=pytest.mark.long),
        ("nan", "not finite"),
    ],
)
def test_policy_that_ends_or_hangs_is_loaded_again(policy, said, reason):
    with pytest.raises(RemotePolicyError, match=reason):
        policy.infer(told(said))
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            assert not policy.infer(SEEN).hold
            return
        except RemotePolicyError as error:
            if not any(text in str(error) for text in ("connects again", "being loaded again")):
                raise
            time.sleep(0.1)
    pytest.fail("the policy did not come back")


@pytest.mark.long
def test_interpreter_that_is_begun_by_a_script_is_ended_with_it(tmp_path):
    """As `conda run` begins one: the process that is known is a shell's."""
    (tmp_path / "map.yaml").write_text(MAP)
    python = make_interpreter(tmp_path, begins="command")
    python.write_text(python.read_text() + "exit $?\n")
    checkpoint = make_checkpoint(tmp_path / "checkpoint")
    policy = load_policy(
        f"lerobot:{checkpoint}",
        ROBOT,
        policy_map=tmp_path / "map.yaml",
        lerobot_python=str(python),
    )
    began = time.monotonic()
    with pytest.raises(RemotePolicyError, match="has not answered for 2 s, and was ended"):
        policy.infer(told("hang"))
    assert time.monotonic() - began < 20
    policy.close()


@pytest.mark.long
def test_process_that_does_not_read_is_ended(tmp_path, python):
    client = LerobotProcess(f"lerobot:{make_checkpoint(tmp_path)}", python, "cpu", 2.0)
    os.kill(client._process.pid, signal.SIGSTOP)
    with pytest.raises(RemotePolicyError, match="has not answered for 2 s, and was ended"):
        client.infer({"task": "x" * 500_000})
    client.close()


@pytest.mark.long
def test_process_ends_when_who_has_begun_it_is_killed(tmp_path, python):
    code = (
        "import os, signal, sys\n"
        "from vlm_robot_ros.policies.lerobot.policy_process import LerobotProcess\n"
        "made = LerobotProcess(sys.argv[1], sys.argv[2], 'cpu', 5.0)\n"
        "print(made._process.pid, flush=True)\n"
        "os.kill(made._process.pid, signal.SIGSTOP)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", code, f"lerobot:{make_checkpoint(tmp_path)}", python]
    # The process would keep a captured standard error open.
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=120
    )
    pid = int(done.stdout.split()[-1])
    os.kill(pid, signal.SIGCONT)
    end = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.long
def test_process_ends_with_who_asks(tmp_path, python):
    client = LerobotProcess(f"lerobot:{make_checkpoint(tmp_path)}", python, "cpu", 5.0)
    pid = client._process.pid
    os.kill(pid, signal.SIGINT)  # Ctrl-C is for the node
    process = client._process._process
    del client
    process.stdin.close()
    assert process.wait(10) in (0, -signal.SIGINT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "other"}, "Policy with name other is not implemented"),
        ({"input_features": {"observation.images.top": {"type": "VISUAL", "shape": [3, 2, 2]}}},
         "needs 'observation.images.top'; the map gives observation.images.front"),
        ({"input_features": {"observation.state": {"type": "STATE", "shape": [6]}}},
         r"'observation.state' has shape \(8,\); the checkpoint learned \(6,\)"),
        ({"output_features": {"action": {"type": "ACTION", "shape": [6]}}}, "6 values"),
        ({"input_features": {"observation.images.empty_camera_0": {"type": "VISUAL", "shape": [3]},
                             "observation.state": {"type": "STATE", "shape": [7]}}},
         r"'observation.state' has shape \(8,\); the checkpoint learned \(7,\)$"),
    ],
)  # fmt: skip
def test_checkpoint_that_does_not_fit_is_named(tmp_path, python, changes, message):
    (tmp_path / "map.yaml").write_text(MAP)
    checkpoint = make_checkpoint(tmp_path / "checkpoint", **changes)
    with pytest.raises(ValueError, match=message):
        load_policy(
            f"lerobot:{checkpoint}",
            ROBOT,
            policy_map=tmp_path / "map.yaml",
            lerobot_python=python,
        )


def test_interpreter_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.delenv(policy_process.PYTHON_VARIABLE, raising=False)
    checkpoint = make_checkpoint(tmp_path)
    for given, shown in (("", "''"), ("/nowhere/python", "'/nowhere/python'")):
        with pytest.raises(ValueError, match=f"interpreter is {shown}; valid: the path"):
            load_policy(f"lerobot:{checkpoint}", ROBOT, lerobot_python=given)
    with pytest.raises(ValueError, match=r"no config\.json in '/nowhere'"):
        load_policy("lerobot:/nowhere", ROBOT)


def test_interpreter_without_lerobot_is_refused(tmp_path):
    empty = tmp_path / "python"
    empty.write_text('#!/bin/sh\necho "nothing here" >&2\nexit 3\n')
    empty.chmod(0o755)
    checkpoint = make_checkpoint(tmp_path)
    with pytest.raises(ValueError, match="its process has ended with status 3"):
        load_policy(f"lerobot:{checkpoint}", ROBOT, lerobot_python=str(empty))
