"""Ten thousand messages that are none: nothing crashes, nothing of them is taken for true."""

import copy
import unicodedata

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from builtin_interfaces.msg import Time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rclpy.clock import Clock
from rclpy.qos import DurabilityPolicy, QoSProfile
from relay import CAMERA, JOINTS, ROBOT, Relay
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Header, String

from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION
from vlm_robot_ros.ros.observation_buffer import ObservationBuffer
from vlm_robot_ros.runtime.instructions import MAX_LENGTH, next_instruction

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
    return ObservationBuffer(ROBOT, ROBOT.cameras[:1], 0.5, 0.3, Clock())


@MANY
@given(message=st.one_of(IMAGE, PACKED))
def test_an_image_is_one_or_is_refused_with_a_reason(message):
    eyes = senses()
    stamp = eyes.on_image("front", message)
    if stamp is None:
        assert eyes.monitors[1].problem(0.0)
        assert not eyes.images
    else:
        assert eyes.images["front"].dtype == np.uint8
        assert eyes.images["front"].shape[2:] == (3,)


@MANY
@given(message=STATES)
def test_joint_states_are_finite_or_are_refused_with_a_reason(message):
    body = senses()
    if body.on_joint_state(message) is None:
        assert body.monitors[0].problem(0.0)
        assert body.robot_state is None
    else:
        assert np.all(np.isfinite(body.robot_state.joints))
        assert 0.0 <= body.robot_state.opening <= 1.0


@MANY
@given(text=st.text())
def test_words_are_one_printable_line(text):
    said = next_instruction(EMPTY_INSTRUCTION, text)
    assert len(said.text) <= MAX_LENGTH
    assert not {unicodedata.category(c) for c in said.text} & {"Cc", "Zl", "Zp"}


def image(rng, good):
    """Return an image message with one or more fields that do not fit the others."""
    message = copy.copy(good)
    sizes = (0, 1, 255, 257, 8193, 2**31, 2**32 - 1)
    for field in rng.choice(["height", "width", "step", "encoding", "data", "header"], 2):
        if field == "encoding":
            message.encoding = "".join(map(chr, rng.integers(1, 0xD000, rng.integers(9))))
        elif field == "data":
            message.data = rng.bytes(int(rng.integers(2000)))
        elif field == "header":
            message.header = Header(stamp=Time(sec=int(rng.integers(-(2**31), 2**31))))
        else:
            setattr(message, field, int(rng.choice(sizes)))
    return message


def joints(rng, good):
    """Return joint states that lack, repeat or misname joints, or are no numbers."""
    message = copy.deepcopy(good)
    names, places = list(message.name), list(message.position)
    at, kind = int(rng.integers(len(names))), rng.integers(5)
    if kind == 0:
        places[at] = float(rng.choice([np.nan, np.inf, -np.inf]))
    elif kind == 1:
        del names[at]
    elif kind == 2:
        names[at] = "".join(map(chr, rng.integers(1, 0xD000, rng.integers(9))))
    elif kind == 3:
        names, places = names[:at], places[:at]
    else:
        message.header.stamp.sec = int(rng.integers(-(2**31), 0))
    message.name, message.position = names, places
    return message


def words(rng, good):
    """Return any characters, in which no known word is."""
    return String(data="".join(map(chr, rng.integers(0x250, 0xD000, rng.integers(500)))))


@pytest.mark.long
def test_ten_thousand_messages_on_the_wire_are_survived_and_move_nothing(graph, tmp_path):
    relay = Relay(graph, tmp_path)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    echoes = graph.listen(String, "current_instruction", latched)
    relay.begin()
    relay.ways.update({CAMERA: lambda message: [], JOINTS: lambda message: []})
    rng = np.random.default_rng(5)
    out = (
        (relay.out[CAMERA], image, relay.last[CAMERA]),
        (relay.out[JOINTS], joints, relay.last[JOINTS]),
        (relay.words, words, None),
    )
    counts = []
    for number in range(10_000):
        publisher, make, good = out[number % 3]
        publisher.publish(make(rng, good))
        if number % 3 == 2:  # the node has come so far: no queue is overrun
            word = f"nonsense {number}"
            relay.say(word)
            heard = lambda word=word: echoes and echoes[-1].data == word  # noqa: E731
            assert graph.until(heard), f"not heard after {number} messages"
            assert relay.process.poll() is None
        if number in (2, 9_998):
            counts.append(_received(relay))
    (eyes, joints_heard), refused = counts[1][0] - counts[0][0], counts[1][1] - counts[0][1]
    assert eyes > 3300, f"only {eyes} of 3332 images came"
    assert joints_heard > 3300, f"only {joints_heard} of 3332 joint states came"
    # Joint states that lack some joints are as good as from one of several publishers.
    assert np.all(refused > (2000, 1500)), f"only {refused} were refused"
    assert relay.actions[-1].hold
    relay.until_still()
    assert relay.unsafe == [], "unsafe commands"
    relay.begin()
    assert relay.unsafe == [], "unsafe commands"


def _received(relay):
    """Return how many images and joint states have come, and how many were refused."""
    begun = len(relay.health)
    assert relay.graph.until(lambda: len(relay.health) > begun + 1), "no diagnostics"
    by_name = {each.name.split(": ")[-1]: each for each in relay.health[-1].status}
    streams = [by_name["front camera"], by_name["joint states"]]
    table = [{value.key: int(float(value.value)) for value in s.values} for s in streams]
    return [np.array([row[key] for row in table]) for key in ("received", "refused")]
