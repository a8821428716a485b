"""The demo's whole path: three nodes as processes, commands, judge, video, bag and summary."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

import imageio_ffmpeg
from bags import DEMO_COMMANDS
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from vlm_robot_ros.bags.recording import read_recording
from vlm_robot_ros.cli.main import main
from vlm_robot_ros.demo.node_list import demo_nodes
from vlm_robot_ros.demo.script import GIBBERISH, demo_script
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.tasks.tasks import FAMILIES, is_feasible

TOPICS = {
    "/action": "vlm_robot_ros/msg/VlmAction",
    "/action_chunk": "vlm_robot_ros/msg/ActionChunk",
    "/task_label": "vlm_robot_ros/msg/TaskLabel",
    "/arm_sim_node/state": "vlm_robot_ros/msg/SimState",
    "/current_instruction": "std_msgs/msg/String",
    "/instruction": "std_msgs/msg/String",
    "/diagnostics": "diagnostic_msgs/msg/DiagnosticArray",
    "/joint_states": "sensor_msgs/msg/JointState",
    "/camera/front/image_raw": "sensor_msgs/msg/Image",
    "/camera/front/camera_info": "sensor_msgs/msg/CameraInfo",
    "/camera/wrist/image_raw": "sensor_msgs/msg/Image",
    "/camera/wrist/camera_info": "sensor_msgs/msg/CameraInfo",
    "/clock": "rosgraph_msgs/msg/Clock",
}


def test_a_programme_has_every_family_a_stop_and_what_cannot_be_done():
    for seed in range(20):
        programme = demo_script(seed)
        families = [item.family for item in programme]
        assert {"stop", "meaningless", "absent", "two steps", "correction", "question"} < set(
            families
        )
        assert set(FAMILIES) - {"arm"} < set(families)
        assert demo_script(seed) == programme
        for item in programme:
            if item.task is not None:
                assert is_feasible(item.task, item.scene)
    assert demo_script(1) != demo_script(2)


def test_the_arm_obeys(demo):
    summary = json.loads((demo[0] / "summary.json").read_text())
    assert len(summary["commands"]) == DEMO_COMMANDS
    assert summary["manipulation"]["commands"] == DEMO_COMMANDS - 2
    # Under the model card's rate, and over what a policy gets that does not listen.
    assert summary["manipulation"]["successes"] >= 5
    assert summary["stop_time_s"] <= 0.3
    assert summary["meaningless_motion_m"] < 0.02
    latency = summary["camera_to_action_ms"]
    assert latency["actions"] > 100
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"]


def test_it_ends_with_a_table_and_paths(demo):
    out, printed = demo
    for text in ("manipulation ", "still after", f"{GIBBERISH}", "camera->action  p50"):
        assert text in printed
    for name in ("demo.mp4", "bag", "summary.json", "report.html"):
        assert str(out / name) in printed


def test_the_video_shows_it(demo):
    frames = imageio_ffmpeg.read_frames(str(demo[0] / "demo.mp4"))
    about = next(frames)
    assert about["size"] == (512, 640)
    assert about["duration"] > 10
    pixels = [np.frombuffer(frame, np.uint8) for frame in frames]
    assert np.std(pixels[0]) > 20
    assert np.any(pixels[0] != pixels[len(pixels) // 2])


def test_the_bag_is_whole_for_rosbags(demo):
    with Reader(demo[0] / "bag") as reader:
        kinds = {connection.topic: connection.msgtype for connection in reader.connections}
        assert TOPICS.items() <= kinds.items()
        counts = {connection.topic: connection.msgcount for connection in reader.connections}
        assert all(counts[topic] > 0 for topic in TOPICS)
        # From the definitions in the bag alone.
        store = get_typestore(Stores.EMPTY)
        for connection in reader.connections:
            types = get_types_from_msg(connection.msgdef.data, connection.msgtype)
            store.register({k: v for k, v in types.items() if k not in store.fielddefs})
        said, moved = set(), []
        for connection, _, data in reader.messages():
            message = store.deserialize_cdr(data, connection.msgtype)
            if connection.topic == "/instruction":
                said.add(message.data)
            elif connection.topic == "/action":
                moved.append(not message.hold)
        assert {"stop", GIBBERISH} <= said
        assert any(moved)
        assert not all(moved)


def test_the_bag_is_whole_for_the_mcap_reader(demo):
    with next((demo[0] / "bag").glob("*.mcap")).open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        seen = {}
        for schema, channel, _, message in reader.iter_decoded_messages():
            seen.setdefault(channel.topic, (schema.name, message))
    assert {topic: kind for topic, (kind, _) in seen.items() if topic in TOPICS} == TOPICS
    action = seen["/action"][1]
    assert len(action.values) == 7
    assert action.header.frame_id == "panda_link0"


@pytest.mark.long
def test_the_interactive_demo_listens_to_what_is_typed(tmp_path):
    command = [sys.executable, "-m", "vlm_robot_ros.cli.main", "demo", "--interactive"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    lines = iter(process.stdout.readline, "")
    try:
        assert any("On the table:" in line for line in lines)
        process.stdin.write("sing me a song\n")
        process.stdin.flush()
        assert any("asks for nothing" in line for line in lines)
        process.stdin.write("stop\n")
        process.stdin.flush()
        assert any("stopped by 'stop'" in line for line in lines)
        process.stdin.write("quit\n")
        process.stdin.flush()
        assert process.wait(60) == 0
    finally:
        process.kill()
    assert (tmp_path / "view.png").exists()
    assert (tmp_path / "bag" / "metadata.yaml").exists()


@pytest.mark.long
def test_another_arm_shows_it_too_and_a_real_one_is_refused(tmp_path):
    command = [sys.executable, "-m", "vlm_robot_ros.cli.main", "demo", "--robot"]
    ours = [*command, "ur5e_sim", "--commands", "2", "--through", "joint_trajectory"]
    ours += ["--families", "pick,push", "--seed", "61", "--out", str(tmp_path)]
    done = subprocess.run(ours, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "summary.json").read_text())["commands"]
    assert [each["family"] for each in told] == ["pick", "push"]
    assert any(each["success"] for each in told)  # one in forty fails
    recording = read_recording(tmp_path / "bag")
    assert recording.robot.name == "ur5e_sim"
    assert any(not action.hold for action in recording.actions)
    with Reader(tmp_path / "bag") as reader:
        assert {c.topic: c.msgcount for c in reader.connections}["/joint_trajectory"] > 50
    (found,) = json.loads((tmp_path / "report.json").read_text())
    assert all(0 < joint["fastest"] <= 1 for joint in found["joints"])
    assert all(joint["margin_rad"] > 0 for joint in found["joints"])
    assert "of a speed limit at most" in done.stdout
    done = subprocess.run([*command, "fr3"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "'fr3' is a real arm" in done.stderr


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--families", "pick,juggle"], "family 'juggle'; valid: pick, push, put"),
        (["--families", "pick", "--interactive"], "with --interactive you choose"),
        (["--through", "telepathy"], "valid: action, joint_trajectory, joint_positions, twist"),
    ],
)
def test_a_demo_that_there_is_not_is_refused(given, told, capsys, tmp_path):
    assert main(["demo", *given, "--out", str(tmp_path / "run")]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.long
def test_another_policy_acts_by_its_name(tmp_path):
    command = [sys.executable, "-m", "vlm_robot_ros.cli.main", "demo", "--policy", "hold"]
    command += ["--commands", "1", "--families", "pick", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    (told,) = json.loads((tmp_path / "summary.json").read_text())["commands"]
    assert not told["success"]
    assert all(action.hold for action in read_recording(tmp_path / "bag").actions)


def test_nodes_of_a_demo_get_its_policy_and_the_recorder_ends_last(tmp_path):
    nodes = demo_nodes(
        tmp_path / "a", 4, "ur5e_sim", "pose", "mine:Policy", tmp_path / "weights", "topic"
    )
    assert list(nodes) == ["voice", "arm_sim", "policy", "recorder"]
    assert nodes["policy"]["policy"] == "mine:Policy"
    assert nodes["policy"]["checkpoint"] == str(tmp_path / "weights")
    contracts = {nodes[name]["robot"] for name in ("arm_sim", "policy", "recorder")}
    assert [sink.kind for sink in load_robot(contracts.pop()).sinks] == [
        "pose",
        "gripper_positions",
    ]
    assert not contracts
    assert not nodes["arm_sim"]["follow_action"]
    (tmp_path / "b" / "bag").mkdir(parents=True)
    with pytest.raises(ValueError, match="has a bag already"):
        demo_nodes(tmp_path / "b", 4)
    with pytest.raises(ValueError, match="it must be 0 to 2147483647"):
        demo_nodes(tmp_path / "c", -1)


@pytest.mark.long
def test_a_node_that_dies_ends_the_demo_with_its_last_words(tmp_path):
    command = [sys.executable, "-m", "vlm_robot_ros.cli.main", "demo", "--out", str(tmp_path)]
    done = subprocess.run(
        [*command, "--checkpoint", "/nowhere"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert "policy_node ended" in done.stderr
    assert "no usable checkpoint in '/nowhere'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_ctrl_c_ends_the_demo_and_its_nodes_and_closes_the_bag(tmp_path):
    command = [sys.executable, "-m", "vlm_robot_ros.cli.main", "demo", "--out", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    lines = iter(process.stdout.readline, "")
    assert any("ok  " in line or "FAIL" in line for line in lines)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "ended by hand" in rest
    with Reader(Path(tmp_path) / "bag") as reader:
        assert reader.message_count > 0
