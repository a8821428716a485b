"""A gripper that is told by an action gets goals in its own unit, and stops when told to stop."""

import itertools

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
pytest.importorskip(
    "control_msgs.action", reason="needs control_msgs, which the wheels lack: see CONTRIBUTING.md"
)

from bench import SINKS, contract
from control_msgs.action import GripperCommand, ParallelGripperCommand
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.task import Future
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import SetBool

from vlm_robot_ros.msg import SimState
from vlm_robot_ros.robot.loader import load_robot

ROBOT = load_robot("panda_sim")
SLOW = 0.0004
"""How far a finger goes in a tick of the slow gripper [m]."""
TOLERANCE, STALL_TIMEOUT = 1e-4, 1.0
"""Of a goal [m]; after so long without motion it is aborted [s]."""


class Gripper:
    """The server of the action, as gripper_controllers and parallel_gripper_controller have it.

    A new goal ends the one before; a cancelled one leaves the fingers where they are; one that
    does not move the fingers any more is aborted. The fingers are the simulated arm's, and as slow
    as real ones.
    """

    def __init__(self, graph, folder, slow, parallel=False, refuses=0):
        self.graph, self.node, self.asked, self._refuses = graph, graph.node, 0, refuses
        self.goals, self.efforts, self.cancelled, self.aborted = [], [], 0, 0
        self._step = SLOW if slow else ROBOT.gripper.open
        self._place = self._goal = ROBOT.gripper.open
        self._active, self._stalled = None, 0
        self._fingers = self.node.create_publisher(Float64MultiArray, "gripper_positions", 10)
        self._kind = ParallelGripperCommand if parallel else GripperCommand
        self._server = ActionServer(
            self.node, self._kind, "gripper/gripper_cmd", self._execute,
            goal_callback=self._on_goal, cancel_callback=self._on_cancel,
        )  # fmt: skip
        self.node.create_timer(0.02, self._tick)
        kind = "parallel_gripper_action" if parallel else "gripper_action"
        sinks = [SINKS[0], {"kind": kind, "topic": "gripper/gripper_cmd"}]
        self.states = graph.listen(SimState, "arm_sim_node/state")
        self._words = self.node.create_publisher(String, "instruction", 10)
        graph.start("arm_sim_node", seed=3, follow_action=False)
        told = {"joint": ROBOT.gripper.joint, "open": 0.04, "closed": 0.0, "max_effort": 15.0}
        path = contract(folder, sinks=sinks, gripper=told)
        graph.start("policy_node", robot=path, use_sim_time=True)
        graph.until_up(lambda: self.states and self._words.get_subscription_count())

    def say(self, text):
        self._words.publish(String(data=text))

    async def _execute(self, handle):
        if self._active:
            self._end("aborted")
        self._goal, effort = self._read(handle.request.command)
        self.goals.append(self._goal)
        self.efforts.append(effort)
        ends = Future()
        self._active, self._stalled = (handle, ends), 0
        ended = await ends
        if ended == "cancelled":
            handle.canceled()
        elif ended == "aborted":
            handle.abort()
        else:
            handle.succeed()
        return self._kind.Result(reached_goal=ended == "reached")

    def _read(self, command):
        """Return position and effort, as whoever takes the action does."""
        if self._kind is GripperCommand:
            return command.position, command.max_effort
        assert list(command.name) == [ROBOT.gripper.joint]
        return command.position[0], command.effort[0]

    def _on_goal(self, goal):
        self.asked += 1
        wrong = self._kind is ParallelGripperCommand and len(goal.command.position) != 1
        return GoalResponse.REJECT if wrong or self.asked <= self._refuses else GoalResponse.ACCEPT

    def _on_cancel(self, handle):
        return CancelResponse.ACCEPT

    def _end(self, how):
        self._active[1].set_result(how)
        self.cancelled += how == "cancelled"
        self.aborted += how == "aborted"
        self._active = None

    def _tick(self):
        if self._active and self._active[0].is_cancel_requested:
            self._goal = self._place  # it holds what it has reached
            self._end("cancelled")
        before = self._place
        self._place += min(max(self._goal - self._place, -self._step), self._step)
        self._stalled = self._stalled + 1 if self._place == before else 0
        if self._active and abs(self._goal - self._place) < TOLERANCE:
            self._end("reached")
        elif self._active and self._stalled * 0.02 > STALL_TIMEOUT:
            self._end("aborted")
        self._fingers.publish(Float64MultiArray(data=[self._place]))


@pytest.mark.parametrize("parallel", [False, True])
def test_a_gripper_is_told_by_goals(graph, tmp_path, parallel):
    gripper = Gripper(graph, tmp_path, slow=False, parallel=parallel)
    goals = gripper.goals
    gripper.say("close the gripper")
    assert graph.until(lambda: goals and goals[-1] < 0.01), goals
    gripper.say("open the gripper")
    assert graph.until(lambda: goals[-1] > 0.9 * ROBOT.gripper.open), goals
    assert all(abs(one - other) > 1e-4 for one, other in itertools.pairwise(goals)), "no news"
    assert set(gripper.efforts) == {15.0}
    # Somebody may have moved the fingers meanwhile: other words, and it is told again.
    count = len(goals)
    gripper.say("close the gripper")
    assert graph.until(lambda: goals[-1] < 0.01), goals
    gripper.say("shut the gripper")
    assert graph.until(lambda: len(goals) > count + 1), goals


def test_a_goal_that_was_refused_is_sent_again(graph, tmp_path):
    gripper = Gripper(graph, tmp_path, slow=False, refuses=2)
    gripper.say("close the gripper")
    assert graph.until(lambda: gripper.goals), f"asked {gripper.asked} times"
    assert gripper.asked == 3


@pytest.mark.parametrize("by", ["stop", "disable"])
def test_fingers_in_motion_stop_when_they_are_told_to(graph, tmp_path, by):
    gripper = Gripper(graph, tmp_path, slow=True)
    opening = lambda: gripper.states[-1].opening  # noqa: E731
    gripper.say("close the gripper")
    assert graph.until(lambda: gripper.goals and opening() < 0.8), opening()
    if by == "stop":
        gripper.say("stop")
    else:
        assert graph.call(SetBool, "/policy_node/enable", data=False).success
    assert graph.until(lambda: gripper.cancelled), gripper.goals
    place, count = opening(), len(gripper.states)
    assert graph.until(lambda: len(gripper.states) > count + 100)
    assert opening() > 0.2
    assert opening() == pytest.approx(place, abs=0.1)
    assert all(goal == pytest.approx(0.04 * place, abs=0.006) for goal in gripper.goals[1:])
