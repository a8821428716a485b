"""When a gripper is told something and when not: by the pilot, through the sinks of topics."""

import numpy as np
import pytest
import yaml
from plans import HOME, plan

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION
from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.paths import config_dir
from vlm_robot_ros.robot.loader import load_robot, parse_robot
from vlm_robot_ros.ros.command_publisher import CommandPublisher
from vlm_robot_ros.runtime.chunk_executor import ChunkExecutor
from vlm_robot_ros.runtime.control_loop import ControlLoop
from vlm_robot_ros.runtime.execution_settings import ExecutionSettings
from vlm_robot_ros.runtime.stream_monitor import StreamMonitor

ROBOT = load_robot("panda_sim")
PERIOD = 0.02
KINDS = ("joint_trajectory", "gripper_trajectory", "gripper_positions", "joint_state")


class Kept(list):
    """What was published."""

    publish = list.append


class Bench:
    """An output, an arm that stands, and what its sinks are told."""

    def __init__(self):
        content = yaml.safe_load((config_dir() / "arms" / "panda_sim.yaml").read_text())
        content["sinks"] = [{"kind": kind, "topic": kind} for kind in KINDS]
        self.robot = parse_robot(content)
        self.told = {kind: Kept() for kind in KINDS}
        self.loop = ControlLoop(self.robot, PERIOD, sinks=KINDS)
        self.output = CommandPublisher(
            self.robot, PERIOD, lambda _, topic: self.told[topic], False, self.loop,
            lambda: self.now,
        )  # fmt: skip
        self.joints, self.now = np.array(self.robot.home), 100.0
        self._pose = transform_to_pose7(Kinematics(self.robot).forward(self.joints))

    def send(self, gripper, hold="", stops=False, ticks=1):
        for _ in range(ticks):
            command = ActionCommand(ActionMode.END_EFFECTOR_POSE, self._pose, gripper, self.now,
                1.0,
                              hold, EMPTY_INSTRUCTION, stops)  # fmt: skip
            state = RobotState(self.now, self.joints, 1.0)
            self.output.publish(self.loop.execute(self.now, command, state, []), self.now)
            self.now += PERIOD

    def gripper_paths(self):
        """Where the fingers were sent, by paths [m]."""
        return [message.points[-1].positions[0] for message in self.told["gripper_trajectory"]]


@pytest.fixture
def bench():
    return Bench()


def test_fingers_of_an_arm_that_stands_long_are_stopped(bench):
    bench.send(0.0, ticks=5)
    bench.send(0.0, "front camera: 0.6 s old", ticks=30)  # fingers go on, the arm is told no more
    counts = {kind: len(kept) for kind, kept in bench.told.items()}
    assert bench.gripper_paths() == [0.0]
    bench.send(0.6, "stopped by 'stop'", stops=True, ticks=9)
    assert len(bench.told["gripper_positions"]) == counts["gripper_positions"] + 1
    assert bench.gripper_paths() == [0.0, pytest.approx(0.024)]
    assert bench.told["gripper_positions"][-1].data[0] == pytest.approx(0.024)
    assert bench.told["joint_state"][-1].position[-1] == pytest.approx(0.024)
    assert list(bench.told["joint_state"][-1].position[:-1]) == pytest.approx(
        bench.joints.tolist()
    )
    assert len(bench.told["joint_trajectory"]) == counts["joint_trajectory"]  # the arm rests


def test_an_arm_that_was_told_nothing_yet_is_told_nothing_by_a_stop(bench):
    for reason in ("waiting for an instruction", "stopped by 'stop'", "disabled; call ~/enable"):
        bench.send(0.7, reason, stops=True, ticks=20)
    assert not any(bench.told.values())


def test_what_was_stopped_is_told_anew_when_the_arm_acts_again(bench):
    bench.send(0.0, ticks=5)
    bench.send(0.0, "the policy does not answer", stops=True, ticks=5)
    assert bench.gripper_paths() == [0.0]
    bench.send(0.0, ticks=5)
    assert bench.gripper_paths() == [0.0, 0.0]


def test_other_words_tell_the_gripper_anew_but_not_before_there_is_a_plan(bench):
    bench.send(0.0, ticks=5)
    bench.output.resend_gripper()  # somebody has opened it by hand, and asks for something else
    bench.send(0.0, "waiting for a plan", ticks=5)
    bench.send(0.0, "stopped by 'stop'", stops=True, ticks=5)
    assert bench.gripper_paths() == [0.0]
    bench.send(1.0, ticks=5)
    assert bench.gripper_paths() == [0.0, pytest.approx(0.04)]
    bench.output.resend_gripper()
    bench.send(1.0, ticks=5)
    assert len(bench.gripper_paths()) == 3


@pytest.fixture
def watch():
    return StreamMonitor("front camera", 0.5, 30.0)


@pytest.fixture
def pilot(watch):
    return ChunkExecutor(ROBOT, [watch], period=PERIOD, settings=ExecutionSettings(blend=0.1))


def tick(pilot, now, opening):
    return pilot.step(now, np.array(ROBOT.home), HOME, opening)


@pytest.mark.parametrize("why", ["stop", "disabled", "stale"])
def test_fingers_in_motion_stop_at_a_stop_and_go_on_at_other_holds(pilot, watch, why):
    watch.on_message(1.0)
    said = pilot.set_instruction("pick up the cube", 1.0)
    pilot.set_chunk(plan([0.58, 0, 0.3]), said.number, 1.0, 1.0)  # which closes them
    for number in range(15):
        command = tick(pilot, 1.0 + 0.02 * number, opening=1.0 - 0.02 * number)
        assert (command.gripper, command.is_stop) == (0.0, False)
    if why == "stop":
        pilot.set_instruction("stop", 1.3)
    now = 9.0 if why == "stale" else 1.3
    hold = "disabled" if why == "disabled" else ""
    for _ in range(3):
        held = pilot.step(now, np.array(ROBOT.home), HOME, 0.7, hold)
        assert held.hold_reason
        stops = why != "stale"
        assert (held.gripper, held.is_stop) == ((0.7, True) if stops else (0.0, False))
        now += 0.02


def test_fingers_that_begin_to_move_after_a_stop_stop_too(pilot, watch):
    watch.on_message(1.0)
    said = pilot.set_instruction("close the gripper", 1.0)
    pilot.set_chunk(plan([0.58, 0, 0.3]), said.number, 1.0, 1.0)
    assert tick(pilot, 1.0, opening=1.0).gripper == 0.0
    pilot.set_instruction("stop", 1.02)
    assert tick(pilot, 1.02, opening=1.0).gripper == 0.0  # they have not heard it yet
    assert tick(pilot, 1.2, opening=0.9).gripper == 0.9
    for _ in range(3):  # a clock that stands
        pilot.set_instruction("stop", 1.2)
    pilot.set_instruction("", 1.2)
    assert tick(pilot, 1.22, opening=0.88).is_stop


def test_what_is_gripped_is_not_let_go_by_a_stop(pilot, watch):
    watch.on_message(1.0)
    said = pilot.set_instruction("pick up the cube", 1.0)
    pilot.set_chunk(plan([0.58, 0, 0.3]), said.number, 1.0, 1.0)
    for number in range(16):
        tick(pilot, 1.0 + 0.02 * number, opening=0.4)  # around something
    pilot.set_instruction("stop", 1.3)
    held = tick(pilot, 1.3, opening=0.39)
    assert (held.gripper, held.is_stop) == (0.0, True)
