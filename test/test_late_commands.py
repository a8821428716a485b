"""What an arm makes of commands that come late, or that it can only follow late."""

import numpy as np
import pytest

from vlm_robot_ros.contract.action import ActionMode
from vlm_robot_ros.contract.kinematics import Kinematics, to_vector
from vlm_robot_ros.contract.load import load_robot
from vlm_robot_ros.control.beat import Beat
from vlm_robot_ros.control.driver import Driver
from vlm_robot_ros.control.instruction import NOTHING_SAID
from vlm_robot_ros.control.pilot import Command
from vlm_robot_ros.sim.controllers import PathFollower, accelerated, joint_path
from vlm_robot_ros.sim.programme import scene_of

ROBOT = load_robot("panda_sim")
HOME = np.array(ROBOT.home)
PERIOD = 0.02
BEGUN = 100.0


def _command(values, now, hold="", mode=ActionMode.JOINT_POSITION):
    return Command(mode, values, 1.0, now, 1.0, hold, NOTHING_SAID)


def _follower(drive, now, joints, speed):
    """What a trajectory controller makes of a drive."""
    points = [(time, each.position, each.velocity) for time, each in drive.points()]
    path = joint_path(ROBOT.joint_names, drive.time, points, ROBOT.joint_names, now)
    return PathFollower(path, now, joints, speed)


@pytest.mark.parametrize("late", [0.0, 0.006, 0.011, 0.019])
@pytest.mark.parametrize("brakes", [False, True])
def test_a_timer_that_is_late_now_and_then_does_not_hurry_the_arm(late, brakes):
    """As a controller plays it: rcl's timers keep their phase, the next tick comes sooner."""
    driver, beat = Driver(ROBOT, PERIOD, by_path=True), Beat(PERIOD)
    calls = [BEGUN + n * PERIOD + (late if n % 10 == 9 else 0.0) for n in range(50)]
    joints, speed, follower, speeds = HOME, np.zeros(7), None, []

    def where(time):
        return HOME + 1.0 * max(time - BEGUN - 0.1, 0.0) * np.eye(7)[0]

    for now in np.arange(BEGUN, BEGUN + 0.98, 0.001):
        if follower:
            joints, speed = follower.at(now)
        while calls and calls[0] <= now + 1e-6:
            due = beat.at(calls.pop(0))
            command = _command(
                where(due + PERIOD), due, "a hold" * (brakes and due > BEGUN + 0.59)
            )
            ahead = [where(due + (2 + number) * PERIOD) for number in range(5)]
            drive = driver.drive(due, command, ahead, joints)
            if drive:
                follower = _follower(drive, now, joints, speed)
        speeds.append(speed[0])
    speeds = speeds[400:]  # by then it has caught up
    fastest, changes = max(speeds), np.abs(np.diff(speeds)) / 0.001
    assert 0.9 < fastest < 1.12
    assert changes.max() < 1.3 * ROBOT.acceleration[0]


@pytest.mark.parametrize("late", [0.0, 0.013, PERIOD])
def test_a_path_that_comes_a_tick_late_is_joined_without_a_jerk(late):
    """What the arm shall do changes from tick to tick, and is forbidden in the end."""
    random, driver, rows = np.random.default_rng(1), Driver(ROBOT, PERIOD, by_path=True), []
    joints, speed, follower, coming = HOME, np.zeros(7), None, []
    for tick in range(100):
        due = BEGUN + tick * PERIOD
        values = HOME + random.uniform(-0.05, 0.05, 7)
        hold = "a hold" if tick > 90 else ""
        drive = driver.drive(due, _command(values, due, hold), [values] * 5, joints)
        assert not driver.tripped
        if drive:
            coming.append((due + late, drive))
        for now in due + np.arange(0.0, PERIOD - 1e-6, 0.001):
            if follower:
                joints, speed = follower.at(now)
            while coming and coming[0][0] <= now + 1e-6:
                follower = _follower(coming.pop(0)[1], now, joints, speed)
            rows.append(speed)
    assert np.abs(rows).max() > 0.5, "it should be moving"
    assert not np.any(rows[-1]), "it should stand in the end"
    accelerations = np.abs(np.diff(rows, axis=0)) / 0.001
    # Between two points the cubic of a controller swings a little.
    assert np.all(accelerations < 1.3 * ROBOT.acceleration)


@pytest.mark.parametrize(("axis", "far"), [(1, 0.2), (2, -0.2)], ids=["aside", "down"])
def test_an_arm_that_follows_late_is_not_driven_past_where_it_is_to_stop(sim, axis, far):
    """Its servos are a tenth of a second behind; what it lags is no reason to hurry."""
    sim.reset(scene_of(0))
    driver, kinematics, way = Driver(ROBOT, PERIOD, by_tool=True), Kinematics(ROBOT), []
    start = to_vector(kinematics.forward(sim.joint_positions))
    goal = start + far * np.eye(7)[axis]
    for _ in range(100):
        drive = driver.drive(
            sim.time,
            _command(goal, sim.time, mode=ActionMode.END_EFFECTOR_POSE),
            [goal] * 5,
            sim.joint_positions,
        )
        sim.command_twist(drive.twist)
        sim.step()
        way.append(float(sim.tool_position[axis] - start[axis]) * np.sign(far))
    assert way[-1] == pytest.approx(0.2, abs=0.004)
    assert max(way) < 0.204


def test_servos_smoothing_keeps_to_accelerations_and_gets_there():
    random = np.random.default_rng(2)
    here, speed, limits, wanted = np.zeros(7), np.zeros(7), ROBOT.acceleration, np.zeros(7)
    for tick in range(200):
        if tick % 7 == 0:
            wanted = here + random.uniform(-0.05, 0.05, 7)
        there = accelerated(here, speed, wanted, limits, PERIOD)
        now = (there - here) / PERIOD
        assert np.all(np.abs(now - speed) <= limits * PERIOD * (1 + 1e-6))
        here, speed = there, now
    for _ in range(100):
        there = accelerated(here, speed, here, limits, PERIOD)
        here, speed = there, (there - here) / PERIOD
    assert not np.any(np.abs(speed) > 1e-9), "it should have come to a stand"
    step = np.full(7, 0.5 * limits.min() * PERIOD**2)
    assert accelerated(here, speed, here + step, limits, PERIOD) == pytest.approx(here + step)
