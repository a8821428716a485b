"""Ten thousand messages that are none: nothing crashes, nothing of them is taken for true."""

import json

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from builtin_interfaces.msg import Time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import serialize_message
from relay import CAMERA, JOINTS, ROBOT, Relay
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Header, String

from vlm_robot_ros.control.instruction import MAX_LENGTH, NOTHING_SAID, next_instruction
from vlm_robot_ros.nodes.senses import Senses

MANY = settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
U32 = st.integers(0, 2**32 - 1)
SIZE = st.one_of(st.sampled_from([0, 1, 2, 16, 8192, 8193]), U32)
STAMP = st.builds(Time, sec=st.integers(-(2**31), 2**31 - 1), nanosec=U32)
HEADER = st.builds(Header, stamp=STAMP, frame_id=st.text(max_size=20))
ENCODING = st.one_of(
    st.sampled_from(["rgb8", "bgr8", "rgba8", "bgra8", "mono8", "16UC1", "yuv422", "RGB8"]),
    st.text(max_size=12),
)
IMAGE = st.builds(
    Image, header=HEADER, height=SIZE, width=SIZE, encoding=ENCODING, step=SIZE,
    is_bigendian=st.integers(0, 255), data=st.binary(max_size=2000),
)  # fmt: skip
PACKED = st.builds(
    CompressedImage, header=HEADER, format=st.text(max_size=12),
    data=st.one_of(
        st.binary(max_size=500),
        st.binary(max_size=200).map(lambda tail: b"\x89PNG\r\n\x1a\n" + tail),
        st.binary(max_size=200).map(lambda tail: b"\xff\xd8\xff\xe0" + tail),
    ),
)  # fmt: skip
NAMES = [*ROBOT.joint_names, ROBOT.gripper.joint]
STATES = st.builds(
    JointState,
    header=HEADER,
    name=st.one_of(st.just(NAMES), st.permutations(NAMES), st.lists(st.text(max_size=9))),
    position=st.one_of(
        st.lists(st.floats(), min_size=8, max_size=8), st.lists(st.floats(), max_size=12)
    ),
)


def senses():
    return Senses(ROBOT, ROBOT.cameras[:1], 0.5, 0.3)


@MANY
@given(message=st.one_of(IMAGE, PACKED))
def test_a_picture_is_one_or_is_refused_with_a_reason(message):
    eyes = senses()
    stamp = eyes.take_picture("front", message)
    if stamp is None:
        assert eyes.watches[1].problem(0.0)
        assert not eyes.pictures
    else:
        assert eyes.pictures["front"].dtype == np.uint8
        assert eyes.pictures["front"].shape[2:] == (3,)


@MANY
@given(message=STATES)
def test_joint_states_are_finite_or_are_refused_with_a_reason(message):
    body = senses()
    if body.take_joints(message) is None:
        assert body.watches[0].problem(0.0)
        assert body.arm is None
    else:
        assert np.all(np.isfinite(body.arm.joints))
        assert 0.0 <= body.arm.opening <= 1.0


@MANY
@given(text=st.text())
def test_words_are_one_printable_line(text):
    said = next_instruction(NOTHING_SAID, text)
    assert len(said.text) <= MAX_LENGTH
    assert said.text == "" or said.text.isprintable()


def broken(rng, good):
    """Return serialised bytes with one thing wrong with them."""
    data = bytearray(good[:400])
    kind = rng.integers(5)
    if kind == 0:  # cut off
        del data[int(rng.integers(len(data))) :]
    elif kind == 1:  # some bytes are others
        for at in rng.integers(len(data), size=int(rng.integers(1, 9))):
            data[at] = int(rng.integers(256))
    elif kind == 2:  # a length that is a lie
        at = 4 * int(rng.integers(1, len(data) // 4))
        data[at : at + 4] = rng.integers(256, size=4, dtype=np.uint8).tobytes()
    elif kind == 3:  # something in between
        at = int(rng.integers(len(data)))
        data[at:at] = rng.integers(256, size=int(rng.integers(1, 40)), dtype=np.uint8).tobytes()
    else:  # nothing that was ever a message
        data = bytearray(rng.integers(256, size=int(rng.integers(60)), dtype=np.uint8).tobytes())
    return bytes(data)


def test_bytes_that_are_no_message_are_survived_and_move_nothing(graph, tmp_path):
    relay = Relay(graph, tmp_path)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    echoes = graph.listen(String, "current_instruction", latched)
    relay.begin()
    rng = np.random.default_rng(5)
    goods = {
        CAMERA: serialize_message(relay.last[CAMERA]),
        JOINTS: serialize_message(relay.last[JOINTS]),
        "instruction": serialize_message(String(data="pick up the red cube")),
    }
    out = {**relay.out, "instruction": relay.words}
    sent = dict.fromkeys(goods, 0)
    for number in range(10_000):
        topic = list(goods)[number % 3]
        out[topic].publish(broken(rng, goods[topic]))
        sent[topic] += 1
        if number % 100 == 99:  # the node is there, and has come so far
            word = f"nonsense {number}"
            relay.say(word)
            heard = lambda word=word: echoes and echoes[-1].data == word  # noqa: E731
            assert graph.until(heard), f"not heard after {json.dumps(sent)}"
            assert relay.process.poll() is None
    relay.until_held("asks for nothing")
    relay.until_still()
    relay.begin()
    assert relay.unsafe == []
