"""An arm comes to a stand when its policy node ends in motion."""

import signal

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from bench import CONTENT, SINKS, Bench, contract
from geometry_msgs.msg import TwistStamped
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Float64MultiArray, String

from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.msg import SimState, VlmAction
from vlm_robot_ros.plugins import command_sinks
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.ros.message_conversions import stamp_to_seconds

ROBOT = load_robot("panda_sim")


@pytest.fixture
def path(tmp_path):
    return contract(tmp_path, sinks=SINKS)


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
