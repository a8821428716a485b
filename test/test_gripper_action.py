"""A gripper that is told by an action gets goals in its own unit, and only when there is news."""

import itertools

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
pytest.importorskip(
    "control_msgs.action", reason="needs control_msgs, which the wheels lack: see CONTRIBUTING.md"
)

from control_msgs.action import GripperCommand
from rclpy.action import ActionServer
from test_arm_output import SINKS, contract

from vlm_robot_ros.contract.load import load_robot
from vlm_robot_ros.msg import SimState

ROBOT = load_robot("panda_sim")


def test_a_gripper_is_told_by_goals(graph, tmp_path):
    from std_msgs.msg import String

    goals, efforts = [], []

    def execute(handle):
        goals.append(handle.request.command.position)
        efforts.append(handle.request.command.max_effort)
        handle.succeed()
        return GripperCommand.Result(position=goals[-1], reached_goal=True)

    server = ActionServer(graph.node, GripperCommand, "gripper/gripper_cmd", execute)
    sinks = [SINKS[0], {"kind": "gripper_action", "topic": "gripper/gripper_cmd"}]
    states = graph.listen(SimState, "arm_sim_node/state")
    words = graph.node.create_publisher(String, "instruction", 10)
    graph.start("arm_sim_node", seed=3, follow_action=False)
    gripper = {"joint": ROBOT.gripper.joint, "open": 0.04, "closed": 0.0, "max_effort": 15.0}
    path = contract(tmp_path, sinks=sinks, gripper=gripper)
    graph.start("policy_node", robot=path, use_sim_time=True)
    assert graph.until(lambda: states and words.get_subscription_count(), 90.0)
    words.publish(String(data="close the gripper"))
    assert graph.until(lambda: goals and goals[-1] < 0.01), goals
    words.publish(String(data="open the gripper"))
    assert graph.until(lambda: goals[-1] > 0.9 * ROBOT.gripper.open), goals
    assert all(abs(one - other) > 1e-4 for one, other in itertools.pairwise(goals)), "no news"
    assert set(efforts) == {15.0}
    server.destroy()
