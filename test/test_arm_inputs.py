"""What a real arm's driver publishes, right and wrong, and whether the node moves the arm then.

The arm here is a UR5e that stands at home; the test publishes its joint states, its speed scaling
and its camera, and listens to the trajectories that it is sent.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from rclpy.duration import Duration
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vlm_robot_ros.msg import VlmAction
from vlm_robot_ros.paths import config_dir
from vlm_robot_ros.ros.message_conversions import stamp_to_seconds

CONTENT = yaml.safe_load((config_dir() / "arms" / "ur5e.yaml").read_text())
NAMES = [joint["name"] for joint in CONTENT["joints"]]
HOME = np.array(CONTENT["home"])
FINGER = CONTENT["gripper"]["joint"]
SCALING = "speed_scaling_state_broadcaster/speed_scaling"
COMMAND = "scaled_joint_trajectory_controller/joint_trajectory"


class Driver:
    """Publishes as the driver of a UR5e does; what it sends can be changed."""

    def __init__(self, graph, folder):
        self.graph, node = graph, graph.node
        self.clock, self.random = node.get_clock(), np.random.default_rng(0)
        self.pixels = self.random.integers(0, 255, (480, 640, 3), np.uint8)
        self.states = node.create_publisher(JointState, "joint_states", 50)
        self.others = node.create_publisher(JointState, "joint_states", 50)
        self.camera = node.create_publisher(
            Image, "camera/front/image_raw", qos_profile_sensor_data
        )
        self.scaling = node.create_publisher(Float64, SCALING, 10)
        self.instructions = node.create_publisher(String, "instruction", 10)
        self.actions = graph.listen(VlmAction, "action")
        self.trajectories = graph.listen(JointTrajectory, COMMAND)
        self.reset()
        node.create_timer(0.01, lambda: self.publish_states())
        node.create_timer(0.05, lambda: self.publish_image())
        node.create_timer(0.05, lambda: self.publish_scaling())
        self.count, self.rest = 0, HOME
        path = folder / "ur5e.yaml"
        # The gripper's action needs control_msgs, which the wheels lack.
        sinks = [CONTENT["sinks"][0], {"kind": "gripper_positions", "topic": "gripper"}]
        path.write_text(yaml.safe_dump({**CONTENT, "sinks": sinks}))
        graph.start("policy_node", robot=path, policy="odd_policies:Nudging", output="live")
        graph.until_up(lambda: self.actions)

    def reset(self):
        """Publish everything as it should be."""
        self.publish_states = lambda: self.state()
        self.publish_image = lambda: self.image()
        self.publish_scaling = lambda: self.scaling.publish(Float64(data=100.0))

    def stamp(self, ahead=0.0):
        return (self.clock.now() + Duration(seconds=ahead)).to_msg()

    @property
    def arm(self):
        """Where the arm is: it follows the newest trajectory at once. Shape (6,), [rad]."""
        if not self.trajectories:
            return self.rest
        newest = self.trajectories[-1]
        now = self.clock.now().nanoseconds * 1e-9 - stamp_to_seconds(newest.header.stamp)
        times = [stamp_to_seconds(point.time_from_start) for point in newest.points]
        table = np.array([point.positions for point in newest.points])
        if now >= times[0]:
            self.rest = np.array([np.interp(now, times, column) for column in table.T])
        return self.rest

    def state(self, names=(*NAMES, FINGER), positions=None, ahead=0.0, **fields):
        positions = [*self.arm, 0.0] if positions is None else positions
        message = JointState(name=list(names), position=[float(each) for each in positions])
        message.header.stamp = self.stamp(ahead)
        for field, value in fields.items():
            setattr(message, field, value)
        self.states.publish(message)

    def image(self, ahead=0.0):
        self.pixels[:20] = self.random.integers(0, 255, (20, 640, 3), np.uint8)
        image = Image(height=480, width=640, encoding="rgb8", step=1920)
        image.header.stamp, image.data = self.stamp(ahead), self.pixels.tobytes()
        self.camera.publish(image)

    def zeros(self):
        """Publish what another node says of the same joints."""
        message = JointState(name=[*NAMES, FINGER], position=[0.0] * 7)
        message.header.stamp = self.stamp()
        self.others.publish(message)

    def say(self):
        assert self.graph.until(lambda: self.instructions.get_subscription_count() > 0)
        self.count += 1
        self.instructions.publish(String(data=f"nudge {self.count}"))

    def acts(self, seconds=60.0):
        del self.actions[:]
        return self.graph.until(lambda: any(not each.hold for each in self.actions), seconds)

    def is_held(self, *reasons):
        """Wait until the node holds for a reason; whether nothing else than holds is said then."""
        del self.actions[:]
        held = lambda: [  # noqa: E731
            each for each in self.actions if all(part in each.hold_reason for part in reasons)
        ]
        assert self.graph.until(held), f"never held for {reasons}: {self.actions[-1:]}"
        del self.actions[:], self.trajectories[:-1]
        assert self.graph.until(lambda: len(self.actions) > 25)
        return all(each.hold for each in self.actions)


@pytest.fixture(scope="module")
def driver(lasting_graph, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:  # the node looks for the policy there
        path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        patch.setenv("PYTHONPATH", path)
        yield Driver(lasting_graph, tmp_path_factory.mktemp("arm"))


@pytest.fixture
def arm(driver):
    """The arm at rest, acting for a new instruction before the test and stopped after it."""
    driver.reset()
    driver.say()
    assert driver.acts(), driver.actions[-1:]
    yield driver
    driver.reset()
    driver.instructions.publish(String(data="stop"))
    assert driver.is_held("stopped by")


HELD = {
    "zeros of another publisher": (
        lambda arm: (arm.state(), arm.zeros()), ("contradict each other", "cannot have reached")),
    "zeros now and then": (
        lambda arm: (arm.state(), arm.zeros() if arm.random.random() < 0.1 else None),
        ("contradict each other",)),
    "stamps ahead of the clock": (
        lambda arm: arm.state(ahead=0.1), ("ahead of this node's clock",)),
    "stamps far ahead": (lambda arm: arm.state(ahead=37.0), ("ahead of this node's clock",)),
    "late states": (lambda arm: arm.state(ahead=-0.12), ("after their stamps",)),
    "states half a second old": (lambda arm: arm.state(ahead=-0.5), ("joint states: 0.5",)),
    "a joint twice": (
        lambda arm: arm.state([*NAMES, FINGER, NAMES[0]], [*arm.arm, 0.0, 1.0]),
        ("more than one position of shoulder_pan_joint",)),
    "positions missing": (
        lambda arm: arm.state(positions=arm.arm), ("7 names for 6 positions",)),
    "velocities alone": (
        lambda arm: arm.state(positions=[], velocity=[0.0] * 7), ("s old, at most 0.30 s",)),
    "a gripper that never reports": (
        lambda arm: arm.state(NAMES, arm.arm), ("gripper.feedback_timeout",)),
    "joints of another arm": (
        lambda arm: arm.state([f"left_{name}" for name in (*NAMES, FINGER)]), ("no position of",)),
}  # fmt: skip


@pytest.mark.parametrize("what", HELD)
def test_wrong_joint_states_hold_the_arm_with_a_reason_until_they_are_right(arm, what):
    publish, reasons = HELD[what]
    arm.publish_states = lambda: publish(arm)
    assert arm.is_held(*reasons)
    arm.reset()
    assert arm.acts(), arm.actions[-1:]


def test_degrees_trip_and_are_named(arm):
    arm.publish_states = lambda: arm.state(positions=[*np.degrees(arm.arm), 0.0])
    assert arm.is_held("tripped", "outside its limits", "in radians")
    arm.reset()
    for _ in range(3):  # the jump back to radians counts half a second
        assert arm.is_held("tripped")
    assert arm.graph.call(Trigger, "/policy_node/reset").success
    assert arm.is_held("waiting for an instruction")
    arm.say()
    assert arm.acts(), arm.actions[-1:]


ACTS = {
    "other order, other joints, no effort": lambda arm: arm.state(
        [*NAMES[::-1], "wheel", FINGER], [*arm.arm[::-1], 3.0, 0.0], effort=[float("nan")] * 8
    ),
    "velocities in a message of their own": lambda arm: (
        arm.state(), arm.state(positions=[], velocity=[0.0] * 7)),
    "nothing in between": lambda arm: (arm.state(), arm.state([], [])),
    "the gripper on its own": lambda arm: (arm.state(NAMES, arm.arm), arm.state([FINGER], [0.1])),
}  # fmt: skip


@pytest.mark.parametrize("what", ACTS)
def test_joint_states_that_are_right_in_an_unusual_way_do_not_hold_the_arm(arm, what):
    arm.publish_states = lambda: ACTS[what](arm)
    arm.say()
    assert arm.acts(), arm.actions[-1:]
    del arm.actions[:]
    assert arm.graph.until(lambda: len(arm.actions) > 50)
    assert np.mean([each.hold for each in arm.actions[-25:]]) < 0.5, arm.actions[-1]


@pytest.mark.long
def test_no_trajectory_begins_where_another_publisher_says_that_the_arm_is(driver):
    """Whatever the phase of its messages is, and however seldom they come."""
    driver.reset()
    begins = []
    for every in (1, 2, 3, 5, 7, 11, 13, 30):
        beats = iter(range(10**6))

        def publish(every=every, beats=beats):
            driver.state()
            if next(beats) % every == 0:
                driver.zeros()

        driver.publish_states = publish
        del driver.trajectories[:-1]
        before = len(driver.trajectories)
        driver.say()
        del driver.actions[:]
        assert driver.graph.until(lambda: len(driver.actions) > 50)
        begins += [each.points[0].positions for each in driver.trajectories[before:]]
        driver.reset()
        driver.instructions.publish(String(data="stop"))
        assert driver.is_held("stopped by")
    off = [np.abs(np.array(begin) - HOME).max() for begin in begins]
    assert max(off, default=0.0) < 0.35, "a trajectory begins where the arm is not"


@pytest.mark.parametrize("percent", [50.0, 0.0, float("nan")])
def test_speed_scaling_holds_the_arm_and_sends_nothing(arm, percent):
    arm.publish_scaling = lambda: arm.scaling.publish(Float64(data=percent))
    assert arm.is_held("speed scaling", SCALING)
    assert len(arm.trajectories) <= 1, "something was sent at another speed"
    arm.reset()
    assert arm.acts(), arm.actions[-1:]


def test_a_camera_of_the_future_holds_the_arm(arm):
    arm.publish_image = lambda: arm.image(ahead=0.2)
    assert arm.is_held("front camera", "ahead of this node's clock")
    arm.reset()
    assert arm.acts(), arm.actions[-1:]


def test_a_stop_service_holds_whatever_is_said_until_it_is_reset(arm):
    assert arm.graph.call(Trigger, "/policy_node/stop").success
    arm.say()
    assert arm.is_held("stopped by ~/stop; call ~/reset")
    for _ in range(5):
        arm.say()
    assert arm.is_held("stopped by ~/stop; call ~/reset")
    assert arm.graph.call(Trigger, "/policy_node/reset").success
    assert arm.is_held("waiting for an instruction")
    arm.say()
    assert arm.acts(), arm.actions[-1:]
