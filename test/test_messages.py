"""Our messages between two processes over real DDS, and camera frames that arrive whole."""

import subprocess

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from vlm_robot_ros.msg import ActionChunk, VlmAction  # noqa: E402

_HELD = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)

_ACTION_SENDER = """
import sys
import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile
from vlm_robot_ros.msg import VlmAction
rclpy.init()
node = rclpy.create_node("sender")
held = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
publisher = node.create_publisher(VlmAction, "action", held)
action = VlmAction(mode=VlmAction.END_EFFECTOR_POSE, names=["x", "y", "z", "qx", "qy", "qz", "qw"])
action.values = [0.5, -0.1, 0.2, 1.0, 0.0, 0.0, 0.0]
action.instruction, action.instruction_id = "pick up the red cube", 3
publisher.publish(action)
sys.stdin.read()
"""

_CAMERA = """
import select
import sys
import time
import numpy as np
import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node("camera")
publisher = node.create_publisher(Image, "image", qos_profile_sensor_data)
image = Image(height=480, width=640, encoding="rgb8", step=1920)
data = np.arange(640 * 480 * 3, dtype=np.uint32).astype(np.uint8).tobytes()
image.data = data
while publisher.get_subscription_count() == 0:
    time.sleep(0.01)
# Discovery is over when frames arrive, as is said then: these are not counted.
image.header.stamp.sec = 1000
while not select.select([sys.stdin], [], [], 1 / 30)[0]:
    publisher.publish(image)
sys.stdin.readline()
start = time.monotonic()
for number in range(90):
    image.header.stamp.sec = number
    publisher.publish(image)
    time.sleep(max(0.0, start + (number + 1) / 30 - time.monotonic()))
sys.stdin.read()
"""


def test_an_action_crosses_from_process_to_process(graph):
    got = graph.listen(VlmAction, "action", _HELD)
    sender = graph.python("-c", _ACTION_SENDER, stdin=subprocess.PIPE)
    assert graph.until(lambda: got, 100.0), "no action arrived"
    sender.communicate(timeout=30)
    assert list(got[0].values) == [0.5, -0.1, 0.2, 1.0, 0.0, 0.0, 0.0]
    assert got[0].instruction == "pick up the red cube"
    assert got[0].instruction_id == 3
    assert got[0].mode == VlmAction.END_EFFECTOR_POSE


def test_a_chunk_refuses_values_of_a_wrong_type():
    with pytest.raises((AssertionError, TypeError)):
        ActionChunk(values=["left"])


def test_camera_frames_of_640x480_at_30_hz_arrive_whole(graph):
    everything = graph.listen(Image, "image", qos_profile_sensor_data)
    camera = graph.python("-c", _CAMERA, stdin=subprocess.PIPE)
    assert graph.until(lambda: everything, 100.0), "no frame arrived"
    camera.stdin.write("\n")
    camera.stdin.flush()
    graph.until(lambda: everything[-1].header.stamp.sec == 89)
    got = [image for image in everything if image.header.stamp.sec < 1000]
    assert [image.header.stamp.sec for image in got] == list(range(90))
    assert {len(image.data) for image in got} == {640 * 480 * 3}
