"""Packed images, distances and calibrations that are none, on the wire: survived and told."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import Header, String

from vlm_robot_ros.msg import VlmAction
from vlm_robot_ros.robot.loader import load_robot

ROBOT = load_robot("panda_sim_rgbd")
FRONT, DEPTH = ROBOT.camera("front"), ROBOT.camera("front_depth")
RNG = np.random.default_rng(8)


def packed():
    file = io.BytesIO()
    noise = RNG.integers(0, 255, (FRONT.height, FRONT.width, 3), np.uint8)
    PilImage.fromarray(noise).save(file, "JPEG")
    return CompressedImage(format="jpeg", data=file.getvalue())


def distances():
    image = Image(height=DEPTH.height, width=DEPTH.width, encoding="16UC1", step=2 * DEPTH.width)
    image.data = np.full((DEPTH.height, DEPTH.width), 900, np.uint16).tobytes()
    return image


def info():
    k = [300.0, 0.0, DEPTH.width / 2, 0.0, 300.0, DEPTH.height / 2, 0.0, 0.0, 1.0]
    return CameraInfo(height=DEPTH.height, width=DEPTH.width, distortion_model="plumb_bob", k=k)


def spoiled(message):
    """Return a message with a field that makes none of it."""
    if isinstance(message, CompressedImage):
        whole = bytes(message.data)
        cut, noise = whole[: RNG.integers(1, len(whole))], RNG.bytes(300)
        png, gif = b"\x89PNG\r\n\x1a\n" + noise, b"GIF89a" + noise
        message.data = [b"", cut, noise, whole[:300] + noise, png, gif][RNG.integers(6)]
        message.format = ["jpeg", "png", "", "\u2603", "32FC1; compressedDepth"][RNG.integers(5)]
    elif isinstance(message, Image):
        message.encoding = ["16UC1", "32FC1", "rgb8", "", "8UC7"][RNG.integers(5)]
        message.width = int(RNG.choice([0, 1, 255, 2**32 - 1]))
        message.data = RNG.bytes(int(RNG.integers(3000)))
    else:
        kind = RNG.integers(4)
        message.k[RNG.integers(9)] = [np.nan, np.inf, -1e308, 0.0][kind]
        message.k[0] = [np.nan, 0.0, -300.0, np.inf][kind]
        message.width = int(RNG.choice([0, 1, 2**32 - 1]))
    return message


@pytest.fixture
def path_of_policies(monkeypatch):
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}{os.pathsep}{before}")


@pytest.mark.long
def test_what_no_eye_can_see_is_survived_told_and_forgotten(graph, path_of_policies):
    node = graph.node
    out = {
        make: node.create_publisher(kind, topic, qos_profile_sensor_data)
        for make, kind, topic in (
            (info, CameraInfo, DEPTH.info_topic),
            (distances, Image, DEPTH.topic),
            (packed, CompressedImage, f"{FRONT.topic}/compressed"),
        )
    }
    joints = node.create_publisher(JointState, "joint_states", 10)
    words = node.create_publisher(String, "instruction", 10)
    actions = graph.listen(VlmAction, "action")
    health = graph.listen(DiagnosticArray, "/diagnostics")
    spoil = {}

    def stamped(message):
        message.header = Header(stamp=node.get_clock().now().to_msg())
        return message

    def send():
        arm = JointState(name=[*ROBOT.joint_names, ROBOT.gripper.joint])
        arm.position = [*ROBOT.home, ROBOT.gripper.open]
        joints.publish(stamped(arm))
        stamp = node.get_clock().now().to_msg()
        for make, publisher in out.items():
            for _ in range(spoil.get(make, 0)):
                bad = spoiled(make())
                odd = RNG.random() < 0.2
                bad.header.stamp = Time(sec=int(RNG.integers(-(2**31), 2**31))) if odd else stamp
                publisher.publish(bad)
                spoil["sent"] += 1
            if make not in spoil:
                good = make()
                good.header.stamp = stamp
                publisher.publish(good)

    node.create_timer(0.05, send)
    process = graph.start(
        "policy_node", robot=ROBOT.name, policy="odd_policies:Deep", image_transport="compressed"
    )
    assert graph.until(lambda: actions and words.get_subscription_count(), 100.0)
    words.publish(String(data="aside"))
    acts = lambda: any(not action.hold for action in actions[-3:])  # noqa: E731
    assert graph.until(acts), actions[-1:]
    for make, name in ((packed, "front"), (distances, "front_depth"), (info, "front_depth")):
        spoil.update({make: 5, "sent": 0})
        held = lambda: actions[-1].hold and f"{name} camera" in actions[-1].hold_reason  # noqa: B023, E731
        assert graph.until(held), (make.__name__, actions[-1])
        told = lambda: any(  # noqa: E731
            status.level == status.WARN and status.name.endswith(f"{name} camera")  # noqa: B023
            for message in health[-1:] for status in message.status
        )  # fmt: skip
        assert graph.until(told), make.__name__
        assert graph.until(lambda: spoil["sent"] > 500)
        assert actions[-1].hold
        assert process.poll() is None, "the node has ended"
        assert all(np.all(np.isfinite(action.values)) for action in actions)
        spoil.clear()
        assert graph.until(lambda: acts() and not actions[-1].hold), (make.__name__, actions[-1])
