"""Faults between an arm in motion and the policy node: it stands, says why, goes on if it can.

Real physics, real DDS; see relay.py.
"""

import itertools
import signal
from dataclasses import dataclass

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from rclpy.qos import qos_profile_sensor_data
from relay import CAMERA, CLOCK, JOINTS, PATH, Relay
from sensor_msgs.msg import Image, JointState
from spoil import (
    changed,
    frozen,
    gone,
    in_bgr,
    lossy,
    more_joints,
    negative,
    of_another_arm,
    out_of_order,
    padded,
    position,
    stamped,
    turned,
    twice,
    without_the_first,
)
from std_msgs.msg import String
from std_srvs.srv import Trigger


@pytest.fixture(scope="module")
def running(lasting_graph, tmp_path_factory):
    """One arm and one node for all faults that they survive."""
    return Relay(lasting_graph, tmp_path_factory.mktemp("arm"))


@pytest.fixture
def relay(running):
    running.begin()
    yield running
    running.ways.clear()
    assert running.process.poll() is None, "the node has ended"
    assert running.unsafe == [], f"unsafe commands: {running.unsafe[:2]}"


@dataclass
class Fault:
    """What is done to a topic, and how the hold names it."""

    name: str
    topic: str
    way: object
    reason: str


HELD = [
    Fault("encoding", CAMERA, changed(encoding="8UC7"), "encoding '8UC7'"),
    Fault("no encoding", CAMERA, changed(encoding=""), "encoding ''"),
    Fault("depth as colour", CAMERA, changed(encoding="32FC1"), "encoding '32FC1'"),
    Fault("cut off", CAMERA, changed(data=lambda m: m.data[:-7]), "bytes of data"),
    Fault("no data", CAMERA, changed(data=b""), "0 bytes of data"),
    Fault("too much data", CAMERA, changed(data=lambda m: bytes(m.data) * 2), "bytes of data"),
    Fault("no rows", CAMERA, changed(height=0), "size 256x0"),
    Fault("no columns", CAMERA, changed(width=0), "size 0x256"),
    Fault("huge", CAMERA, changed(height=2**31), "size 256x2147483648"),
    Fault("short rows", CAMERA, changed(step=5), "step 5"),
    Fault("long rows", CAMERA, changed(step=2**32 - 1), "bytes of data"),
    Fault("frozen pixels", CAMERA, frozen("data"), "the image is frozen"),
    Fault("black", CAMERA, changed(data=lambda m: bytes(len(m.data))), "blank"),
    Fault("frozen stamp", CAMERA, frozen("header", "data"), "the stamp is frozen"),
    Fault("late images", CAMERA, stamped(-3.0), "front camera: 3."),
    Fault("early images", CAMERA, stamped(9.0), "ahead of this node's clock"),
    Fault("no camera", CAMERA, gone, "front camera: "),
    Fault("nan joint", JOINTS, changed(position=position(2, np.nan)), "not finite"),
    Fault("infinite joint", JOINTS, changed(position=position(0, np.inf)), "not finite"),
    Fault("nan finger", JOINTS, changed(position=position(-1, np.nan)), "not finite"),
    Fault("missing joint", JOINTS, without_the_first, "no position of panda_joint1"),
    Fault("another arm", JOINTS, of_another_arm, "given: ur_panda_joint1"),
    Fault("few positions", JOINTS, changed(position=lambda m: m.position[:3]), "for 3 positions"),
    Fault("no joints", JOINTS, changed(name=[], position=[]), "given: nothing"),
    Fault("late joints", JOINTS, stamped(-2.0), "joint states: 2."),
    Fault("early joints", JOINTS, stamped(5.0), "ahead of this node's clock"),
    Fault("no joint states", JOINTS, gone, "joint states: "),
    Fault("negative images", CAMERA, negative, "front camera: "),
    Fault("negative joints", JOINTS, negative, "joint states: "),
    Fault("clock behind", CLOCK, stamped(-5.0), "ahead of this node's clock"),
    Fault("clock ahead", CLOCK, stamped(100.0), "old, at most"),
]  # fmt: skip


@pytest.mark.parametrize(
    "fault",
    [
        # `make test` has every fourth of them.
        pytest.param(fault, id=fault.name, marks=[pytest.mark.long] if number % 4 else [])
        for number, fault in enumerate(HELD)
    ],
)
def test_it_comes_to_a_stand_says_why_and_goes_on(relay, fault):
    relay.ways[fault.topic] = fault.way
    relay.until_held(fault.reason)
    relay.until_told(fault.reason)
    relay.until_still()
    relay.ways.clear()
    relay.until_acting()


BORNE = {
    "joints in another order": {JOINTS: turned},
    "joints of a larger robot": {JOINTS: more_joints},
    "a tenth of everything is lost": {
        topic: lossy(0.1, number) for number, topic in enumerate((CAMERA, JOINTS, CLOCK, PATH))
    },
    "half of the images are lost": {CAMERA: lossy(0.5, 9)},
    "everything comes twice": dict.fromkeys((CAMERA, JOINTS, CLOCK, PATH), twice),
    "joint states overtake each other": {JOINTS: out_of_order()},
    "images overtake each other": {CAMERA: out_of_order()},
    "images are a tenth of a second late": {CAMERA: stamped(-0.1)},
    "bgr8": {CAMERA: in_bgr},
    "rows are padded": {CAMERA: padded},
}


@pytest.mark.long
@pytest.mark.parametrize("name", BORNE)
def test_it_goes_on_and_does_what_was_asked_all_the_same(relay, name):
    relay.ways.update(BORNE[name])
    relay.until_lifted()


TRIPS = [
    Fault("a joint beyond its limit", JOINTS, changed(position=position(1, 3.0)), "outside its"),
    Fault("a joint that is elsewhere", JOINTS, changed(position=position(0, 1.5)), "not follow"),
    Fault("joints that do not move", JOINTS, frozen("position"), "not follow"),
    Fault("a controller that hears nothing", PATH, gone, "not follow"),
]


@pytest.mark.parametrize("fault", TRIPS, ids=lambda fault: fault.name)
def test_it_trips_and_stays_so_until_it_is_reset(relay, fault):
    relay.ways[fault.topic] = fault.way
    relay.until_held("tripped: ")
    relay.until_told(fault.reason)
    relay.until_still()
    relay.until_quiet()
    relay.ways.clear()
    relay.say("go home")
    relay.until_still()
    seen = len(relay.states)  # joint states that jumped back count half a second later
    assert relay.graph.until(lambda: len(relay.states) > seen + 50)
    assert relay.graph.call(Trigger, "/policy_node/reset").success
    relay.until_held("waiting for an instruction")
    relay.say("go home")
    relay.until_acting()


@pytest.mark.parametrize("way", [gone, negative])
def test_without_time_the_arm_comes_to_a_stand_by_itself(relay, way):
    relay.ways[CLOCK] = way
    relay.until_told("time stands still")
    relay.until_still()
    relay.ways.clear()
    relay.until_acting()


def test_a_camera_that_comes_too_seldom_is_told_of_while_the_arm_goes_on(relay):
    numbers = itertools.count()
    del relay.health[:]
    relay.ways[CAMERA] = lambda image: [image] if next(numbers) % 3 == 0 else []
    relay.until_told("Hz, 10 by the contract")
    told = [s for m in relay.health for s in m.status if s.name.endswith(": front camera")]
    assert any("by the contract" in s.message for s in told)
    assert all(s.level == s.WARN for s in told if "by the contract" in s.message)
    relay.until_acting()


def test_time_that_begins_anew_is_gone_along_with(relay):
    relay.ways.update(dict.fromkeys((CAMERA, JOINTS, CLOCK), stamped(-3.0)))
    relay.ways[PATH] = stamped(3.0)
    relay.until_lifted()


@pytest.mark.parametrize(
    ("topic", "kind", "reason"),
    [(CAMERA, Image, "front camera: "), (JOINTS, JointState, "joint states: ")],
)
def test_a_publisher_that_dies_and_comes_back(relay, topic, kind, reason):
    relay.node.destroy_publisher(relay.out[topic])
    relay.ways[topic] = gone
    relay.until_held(reason)
    relay.until_told(reason)
    relay.until_still()
    relay.out[topic] = relay.node.create_publisher(kind, f"/{topic}", qos_profile_sensor_data)
    relay.ways.clear()
    relay.until_acting()


HOSTILE = {
    "100 kB": "push " * 20_000,
    "no spaces": "x" * 100_000,
    "control characters": "".join(map(chr, range(1, 32))),
    "escape sequences": "\x1b[2J\x1b[31m\x07",
    "arabic": "\u0627\u062f\u0641\u0639 \u0627\u0644\u0645\u0643\u0639\u0628",
    "chinese": "\u62ff\u8d77\u7ea2\u8272\u7684\u65b9\u5757",
    "emoji": "\U0001f916\U0001f9be\U0001f449" * 50,
    "right to left": "\u202eebuc der eht hsup",
    "combining": "c\u0301\u0302\u0303\u0304\u0305ube" * 500,
    "format": "%s%n{0}{self.__class__}${PATH}",
    "shell": "; rm -rf / #",
    "json": '{"skill": "pick", "target": null}',
    "markup": "<script>move()</script>",
    "10 MB": "xstop" * 2_000_000,
    "numbers": "1e309 nan -inf 0x7fffffff",
}


@pytest.mark.long
@pytest.mark.parametrize("name", HOSTILE)
def test_words_that_mean_nothing_stop_it_and_the_next_ones_are_obeyed(relay, name):
    relay.say(HOSTILE[name])
    empty = {"control characters": "waiting for an instruction", "emoji": "is empty",
             "10 MB": "10,000,000 characters; at most 100,000 are read"}  # fmt: skip
    # "... asks for nothing that I know how to do", or "I am not sure what ... asks for"
    relay.until_held(empty.get(name, "asks for"))
    relay.until_told(empty.get(name, "asks for"))
    relay.until_still()
    relay.say("go home")
    relay.until_acting()


def test_a_stop_in_a_flood_of_commands_wins(relay):
    count = relay.actions[-1].instruction_id
    for number in range(1000):
        relay.say(("go home", "open the gripper")[number % 2])
    relay.say("stop")
    relay.until_held("stopped by 'stop'")
    assert relay.actions[-1].instruction_id <= count + 1001
    relay.until_still()


def test_a_stop_wins_against_a_flood_that_goes_on(relay):
    other = relay.node.create_publisher(String, "instruction", 10)
    assert relay.graph.until(lambda: other.get_subscription_count() > 0)
    for number in range(1000):
        relay.say(("go home", "open the gripper")[number % 2])
        if number == 500:
            other.publish(String(data="stop"))
    relay.until_held("stopped by 'stop'")
    flood = relay.node.create_timer(0.005, lambda: relay.say("go home"))
    try:
        relay.until_still()
        seen = len(relay.actions)
        assert relay.graph.until(lambda: len(relay.actions) > seen + 100)
        assert {a.hold_reason for a in relay.actions[seen:]} == {"stopped by 'stop'"}
    finally:
        relay.node.destroy_timer(flood)


def test_a_node_that_gets_no_time_leaves_an_arm_that_stands(relay):
    relay.process.send_signal(signal.SIGSTOP)
    try:
        relay.until_still()
    finally:
        relay.process.send_signal(signal.SIGCONT)
    relay.until_acting()


@pytest.mark.long
def test_a_busy_machine_makes_it_slow_and_never_unsafe(relay):
    busy = [relay.graph.python("-c", "while True: pass") for _ in range(6)]
    seen = len(relay.states)
    assert relay.graph.until(lambda: len(relay.states) > seen + 150, 120.0)
    for process in busy:
        process.kill()
    relay.until_acting()


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_node_that_is_ended_in_motion_leaves_an_arm_that_stands(relay, number):
    relay.process.send_signal(number)
    assert relay.graph.until(lambda: relay.process.poll() is not None)
    relay.until_still()
    relay.start_node()
    relay.until_held("no instruction yet")
