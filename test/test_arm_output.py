"""The policy node drives an arm through its controllers' topics, over real DDS."""

import signal

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.msg import Latency, SimState, VlmAction
from vlm_robot_ros.paths import config_dir
from vlm_robot_ros.plugins import command_sinks
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.ros.message_conversions import stamp_to_seconds

ROBOT = load_robot("panda_sim")
SINKS = [
    {"kind": "joint_trajectory", "topic": "joint_trajectory"},
    {"kind": "gripper_positions", "topic": "gripper_positions"},
]


CONTENT = yaml.safe_load((config_dir() / "arms" / "panda_sim.yaml").read_text())


def contract(folder, **changes):
    """Write a contract that differs from the simulated arm's; returns its path."""
    path = folder / "arm.yaml"
    path.write_text(yaml.safe_dump({**CONTENT, **changes}))
    return path


class Bench:
    """The simulated arm that obeys its controllers only, and ears."""

    def __init__(self, graph, path, **parameters):
        self.graph, node = graph, graph.node
        self.trajectories = graph.listen(JointTrajectory, "joint_trajectory")
        self.actions = graph.listen(VlmAction, "action")
        self.joints = graph.listen(JointState, "joint_states", qos_profile_sensor_data)
        self.states = graph.listen(SimState, "arm_sim_node/state")
        self.health = graph.listen(DiagnosticArray, "/diagnostics")
        self.latencies = graph.listen(Latency, "latency")
        self.words = node.create_publisher(String, "instruction", 10)
        graph.start("arm_sim_node", seed=3, follow_action=False)
        self.policy = graph.start("policy_node", robot=path, use_sim_time=True, **parameters)
        graph.until_up(lambda: self.states and self.actions)

    def say(self, text):
        assert self.graph.until(lambda: self.words.get_subscription_count() > 0)
        self.words.publish(String(data=text))

    def lifts_something(self):
        """Ask for the first object, and wait until it is up."""
        state = self.states[-1]
        self.say(f"pick up the {state.objects[0]}")
        low = state.positions[0].z
        return self.graph.until(lambda: self.states[-1].positions[0].z > low + 0.08, 100.0)

    def until_held(self, reason):
        del self.actions[:]
        held = lambda: any(a.hold and reason in a.hold_reason for a in self.actions)  # noqa: E731
        assert self.graph.until(held), f"never held for '{reason}': {self.actions[-1:]}"

    def until_still(self):
        assert self.graph.until(lambda: self.states[-1].joint_speed < 0.02)

    def ask(self, kind, name, **request):
        return self.graph.call(kind, f"/policy_node/{name}", **request)


@pytest.fixture
def path(tmp_path):
    return contract(tmp_path, sinks=SINKS)


def test_an_arm_obeys_through_its_trajectory_controller_within_its_limits(graph, path):
    bench = Bench(graph, path)
    assert bench.lifts_something(), f"nothing was lifted: {bench.actions[-1]}"
    velocities = np.array([message.velocity[:7] for message in bench.joints])
    positions = np.array([message.position[:7] for message in bench.joints])
    assert np.all(np.abs(velocities) <= ROBOT.velocity)
    assert np.all((positions >= ROBOT.lower) & (positions <= ROBOT.upper))
    assert graph.until(lambda: bench.latencies)
    latency = bench.latencies[-1]
    assert 0 < latency.p50 <= latency.p95 <= latency.p99 <= latency.longest < 5.0
    bench.say("stop")
    bench.until_held("stopped by 'stop'")
    bench.until_still()


@pytest.mark.long
def test_every_sink_is_fed_fresh_and_hears_a_stand_last(graph, tmp_path):
    kinds = [kind for kind, sink in command_sinks().items() if not sink.is_action]
    sinks = [{"kind": kind, "topic": kind} for kind in kinds]
    sinks[kinds.index("joint_positions")]["hardware_interpolates"] = True
    bench = Bench(graph, contract(tmp_path, sinks=sinks))
    clock = graph.listen(Clock, "/clock")
    types = {kind: command_sinks()[kind].interface_class() for kind in kinds}
    heard = {kind: graph.listen(types[kind], kind, 100) for kind in kinds}
    ages = {"twist": [], "pose": []}
    for kind, found in ages.items():

        def note(message, found=found):
            if clock:
                found.append(
                    stamp_to_seconds(clock[-1].clock) - stamp_to_seconds(message.header.stamp)
                )

        graph.node.create_subscription(types[kind], kind, note, 100)
    bench.say(f"pick up the {bench.states[-1].objects[0]}")
    moving = lambda: bench.states[-1].joint_speed > 0.2  # noqa: E731
    assert graph.until(moving), "it did not begin to move"
    assert graph.until(lambda: len(heard["twist"]) > 20)
    bench.policy.send_signal(signal.SIGTERM)
    graph.ended(bench.policy)
    assert all(heard.values()), f"nothing for {[kind for kind in kinds if not heard[kind]]}"
    # Servo takes nothing that is older than its incoming_command_timeout, 0.1 s.
    assert all(-0.05 < np.median(found) < 0.1 for found in ages.values()), ages
    speeds = [_place(message.twist.linear) for message in heard["twist"]]
    assert np.abs(speeds).max() > 0.02

    def stands():
        """Tell whether what came last is a stand, of all who are told where to be or how fast."""
        path, twist = heard["joint_trajectory"][-1].points, heard["twist"][-1].twist
        place = Kinematics(ROBOT).forward(np.array(path[-1].positions))[:3, 3]
        told = [
            (path[-2].positions, path[-1].positions),
            (path[-2].velocities, np.zeros(7)),
            (heard["joint_positions"][-1].data, path[-1].positions),
            (heard["joint_state"][-1].position[:7], path[-1].positions),
            (_place(heard["pose"][-1].pose.position), place),
            (_place(twist.linear) + _place(twist.angular), np.zeros(6)),
        ]
        return all(np.allclose(one, other, rtol=0, atol=1e-6) for one, other in told)

    assert graph.until(stands), {kind: found[-1] for kind, found in heard.items()}


def _place(vector):
    return vector.x, vector.y, vector.z


def test_a_signal_in_motion_leaves_a_stand_as_the_last_word(graph, path):
    bench = Bench(graph, path)
    bench.say(f"pick up the {bench.states[-1].objects[0]}")
    moving = lambda: bench.states[-1].joint_speed > 0.1  # noqa: E731
    assert graph.until(moving), "it did not begin to move"
    bench.policy.send_signal(signal.SIGINT)
    assert graph.until(lambda: bench.policy.poll() is not None)
    bench.until_still()
    # Another topic: the last word may come after the arm is seen to stand.
    # The first two points are past ones.
    stands = lambda: not any(bench.trajectories[-1].points[2].velocities)  # noqa: E731
    assert graph.until(stands), "the last word is a motion"
    last = bench.trajectories[-1]
    assert last.points[2].positions == last.points[-1].positions


@pytest.mark.long
def test_an_arm_that_brakes_for_longer_than_a_second_is_brought_to_a_stand(graph, tmp_path):
    slow = [{**joint, "acceleration": 0.25} for joint in CONTENT["joints"]]
    told = {"kind": "joint_positions", "topic": "joint_command", "hardware_interpolates": True}
    bench = Bench(graph, contract(tmp_path, joints=slow, sinks=[told, SINKS[1]]))
    told = graph.listen(Float64MultiArray, "joint_command", 100)
    bench.say(f"push the {bench.states[-1].objects[0]} left")
    speed = lambda: np.max(np.abs(np.subtract(told[-1].data, told[-2].data))) / 0.02  # noqa: E731
    assert graph.until(lambda: len(told) > 1 and speed() > 0.35, 100.0), "it did not get going"
    before = len(told)
    bench.policy.send_signal(signal.SIGTERM)
    graph.ended(bench.policy)
    assert graph.until(lambda: speed() < 0.01), f"the last word is a motion: {speed()} rad/s"
    assert len(told) - before > 50


_BROKEN = """
import sys
from vlm_robot_ros.motion.motion_controller import MotionController
from vlm_robot_ros.runtime.chunk_executor import ChunkExecutor
from vlm_robot_ros.nodes.policy_node import main
tick, drive, moved = ChunkExecutor.step, MotionController.update, [0]
def counted(self, *arguments):
    command = tick(self, *arguments)
    moved[0] += not command.hold_reason
    return command if moved[0] < 50 or WHAT != "tick" else moved[0] / 0
def driven(self, *arguments):
    return drive(self, *arguments) if moved[0] < 50 or WHAT != "drive" else moved[0] / 0
ChunkExecutor.step, MotionController.update = counted, driven
sys.exit(main())
"""


@pytest.mark.long
@pytest.mark.parametrize("what", ["tick", "drive"])
def test_a_mistake_of_ours_in_motion_leaves_a_stand_as_the_last_word(graph, tmp_path, what):
    sinks = [{"kind": "twist", "topic": "twist_command"}, SINKS[1]]
    path = contract(tmp_path, sinks=sinks)
    twists = graph.listen(TwistStamped, "twist_command", 100)
    words = graph.node.create_publisher(String, "instruction", 10)
    graph.start("arm_sim_node", seed=3, follow_action=False)
    policy = graph.python(
        "-c",
        f"WHAT = '{what}'\n{_BROKEN}",
        "--ros-args",
        "-p",
        f"robot:={path}",
        "-p",
        "use_sim_time:=true",
    )
    assert graph.until(words.get_subscription_count, 90.0)
    states = graph.listen(SimState, "arm_sim_node/state")
    assert graph.until(lambda: states)
    actions = graph.listen(VlmAction, "action")
    assert graph.until(lambda: actions)
    words.publish(String(data=f"pick up the {states[-1].objects[0]}"))
    if what == "drive":  # it trips, and nothing more is told until the end
        held = lambda: "no setpoint could be found" in actions[-1].hold_reason  # noqa: E731
        assert graph.until(held, 100.0), actions[-1]
        policy.send_signal(signal.SIGINT)
    assert graph.until(lambda: policy.poll() is not None, 100.0)
    assert policy.returncode == (1 if what == "tick" else 0)
    speeds = lambda: np.linalg.norm([_place(each.twist.linear) for each in twists], axis=1)  # noqa: E731
    assert graph.until(lambda: speeds()[-1] == 0.0), "the last word is a motion"
    assert speeds().max() > 0.02


@pytest.mark.long
def test_a_killed_node_leaves_an_arm_that_comes_to_a_stand(graph, path):
    bench = Bench(graph, path)
    bench.say(f"pick up the {bench.states[-1].objects[0]}")
    assert graph.until(lambda: bench.states[-1].joint_speed > 0.1), "it did not begin to move"
    bench.policy.kill()
    bench.until_still()
    assert graph.until(lambda: bench.trajectories)
    assert not any(bench.trajectories[-1].points[-1].velocities)


def test_a_disabled_arm_stays_where_it_is_until_it_is_enabled_and_told_anew(graph, path):
    bench = Bench(graph, path)
    assert bench.ask(SetBool, "enable", data=False).success
    bench.until_held("disabled; call ~/enable")
    place = bench.states[-1].tool
    bench.say(f"pick up the {bench.states[-1].objects[0]}")
    count = len(bench.states)
    assert graph.until(lambda: len(bench.states) > count + 100)
    moved = bench.states[-1].tool
    assert abs(moved.x - place.x) + abs(moved.y - place.y) + abs(moved.z - place.z) < 0.003
    assert bench.ask(SetBool, "enable", data=True).success
    bench.until_held("waiting for an instruction")
    assert bench.lifts_something()


@pytest.mark.long
def test_an_arm_that_does_not_follow_trips_until_it_is_reset(graph, path, tmp_path):
    # Its controller listens elsewhere: what it is told does not reach it.
    elsewhere = [{**SINKS[0], "topic": "elsewhere"}, SINKS[1]]
    bench = Bench(graph, contract(tmp_path, sinks=elsewhere))
    state = bench.states[-1]
    bench.say(f"pick up the {state.objects[0]}")
    bench.until_held("tripped: the arm does not follow")
    tripped = lambda: any(s.level == s.ERROR for m in bench.health for s in m.status)  # noqa: E731
    assert graph.until(tripped)
    bench.say("go home")
    bench.until_held("tripped: the arm does not follow")
    answer = bench.ask(Trigger, "reset")
    assert answer.success
    assert "does not follow" in answer.message
    bench.until_held("waiting for an instruction")
    assert not bench.ask(Trigger, "reset").success


@pytest.mark.long
def test_a_real_arm_is_told_nothing_by_default(graph, tmp_path):
    bench = Bench(graph, contract(tmp_path, sinks=SINKS, simulation=""))
    bench.say(f"pick up the {bench.states[-1].objects[0]}")
    assert graph.until(lambda: any(not action.hold for action in bench.actions))
    dry = lambda: any(  # noqa: E731
        v.key == "output" and v.value == "dry" for m in bench.health for s in m.status
        for v in s.values
    )  # fmt: skip
    assert graph.until(dry)
    assert not bench.trajectories


@pytest.mark.long
def test_a_dry_run_trips_as_a_live_one_would(graph, tmp_path):
    joints, home = [{**joint} for joint in CONTENT["joints"]], [*CONTENT["home"]]
    joints[3]["position"], home[3] = [-2.2, -0.07], -2.1  # it waits at -2.35
    path = contract(tmp_path, joints=joints, home=home, sinks=SINKS, simulation="")
    bench = Bench(graph, path)
    bench.until_held("tripped: panda_joint4 is at -2.35 rad, outside its limits -2.20 to -0.07")
    assert not bench.trajectories


def test_a_dry_run_needs_no_messages_of_real_arms(graph):
    health = graph.listen(DiagnosticArray, "/diagnostics")
    code = (
        "import sys; sys.modules['control_msgs'] = None;"
        "from vlm_robot_ros.nodes.policy_node import main; sys.exit(main())"
    )
    graph.python("-c", code, "--ros-args", "-p", "robot:=fr3", "-p", "policy:=hold")
    assert graph.until(lambda: health, 100.0)
    facts = {value.key: value.value for value in health[-1].status[0].values}
    assert (facts["robot"], facts["output"]) == ("fr3", "dry")
