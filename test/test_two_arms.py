"""Two arms in one graph: each policy node hears and drives its own."""

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool

from vlm_robot_ros.msg import VlmAction
from vlm_robot_ros.robot.loader import load_robot

ROBOT = load_robot("ur5e_sim")


@pytest.mark.long
def test_two_arms_share_a_graph_and_nothing_else(graph):
    node, sides = graph.node, ("left", "right")
    actions = {side: graph.listen(VlmAction, f"/{side}/action") for side in sides}
    words = {side: node.create_publisher(String, f"/{side}/instruction", 10) for side in sides}
    joints = {
        side: node.create_publisher(JointState, f"/{side}/joint_states", 10) for side in sides
    }
    health = graph.listen(DiagnosticArray, "/diagnostics")
    for side in sides:
        graph.start("policy_node", namespace=f"/{side}", policy="hold", robot="ur5e_sim")

    def feel():
        for publisher in joints.values():
            message = JointState(name=[*ROBOT.joint_names, ROBOT.gripper.joint])
            message.position = [*ROBOT.home, ROBOT.gripper.open]
            message.header.stamp = node.get_clock().now().to_msg()
            publisher.publish(message)

    node.create_timer(0.05, feel)
    reason = lambda side: actions[side][-1].hold_reason if actions[side] else ""  # noqa: E731
    assert graph.until(lambda: all(reason(side) == "no instruction yet" for side in sides), 150.0)
    assert graph.until(lambda: words["left"].get_subscription_count() == 1)
    words["left"].publish(String(data="pick up the red cube"))
    assert graph.until(lambda: reason("left") == "this is the hold policy")
    # What came before does not count, nor a hold because joint states were late.
    actions["right"].clear()
    assert graph.until(lambda: reason("right") == "no instruction yet")
    assert graph.call(SetBool, "/right/policy_node/enable", data=False).success
    assert graph.until(lambda: reason("right").startswith("disabled"))
    actions["left"].clear()
    assert graph.until(lambda: reason("left") == "this is the hold policy")
    # Who collects diagnostics by their names has those of both.
    names = lambda: {status.name for message in health for status in message.status}  # noqa: E731
    told = {f"{side}/policy_node: {of}" for side in sides for of in ("policy", "joint states")}
    assert graph.until(lambda: names() >= told)
