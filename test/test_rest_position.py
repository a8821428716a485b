"""An arm that is measured where it cannot be is not moved from there; one that was moved is."""

from dataclasses import replace

import numpy as np
import pytest

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION
from vlm_robot_ros.motion.motion_controller import MotionController
from vlm_robot_ros.robot.loader import load_robot

REAL, SIMULATED = load_robot("fr3"), load_robot("panda_sim")
PERIOD, SECOND = 0.02, np.eye(7)[1]


class Bench:
    """A driver, and an arm that follows what it is sent 0.06 s late."""

    def __init__(self, robot=REAL, trajectories=True, rate=50.0):
        self.robot = replace(robot, joint_state_rate=rate)
        self.driver = MotionController(self.robot, PERIOD, trajectories=trajectories)
        self.home, self.now, self.every = np.array(robot.home), 1.0, round(50.0 / rate)
        self.sent = self.drive = None
        self.state, self.measured_at, self.ticks = self.home, 1.0, 0

    def place(self, time):
        """Return where the arm is: its controller executes the last trajectory."""
        return self.home if self.sent is None else self.sent.at(time).position

    def tick(self, goal=None, joints=None, measured=True):
        """Drive once towards a goal, or hold; joint states may be missing, or false."""
        self.now, self.ticks = self.now + PERIOD, self.ticks + 1
        if measured and self.ticks % self.every == 0:
            self.state = self.place(self.now - 0.06) if joints is None else joints
            self.measured_at = self.now
        hold = "" if goal is not None else "waiting for an instruction"
        goal = self.home if goal is None else goal
        command = ActionCommand(
            ActionMode.JOINT_POSITION, goal, 1.0, self.now, 1.0, hold, EMPTY_INSTRUCTION
        )
        ahead = [] if hold else [goal] * self.driver.ahead
        drive = self.driver.update(self.now, command, ahead, self.state, self.measured_at)
        if drive is not None:
            self.drive, self.sent = drive, drive.sent_trajectory()
        return drive

    def run(self, seconds, *arguments, **options):
        return [self.tick(*arguments, **options) for _ in range(round(seconds / PERIOD))]

    def first_sent(self, goal, **options):
        """Drive until something is sent; returns it."""
        sent = (self.tick(goal, **options) for _ in range(50))
        return next(drive for drive in sent if drive is not None)

    def moved_and_stopped(self):
        """Let it go somewhere, and hold until nothing more is sent."""
        self.run(2.0, self.home + 0.3 * SECOND)
        assert not self.driver.tripped
        assert self.run(1.0)[-1] is None
        return self.place(self.now)


@pytest.mark.parametrize("jump", [0.2, 0.5, -1.0])
@pytest.mark.parametrize("by_path", [True, False])
def test_a_real_arm_whose_positions_jumped_is_not_moved_from_there(jump, by_path):
    bench = Bench(trajectories=by_path)
    false = bench.moved_and_stopped() + jump * SECOND
    bench.tick(joints=false)
    assert bench.run(0.5, bench.home, joints=false) == [None] * 25
    assert "in the joint state 0.02 s before" in bench.driver.tripped
    assert "more than one publisher" in bench.driver.tripped


def test_after_a_reset_it_is_led_there_as_slowly_as_the_distance_needs():
    bench = Bench()
    place = bench.moved_and_stopped()
    false = place - 0.5 * SECOND
    bench.run(0.5, joints=false)
    bench.driver.reset()
    drive = bench.first_sent(false, joints=false)
    times = [0.0, drive.first_offset]
    assert drive.preview.setpoints[0].position == pytest.approx(false)
    # A cubic from the true place, as a controller would go there.
    assert 6 * 0.5 / times[1] ** 2 <= REAL.acceleration[1]
    assert 1.5 * 0.5 / times[1] <= REAL.velocity[1]


def test_what_is_on_its_way_there_is_not_called_back_in_a_leap():
    bench = Bench()
    place = bench.moved_and_stopped()
    false = place - 0.5 * SECOND
    bench.run(0.5, joints=false)
    bench.driver.reset()
    first = bench.first_sent(false, joints=false).first_offset
    bench.driver.reset()  # others may move it: it begins again while its controller is underway
    bench.run(0.1, joints=false)
    again = bench.first_sent(false, joints=false).first_offset
    assert again >= first - 1e-9


def test_positions_that_jump_after_the_first_trajectory_are_noticed_too():
    bench = Bench()
    bench.run(0.06, bench.home)
    assert bench.drive is not None
    false = bench.home + 0.5 * SECOND
    bench.run(0.5)
    bench.run(0.5, joints=false)
    assert "more than one publisher" in bench.driver.tripped


@pytest.mark.parametrize("rate", [5.0, 10.0, 50.0])
@pytest.mark.parametrize("gap", [0.1, 0.2, 0.28])
def test_an_arm_in_motion_may_miss_joint_states(rate, gap):
    bench = Bench(rate=rate)
    bench.run(0.5, bench.home + 0.6 * SECOND)
    bench.run(gap, bench.home + 0.6 * SECOND, measured=False)
    bench.run(2.0, bench.home + 0.6 * SECOND)
    assert not bench.driver.tripped
    assert bench.place(bench.now)[1] == pytest.approx(bench.home[1] + 0.6, abs=0.02)


def test_an_arm_that_somebody_moves_is_gone_on_with_from_there():
    bench = Bench()
    place = bench.moved_and_stopped()
    for part in np.linspace(0.0, 1.0, 100):
        bench.tick(joints=place + part * 0.8 * SECOND)
    there = place + 0.8 * SECOND
    drive = bench.first_sent(there, joints=there)
    assert not bench.driver.tripped
    assert drive.preview.setpoints[0].position == pytest.approx(there)
    assert 6 * 0.8 / drive.first_offset**2 <= REAL.acceleration[1], (
        "its controller may not have moved"
    )


def test_an_arm_that_is_moved_while_the_node_is_inactive_is_gone_on_with():
    bench = Bench()
    there = bench.moved_and_stopped() + 0.4 * SECOND
    bench.now += 10.0
    bench.driver.restart()
    drive = bench.first_sent(there, joints=there)
    assert not bench.driver.tripped
    assert 6 * 0.4 / drive.first_offset**2 <= REAL.acceleration[1]


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.5, 2.0])
def test_a_simulated_arm_may_be_put_elsewhere_once_it_stands(seconds):
    bench = Bench(SIMULATED)
    bench.run(2.0, bench.home + 0.3 * SECOND)
    bench.run(seconds)
    bench.sent = None  # its controller begins again, too
    bench.run(0.5, measured=False)  # states that jump do not count so long
    bench.run(0.5)
    assert not bench.driver.tripped
    assert bench.first_sent(bench.home).first_offset < 0.6


def test_a_simulated_arm_in_motion_is_not_put_elsewhere():
    bench = Bench(SIMULATED)
    bench.run(0.5, bench.home + 0.6 * SECOND)
    bench.run(0.5, measured=False)
    bench.run(1.0, joints=bench.home - 0.8 * SECOND)
    assert "does not follow" in bench.driver.tripped


def test_a_clock_that_is_set_back_begins_again():
    bench = Bench(SIMULATED)
    bench.moved_and_stopped()
    bench.now, bench.measured_at, bench.sent = 0.5, 0.5, None
    bench.run(0.5)
    assert not bench.driver.tripped


def test_what_was_not_sent_is_not_where_the_arm_ends():
    bench = Bench()
    bench.run(1.0, bench.home + 0.1 * SECOND)
    last = bench.sent
    for _ in range(60):
        bench.now += PERIOD
        goal = bench.home + 0.6 * SECOND
        command = ActionCommand(
            ActionMode.JOINT_POSITION, goal, 1.0, bench.now, 1.0, "", EMPTY_INSTRUCTION
        )
        joints = last.at(bench.now - 0.06).position
        ahead = [goal] * bench.driver.ahead
        if bench.driver.update(bench.now, command, ahead, joints, bench.now) is None:
            break
        bench.driver.skip_tick()
    rest = bench.driver._rest.sent
    assert rest.end == pytest.approx(last.at(last.end).position)
    assert rest.expected == pytest.approx(rest.end)
