"""What goes wrong on the way to the sinks trips, and nothing gets out."""

import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION
from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.paths import config_dir
from vlm_robot_ros.robot.loader import parse_robot
from vlm_robot_ros.ros.command_publisher import CommandPublisher
from vlm_robot_ros.runtime.control_loop import ControlLoop

SINKS = [
    {"kind": "joint_positions", "topic": "positions"},
    {"kind": "gripper_trajectory", "topic": "gripper"},
]


class Line(list):
    """A publisher that keeps what it is given."""

    publish = list.append


@pytest.fixture
def robot():
    content = yaml.safe_load((config_dir() / "arms" / "panda_sim.yaml").read_text())
    return parse_robot({**content, "sinks": SINKS})


@pytest.fixture
def lines():
    return {}


@pytest.fixture
def loop(robot):
    return ControlLoop(robot, 0.02, sinks=[sink.kind for sink in robot.sinks])


@pytest.fixture
def send(robot, lines, loop):
    """Execute an action and send its commands; returns whether the arm moves."""
    publisher = CommandPublisher(
        robot, 0.02, lambda kind, topic: lines.setdefault(topic, Line()), False, loop, lambda: 0.0
    )

    def execute(now, action, state):
        return publisher.publish(loop.execute(now, action, state, []), now)

    return execute


def joint_command(values, gripper=1.0):
    return ActionCommand(
        ActionMode.JOINT_POSITION, np.array(values), gripper, 0.0, 1.0, MAY_MOVE, EMPTY_INSTRUCTION
    )


def test_what_cannot_be_made_a_setpoint_trips_and_is_told(send, loop, lines, robot):
    home = np.array(robot.home)
    assert send(1.0, joint_command(home + 0.1), RobotState(1.0, home, 1.0))
    assert len(lines["positions"]) == 1
    # Joint states of an arm of another shape: no setpoint can be computed from them.
    assert not send(1.02, joint_command(home + 0.1), RobotState(1.02, home[:3], 1.0))
    assert loop.blocked.startswith("tripped: no setpoint could be found")
    assert len(lines["positions"]) == 1
    assert loop.blocked.code is HoldCode.TRIPPED
    assert loop.reset()
    assert loop.blocked == ""
    assert send(1.04, joint_command(home + 0.1), RobotState(1.04, home, 1.0))


def test_values_that_are_not_finite_reach_no_sink(send, loop, lines, robot):
    home = np.array(robot.home)
    for number in range(5):
        send(
            1.0 + 0.02 * number,
            joint_command(np.full(7, np.inf)),
            RobotState(1.0, home, 1.0),
        )
    assert "not finite" in loop.blocked
    for message in lines["positions"]:
        assert list(message.data) == pytest.approx(robot.home)


def test_a_gripper_trajectory_is_sent_when_there_is_news(send, loop, lines, robot):
    home = np.array(robot.home)
    for number, opening in enumerate((1.0, 1.0, 1.0, 0.2, 0.2, 0.2)):
        send(
            1.0 + 0.02 * number,
            joint_command(home + 0.1, opening),
            RobotState(1.0, home, 1.0),
        )
    assert len(lines["positions"]) == 6
    ends = [message.points[-1].positions[0] for message in lines["gripper"]]
    assert ends == pytest.approx([0.04, 0.008])


def test_a_disabled_loop_is_blocked_until_it_is_enabled(loop):
    loop.enable(False)
    assert loop.blocked == "disabled; call ~/enable"
    assert loop.blocked.code is HoldCode.DISABLED
    loop.enable(True)
    assert loop.blocked == ""


def test_a_stopped_loop_is_blocked_until_it_is_reset(loop):
    loop.stop()
    loop.enable(True)
    assert loop.blocked == "stopped by ~/stop; call ~/reset to let it move again"
    assert loop.blocked.code is HoldCode.STOP_SERVICE
    assert loop.reset() == "it was stopped by ~/stop"
    assert loop.blocked == ""
    assert loop.reset() == ""
