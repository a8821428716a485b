"""An arm in motion that is told nothing more, for whoever tells it is held up, over real DDS."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from geometry_msgs.msg import TwistStamped

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION
from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.robot.loader import load_robot, parse_robot
from vlm_robot_ros.ros.command_publisher import CommandPublisher
from vlm_robot_ros.ros.message_conversions import stamp_to_seconds
from vlm_robot_ros.runtime.control_loop import ControlLoop
from vlm_robot_ros.sim.controller_topics import contract_with_sink

PERIOD = 0.02


@pytest.fixture
def output(graph):
    """The output to a real arm that is told speeds."""
    import yaml

    content = yaml.safe_load(contract_with_sink("panda_sim", "twist"))
    robot = parse_robot({**content, "simulation": ""})
    publish = lambda kind, topic: graph.node.create_publisher(kind.interface_class(), topic, 1)  # noqa: E731
    loop = ControlLoop(robot, PERIOD, sinks=["twist"])
    publisher = CommandPublisher(robot, PERIOD, publish, False, loop, lambda: 0.0)
    publisher.send = lambda now, action, state: publisher.publish(
        loop.execute(now, action, state, []), now
    )
    yield publisher
    publisher.close()


def test_an_arm_in_motion_that_is_told_nothing_more_is_told_to_stand(graph, output):
    heard = graph.listen(TwistStamped, "twist_command")
    assert graph.until(lambda: graph.node.count_subscribers("twist_command") > 0)
    kinematics, joints = (
        Kinematics(load_robot("panda_sim")),
        np.array(load_robot("panda_sim").home),
    )
    place = transform_to_pose7(kinematics.forward(joints))
    now = begun = 100.0

    def move():
        nonlocal now
        now += PERIOD
        values = place + np.array([0.1 * (now - begun), 0, 0, 0, 0, 0, 0])
        said = ActionCommand(
            ActionMode.END_EFFECTOR_POSE, values, 1.0, now, 1.0, "", EMPTY_INSTRUCTION
        )
        return output.send(now, said, RobotState(1.0, joints, 1.0))

    for _ in range(5):
        assert move()
    speed = lambda message: abs(message.twist.linear.x)  # noqa: E731
    assert graph.until(lambda: heard and speed(heard[-1]) > 0.0)
    assert graph.until(lambda: speed(heard[-1]) == 0.0), "the last word is a speed"
    assert heard[-1].header.frame_id == "panda_link0"
    assert 0.2 <= stamp_to_seconds(heard[-1].header.stamp) - now < 2.0  # a stamp of then
    assert output.stops == 1
    count = len(heard)
    move()  # and on, where it goes on
    assert graph.until(lambda: len(heard) > count + 1)
    assert output.stops == 2


def test_an_arm_that_stands_needs_no_more_words(graph, output):
    joints = np.array(load_robot("panda_sim").home)
    place = transform_to_pose7(Kinematics(load_robot("panda_sim")).forward(joints))
    heard = graph.listen(TwistStamped, "twist_command")
    rest = ActionCommand(
        ActionMode.END_EFFECTOR_POSE, place, 1.0, 1.0, 0.0, "held", EMPTY_INSTRUCTION
    )
    for number in range(5):
        assert not output.send(1.0 + PERIOD * number, rest, RobotState(1.0, joints, 1.0))
    graph.until(lambda: False, 0.6)
    assert output.stops == 0
    assert not heard
