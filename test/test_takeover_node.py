"""A person takes over the arm of the policy node, over DDS: it moves, is marked, and goes back."""

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from bench import SINKS, Bench, check_limits, contract  # noqa: E402
from geometry_msgs.msg import TwistStamped  # noqa: E402
from rcl_interfaces.msg import Log  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from vlm_robot_ros.msg import EpisodeMark, VlmAction  # noqa: E402
from vlm_robot_ros.robot.loader import load_robot  # noqa: E402

ROBOT = load_robot("panda_sim")


class Person:
    """Sends twists or joint positions at 25 Hz, as long as told to."""

    def __init__(self, bench):
        self.bench, node = bench, bench.graph.node
        self._twists = node.create_publisher(TwistStamped, "policy_node/takeover/twist", 10)
        self._joints = node.create_publisher(JointState, "policy_node/takeover/joint_states", 10)
        self.marks = bench.graph.listen(EpisodeMark, "episode_mark")
        self.send = lambda: None
        node.create_timer(0.04, lambda: self.send())
        assert bench.graph.until(lambda: self._twists.get_subscription_count() > 0)

    def twist(self, y, frame=""):
        """Move the tool along y [m/s] from now on."""
        message = TwistStamped()
        message.header.frame_id = frame
        message.twist.linear.y = y
        self.send = lambda: self._twists.publish(message)

    def lead(self, change):
        """Lead with an arm whose first joint is `change` [rad] from the arm's."""
        state = self.bench.joints[-1]
        places = dict(zip(state.name, state.position, strict=True))
        places[ROBOT.joint_names[0]] += change
        names = list(ROBOT.joint_names)
        message = JointState(name=names, position=[places[name] for name in names])
        self.send = lambda: self._joints.publish(message)

    def let_go(self):
        self.send = lambda: None

    def events(self):
        return [mark.event for mark in self.marks if mark.by == "takeover"]


@pytest.fixture(scope="module")
def bench(lasting_graph, tmp_path_factory):
    return Bench(lasting_graph, contract(tmp_path_factory.mktemp("arm"), sinks=SINKS))


@pytest.fixture
def person(bench):
    """A person beside an arm at rest that has no instruction."""
    made = Person(bench)
    bench.ask(Trigger, "reset")
    bench.until_held("instruction")
    bench.until_still()
    yield made
    made.let_go()


def moves(bench):
    return bench.graph.until(lambda: bench.states[-1].joint_speed > 0.05)


def test_a_person_takes_over_and_hands_back_to_the_policy(bench, person):
    bench.say(f"pick up the {bench.states[-1].objects[0]}")
    assert moves(bench)
    number = bench.actions[-1].instruction_id
    person.twist(0.08)
    begun = EpisodeMark.INTERVENTION_BEGIN, EpisodeMark.INTERVENTION_END
    assert bench.graph.until(lambda: person.events() == [begun[0]])
    del bench.actions[:]
    by_hand = lambda: [a for a in bench.actions if a.confidence == 1.0 and not a.hold]  # noqa: E731
    assert bench.graph.until(lambda: len(by_hand()) > 50)
    # A busy machine sends twists late, and the arm waits for them.
    speeds = np.diff([a.values[1] for a in by_hand()[10:40]]) * 50
    assert speeds.max() == pytest.approx(0.08, abs=0.01)
    person.let_go()
    assert bench.graph.until(lambda: person.events() == list(begun))
    lifted = lambda: bench.states[-1].positions[0].z > 0.08  # noqa: E731
    assert bench.graph.until(lifted, 100.0), "the policy does not finish"
    assert bench.actions[-1].instruction_id == number
    check_limits(bench.trajectories)


def test_a_stop_holds_the_arm_whatever_a_person_sends(bench, person):
    person.twist(-0.05)
    assert moves(bench)
    bench.ask(Trigger, "stop")
    bench.until_held("stopped by ~/stop")
    bench.until_still()
    assert bench.states[-1].joint_speed < 0.02
    bench.ask(Trigger, "reset")
    bench.until_held("let go for 0.5 s")
    person.let_go()
    bench.until_held("waiting for an instruction")
    person.twist(-0.05)
    assert moves(bench), "the person has it again"


def test_a_leader_arm_elsewhere_is_refused_with_a_reason(bench, person):
    person.lead(0.5)
    bench.until_held("of the leader arm is 0.5")
    assert bench.actions[-1].hold_code == VlmAction.HOLD_TAKEOVER
    first = list(bench.joints[-1].name).index(ROBOT.joint_names[0])
    before = bench.joints[-1].position[first]
    person.lead(-0.2)
    assert bench.graph.until(lambda: bench.joints[-1].position[first] < before - 0.15)


def test_a_twist_in_an_unknown_frame_moves_nothing(bench, person):
    logged = bench.graph.listen(Log, "/rosout")
    person.twist(0.05, frame="camera")
    told = lambda: [m.msg for m in logged if "in frame 'camera'; valid: " in m.msg]  # noqa: E731
    assert bench.graph.until(told), [m.msg for m in logged]
    assert EpisodeMark.INTERVENTION_BEGIN not in person.events()
