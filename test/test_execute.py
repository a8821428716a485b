"""The action `~/execute` over DDS: goals, feedback, cancellation and how they end."""

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from action_msgs.msg import GoalStatus  # noqa: E402
from bench import SINKS, Bench, check_limits, contract  # noqa: E402
from rclpy.action import ActionClient  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from vlm_robot_ros.action import Execute  # noqa: E402
from vlm_robot_ros.msg import VlmAction  # noqa: E402

Result = Execute.Result


class Client:
    """A client of the node's action; it keeps what comes back."""

    def __init__(self, graph):
        self.graph = graph
        self._client = ActionClient(graph.node, Execute, "policy_node/execute")
        assert graph.until(self._client.server_is_ready, 100.0)

    def send(self, instruction, time_limit=0.0):
        """Send a goal; returns its handle, with `feedback` and `ended`, a future."""
        feedback = []
        goal = Execute.Goal(instruction=instruction, time_limit=time_limit)
        sent = self._client.send_goal_async(goal, lambda m: feedback.append(m.feedback))
        assert self.graph.until(sent.done)
        handle = sent.result()
        assert handle.accepted
        handle.feedback, handle.ended = feedback, handle.get_result_async()
        return handle

    def end(self, handle, seconds=60.0):
        """Wait for the end of a goal; returns its status and its result."""
        assert self.graph.until(handle.ended.done, seconds), f"no end: {handle.feedback[-1:]}"
        return handle.ended.result().status, handle.ended.result().result


@pytest.fixture(scope="module")
def bench(lasting_graph, tmp_path_factory):
    return Bench(lasting_graph, contract(tmp_path_factory.mktemp("arm"), sinks=SINKS))


@pytest.fixture
def client(bench):
    """A client of a node that holds an arm at rest, without an instruction."""
    made = Client(bench.graph)
    bench.ask(Trigger, "reset")
    bench.until_still()
    return made


def moves(bench):
    return bench.graph.until(lambda: bench.states[-1].joint_speed > 0.2)


def test_a_goal_of_two_steps_succeeds_and_tells_of_both(bench, client):
    handle = client.send("close the gripper, then go home")
    status, result = client.end(handle)
    assert (status, result.outcome) == (GoalStatus.STATUS_SUCCEEDED, Result.SUCCEEDED), result
    assert result.reason == ""
    told = {(f.step_index, f.step_count, f.step) for f in handle.feedback if f.step_count}
    assert told == {(0, 2, "close the gripper"), (1, 2, "go home")}
    acting = [f for f in handle.feedback if f.step_count and f.hold_code == VlmAction.HOLD_NONE]
    assert all(f.label for f in acting)
    assert all(f.confidence > 0.5 for f in acting)


def test_a_goal_canceled_in_motion_ends_at_rest_within_the_limits(bench, client):
    handle = client.send(f"pick up the {bench.states[-1].objects[0]}")
    assert moves(bench), "it did not begin to move"
    before = len(bench.trajectories)
    bench.graph.until(handle.cancel_goal_async().done)
    status, result = client.end(handle)
    assert (status, result.outcome) == (GoalStatus.STATUS_CANCELED, Result.CANCELED), result
    assert bench.graph.until(lambda: bench.states[-1].joint_speed < 0.02, 1.0)
    check_limits(bench.trajectories[before - 1 :])
    bench.until_held("waiting for an instruction")


def test_a_second_goal_takes_the_place_of_the_first(bench, client):
    first = client.send(f"pick up the {bench.states[-1].objects[0]}")
    assert moves(bench)
    second = client.send("go home")
    status, result = client.end(first)
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.PREEMPTED)
    status, result = client.end(second)
    assert (status, result.outcome) == (GoalStatus.STATUS_SUCCEEDED, Result.SUCCEEDED), result


def test_an_instruction_on_the_topic_takes_the_place_of_a_goal(bench, client):
    handle = client.send(f"pick up the {bench.states[-1].objects[0]}")
    assert moves(bench)
    bench.say("open the gripper")
    status, result = client.end(handle)
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.PREEMPTED)
    assert "open the gripper" in result.reason


def test_a_stop_word_stops_a_goal(bench, client):
    handle = client.send(f"pick up the {bench.states[-1].objects[1]}")
    assert moves(bench)
    bench.say("stop")
    status, result = client.end(handle)
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.STOPPED)
    assert result.hold_code == VlmAction.HOLD_STOP_WORD
    bench.until_still()


def test_no_goal_is_begun_while_the_arm_is_stopped(bench, client):
    running = client.send(f"pick up the {bench.states[-1].objects[0]}")
    assert moves(bench)
    bench.ask(Trigger, "stop")
    status, result = client.end(running)
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.STOPPED)
    assert result.hold_code == VlmAction.HOLD_STOP_SERVICE
    status, result = client.end(client.send("go home"))
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.REJECTED)
    assert result.hold_code == VlmAction.HOLD_STOP_SERVICE
    assert "~/reset" in result.reason


def test_a_question_ends_a_goal_and_the_next_one_answers_it(bench, client):
    name = bench.states[-1].objects[0]
    status, result = client.end(client.send(f"push the {name}"))
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.QUESTION), result
    assert result.reason.startswith(f"Which way shall I push the {name}")
    handle = client.send("to the left")
    pushes = lambda: any(f.step == f"push the {name} left" for f in handle.feedback)  # noqa: E731
    assert bench.graph.until(pushes), (handle.feedback[-1:], handle.ended.done())


def test_what_is_not_understood_is_refused(bench, client):
    status, result = client.end(client.send("sing me a song about the sea"))
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.REFUSED)
    assert result.hold_code == VlmAction.HOLD_POLICY_HOLD
    assert "sing me a song" in result.reason


def test_time_limits_that_are_over_or_not_valid(bench, client):
    handle = client.send(f"pick up the {bench.states[-1].objects[0]}", time_limit=1.0)
    status, result = client.end(handle)
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.TIMED_OUT)
    assert result.reason == "not done in 1 s"
    for limit in (-1.0, float("nan")):
        status, result = client.end(client.send("go home", time_limit=limit))
        assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.REJECTED)
        assert "valid: 0" in result.reason


def test_a_trip_aborts_a_goal_and_the_next_ones_until_reset(graph, tmp_path):
    # Its controller listens elsewhere: the arm does not follow.
    elsewhere = [{**SINKS[0], "topic": "elsewhere"}, SINKS[1]]
    bench = Bench(graph, contract(tmp_path, sinks=elsewhere))
    client = Client(graph)
    status, result = client.end(client.send(f"pick up the {bench.states[-1].objects[0]}"))
    assert (status, result.outcome) == (GoalStatus.STATUS_ABORTED, Result.TRIPPED), result
    assert "does not follow" in result.reason
    status, result = client.end(client.send("go home"))
    assert (status, result.outcome, result.hold_code) == (
        GoalStatus.STATUS_ABORTED, Result.REJECTED, VlmAction.HOLD_TRIPPED
    )  # fmt: skip
    bench.ask(Trigger, "reset")
    handle = client.send("go home")
    assert graph.until(lambda: handle.feedback or handle.ended.done())
    assert handle.feedback
