"""The recorder: it marks episodes, and what it has written outlives it."""

import time
from contextlib import suppress

import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from mcap.exceptions import EndOfFile
from mcap.reader import NonSeekingReader
from rclpy.duration import Duration
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from vlm_robot_ros.bags.bag import Bag
from vlm_robot_ros.bags.recording import BEGIN, END, FAILURE, SUCCESS, read_recording

ACKED = Duration(seconds=60)


@pytest.fixture
def recording(graph, tmp_path):
    """A recorder that records `instruction`, and what publishes there."""
    words = graph.node.create_publisher(String, "instruction", 10)
    process = graph.start("recorder_node", bag=tmp_path / "bag", robot="ur5e", about="seed 5")
    assert graph.until(lambda: words.get_subscription_count() > 0, 100.0)
    return graph, words, process, tmp_path / "bag"


def test_episodes_are_marked_by_services_and_the_contract_is_in_the_bag(recording):
    graph, words, process, folder = recording
    assert graph.call(Trigger, "/recorder_node/begin").success
    words.publish(String(data="push the lemon left"))
    assert words.wait_for_all_acked(ACKED), "a call may overtake what was said"
    assert graph.call(SetBool, "/recorder_node/success", data=True).success
    assert graph.call(Trigger, "/recorder_node/end").success
    assert graph.call(Trigger, "/recorder_node/begin").success
    assert graph.call(SetBool, "/recorder_node/success", data=False).success
    process.terminate()
    assert "Traceback" not in graph.ended(process)
    found = read_recording(folder)
    assert found.robot.name == "ur5e"
    assert [event for _, event, *_ in found.marks] == [BEGIN, SUCCESS, END, BEGIN, FAILURE]
    good, bad = found.spans
    assert (good.instruction, good.success, good.judged_by) == (
        "push the lemon left",
        True,
        "person",
    )
    # What was said last still holds.
    assert (bad.instruction, bad.success) == ("push the lemon left", False)
    assert found.bag.metadata()["about"] == "seed 5"
    about = yaml.safe_load((folder / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert about["custom_data"]["robot"] == "ur5e"


def test_what_was_written_a_second_ago_outlives_a_kill(recording):
    graph, words, process, folder = recording
    camera = graph.node.create_publisher(Image, "image", qos_profile_sensor_data)
    assert graph.until(lambda: camera.get_subscription_count() > 0)
    image = Image(height=480, width=640, encoding="rgb8", step=3 * 640, data=bytes(480 * 640 * 3))
    sent = {}

    def send():
        stamp = graph.node.get_clock().now()
        image.header.stamp = stamp.to_msg()
        sent[stamp.nanoseconds] = time.monotonic()
        camera.publish(image)
        words.publish(String(data=str(stamp.nanoseconds)))

    graph.node.create_timer(1 / 30, send)
    assert graph.until(lambda: len(sent) > 90)
    process.kill()
    killed = time.monotonic()
    process.wait()
    assert not (folder / "metadata.yaml").exists()
    bag = Bag(folder)
    assert bag.problem
    images, said = set(), set()
    for topic, _, message in bag.messages(["/image", "/instruction"]):
        if topic == "/image":
            images.add(message.header.stamp.sec * 10**9 + message.header.stamp.nanosec)
        else:
            said.add(int(message.data))
    due = {stamp for stamp, when in sent.items() if killed - when > 1.0}
    assert len(due) > 45
    assert due <= images
    assert due <= said
    assert bag.metadata()["robot"] == "ur5e"
    # The mcap library's own reader finds as much, until it misses the end.
    heard = set()
    with next(folder.glob("*.mcap")).open("rb") as file, suppress(EndOfFile):
        found = NonSeekingReader(file).iter_messages(["/instruction"], log_time_order=False)
        for _, _, message in found:
            heard.add(message.log_time)
    assert len(heard) >= len(due)


def test_a_name_of_no_contract_is_refused(graph, tmp_path):
    process = graph.start("recorder_node", bag=tmp_path / "bag", robot="r2d2")
    assert "no robot 'r2d2'" in graph.ended(process)
    assert process.returncode == 1
    assert not (tmp_path / "bag").exists()


def test_the_demo_tells_the_recorder_of_contract_and_seed(demo):
    about = Bag(demo[0] / "bag").metadata()
    assert about["about"] == "demo, seed 4"
    assert "panda_joint1" in about["contract"]


def test_vlm_robot_record_keeps_whatever_is_said_about_a_bag(graph, tmp_path):
    about = 'it\'s "seed: 5" \\ #1, ü'
    words = graph.node.create_publisher(String, "instruction", 10)
    command = ["-m", "vlm_robot_ros.cli.main", "record", "--out", str(tmp_path / "a b")]
    process = graph.python(*command, "--about", about, "--topics", "/instruction", "/other")
    assert graph.until(lambda: words.get_subscription_count() > 0, 100.0)
    words.publish(String(data="go home"))
    assert words.wait_for_all_acked(ACKED), "a call may overtake what was said"
    assert graph.call(Trigger, "/recorder_node/begin").success  # it takes what came before
    process.terminate()
    said = graph.ended(process)
    assert "Traceback" not in said
    assert "nobody published /other\n" in said
    bag = Bag(tmp_path / "a b")
    assert bag.metadata()["about"] == about
    assert [m.value.data for m in bag.messages(["/instruction"])] == ["go home"]
    assert "/rosout" not in bag.kinds


def test_a_topic_is_recorded_that_is_named_without_its_slash(graph, tmp_path):
    words = graph.node.create_publisher(String, "instruction", 10)
    process = graph.start("recorder_node", bag=tmp_path / "bag", topics="instruction")
    assert graph.until(lambda: words.get_subscription_count() > 0, 100.0)
    words.publish(String(data="stop"))
    assert words.wait_for_all_acked(ACKED)
    process.terminate()
    assert "nobody published" not in graph.ended(process)
    assert [m.value.data for m in Bag(tmp_path / "bag").messages(["/instruction"])] == ["stop"]
