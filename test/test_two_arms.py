"""Two arms in one graph: each with a node of its own, or both moved by one policy."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from diagnostic_msgs.msg import DiagnosticArray
from plans import plan
from policy_servers import answering
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.hold import HoldCode, HoldReason
from vlm_robot_ros.msg import VlmAction
from vlm_robot_ros.nodes.policy_arm import PolicyArm, reason_of_others
from vlm_robot_ros.policies.remote.numpy_msgpack import pack
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.ros.message_conversions import stamp_to_seconds
from vlm_robot_ros.runtime.control_loop import ControlLoop
from vlm_robot_ros.runtime.loop_group import LoopGroup

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


def test_an_arm_waits_for_the_chunk_of_the_other_and_plays_none_from_before():
    both = load_robot("two_ur5e_sim", several_arms=True)
    arms = [PolicyArm(arm, None, ControlLoop(arm, 0.02), None) for arm in both.arms]
    left, right = arms
    group, home = LoopGroup([arm.loop for arm in arms]), np.array(ROBOT.home)
    number = group.set_instruction("fold the towel", 1.0).number
    chunk = plan([0, 0, 0], mode=ActionMode.JOINT_POSITION, values=np.tile(home, (8, 1)))

    def why(arm, now=1.1):
        return reason_of_others(arms, arm, group, now).code

    for arm in arms:
        arm.loop.set_chunk(chunk, number, 1.0, 1.0)
    assert [why(arm) for arm in arms] == [HoldCode.NONE] * 2
    left.reason = HoldReason(HoldCode.INPUT_STALE, "front camera: too old")
    assert why(right) is HoldCode.OTHER_ARM
    assert not right.loop.has_chunk(1.1), "it would be played when the camera is back"
    left.reason = HoldReason(HoldCode.WAITING_FOR_CHUNK, "waiting for a plan")
    assert [why(arm) for arm in arms] == [HoldCode.WAITING_FOR_CHUNK] * 2
    for arm in arms:
        arm.loop.set_chunk(chunk, number, 1.12, 1.14)
    assert [why(arm, 1.14) for arm in arms] == [HoldCode.NONE] * 2
    right.loop.gate.tripped = "a fault"  # in this tick: nothing was said of it yet
    assert why(left) is HoldCode.OTHER_ARM


def _swing(message):
    """Answer as ALOHA's policies do: the first joint of both arms goes to and fro, mirrored."""
    state, table = np.array(message["state"]), np.tile(message["state"], (50, 1))
    for arm, sign in ((0, 1.0), (7, -1.0)):
        away = sign * (state[arm] - ROBOT.home[0]) / 0.2
        phase = np.arcsin(np.clip(away, -1, 1)) + 0.8 * 0.02 * np.arange(1, 51)
        table[:, arm] = ROBOT.home[0] + sign * 0.2 * np.sin(phase)
        table[:, arm + 1 : arm + 7] = [*ROBOT.home[1:], 1.0]
    return pack({"actions": table})


@pytest.mark.long
def test_one_policy_moves_two_simulated_arms_that_stop_together(graph):
    node, sides = graph.node, ("left", "right")
    actions = {side: graph.listen(VlmAction, f"/{side}/action") for side in sides}
    states = {side: graph.listen(JointState, f"/{side}/joint_states") for side in sides}
    words = node.create_publisher(String, "/instruction", 10)
    sims = {
        side: graph.start(
            "arm_sim_node", namespace=f"/{side}", robot="ur5e_sim", follow_clock=side == "right"
        )
        for side in sides
    }
    place = lambda side: states[side][-1].position[0] - ROBOT.home[0]  # noqa: E731
    reason = lambda side: actions[side][-1].hold_reason if actions[side] else "none"  # noqa: E731
    code = lambda side: actions[side][-1].hold_code  # noqa: E731
    speed = lambda side: max(map(abs, states[side][-1].velocity), default=0.0)  # noqa: E731

    def act_on(text):
        # Words within half a second after a stop do not count.
        begun = stamp_to_seconds(states["left"][-1].header.stamp)
        now = lambda: stamp_to_seconds(states["left"][-1].header.stamp)  # noqa: E731
        assert graph.until(lambda: now() > begun + 1.0)
        say(text)
        assert graph.until(lambda: not any(map(reason, sides)))

    def say(text):
        words.publish(String(data=text))
        assert graph.until(lambda: all(a[-1].instruction == text for a in actions.values()))

    with answering(_swing) as server:
        graph.start("policy_node", robot="two_ur5e_sim", policy=server.address, map="aloha",
                    use_sim_time=True)  # fmt: skip
        assert graph.until(lambda: all(reason(s) == "no instruction yet" for s in sides), 150.0)
        assert graph.until(lambda: words.get_subscription_count() == 1)
        say("fold the towel")
        assert graph.until(lambda: place("left") > 0.05 and place("right") < -0.05)
        assert list(actions["right"][-1].names) == list(ROBOT.joint_names)

        say("stop")
        assert graph.until(lambda: all(code(s) == VlmAction.HOLD_STOP_WORD for s in sides))
        assert graph.until(lambda: all(speed(s) < 1e-3 for s in sides))

        act_on("fold it again")
        assert graph.call(Trigger, "/policy_node/stop").success
        assert graph.until(lambda: all(code(s) == VlmAction.HOLD_STOP_SERVICE for s in sides))
        assert graph.call(Trigger, "/policy_node/reset").success
        act_on("fold it once more")

        sims["right"].kill()
        assert graph.until(lambda: code("left") == VlmAction.HOLD_OTHER_ARM), reason("left")
        assert "the right arm holds: " in reason("left")
        assert graph.until(lambda: speed("left") < 1e-3)
