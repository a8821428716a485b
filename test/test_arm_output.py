"""The policy node drives an arm through its controllers' topics, over real DDS."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from bench import CONTENT, SINKS, Bench, contract
from diagnostic_msgs.msg import DiagnosticArray
from std_srvs.srv import SetBool, Trigger

from vlm_robot_ros.robot.loader import load_robot

ROBOT = load_robot("panda_sim")


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


@pytest.mark.long
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
