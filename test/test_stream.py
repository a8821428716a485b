"""Setpoints: within all limits whatever is wanted, close to it where that can be."""

import itertools

import numpy as np
import pytest

from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.motion.target_tracker import TargetTracker
from vlm_robot_ros.robot.loader import load_robot

ROBOT = load_robot("panda_sim")
HOME = np.array(ROBOT.home)
PERIOD = 0.02


@pytest.fixture
def stream():
    made = TargetTracker(ROBOT, PERIOD)
    made.start(HOME)
    return made


def _assert_within_limits(setpoints):
    for now in setpoints:
        assert np.all(np.abs(now.velocity) <= ROBOT.velocity + 1e-9)
        assert np.all(np.abs(now.acceleration) <= ROBOT.acceleration + 1e-9)
        assert np.all(now.position >= ROBOT.lower)
        assert np.all(now.position <= ROBOT.upper)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_wanted_no_limit_is_passed(stream, seed):
    rng = np.random.default_rng(seed)
    setpoints = []
    for number in range(600):
        if number % 7 == 0:
            wanted = rng.uniform(ROBOT.lower - 1, ROBOT.upper + 1)
        brakes = rng.random() < 0.1
        setpoints.append(stream.brake() if brakes else stream.step_to_joints(wanted))
    _assert_within_limits(setpoints)
    # Positions, velocities and accelerations belong together: nothing jumps in between.
    for before, after in itertools.pairwise(setpoints):
        way = after.position - before.position
        assert np.all(np.abs(way) <= ROBOT.velocity * PERIOD + 1e-9)
        change = after.velocity - before.velocity
        assert np.all(np.abs(change) <= ROBOT.acceleration * PERIOD + 1e-9)


def test_a_far_goal_is_reached_without_passing_it(stream):
    goal = HOME + np.array([1.0, 0, 0, 0, 0, 0, 0])
    places = [stream.step_to_joints(goal).position[0] for _ in range(150)]
    assert max(places) <= goal[0] + 1e-6
    assert places[-1] == pytest.approx(goal[0], abs=1e-3)


def test_a_tool_that_moves_is_followed_closely(stream):
    kinematics = Kinematics(ROBOT)
    pose = transform_to_pose7(kinematics.forward(HOME))
    misses, setpoints = [], []
    for number in range(200):
        wanted = pose.copy()
        wanted[1] += 0.1 * np.sin(2 * number * PERIOD)
        setpoints.append(stream.step_to_pose(wanted))
        tool = kinematics.forward(setpoints[-1].position)[:3, 3]
        misses.append(np.linalg.norm(tool - wanted[:3]))
    _assert_within_limits(setpoints)
    assert max(misses[20:]) < 0.001


@pytest.mark.parametrize("axis", range(3))
def test_a_tool_goes_straight_to_a_pose_and_not_past_it(stream, axis):
    kinematics = Kinematics(ROBOT)
    start = transform_to_pose7(kinematics.forward(HOME))
    goal = start - 0.15 * np.eye(7)[axis]
    setpoints = [stream.step_to_pose(goal) for _ in range(100)]
    _assert_within_limits(setpoints)
    way = np.array([kinematics.forward(each.position)[:3, 3] for each in setpoints]) - start[:3]
    assert way[-1] == pytest.approx(goal[:3] - start[:3], abs=5e-4)
    assert np.min(way[:, axis]) > -0.151
    assert np.max(np.abs(np.delete(way, axis, axis=1))) < 0.005


@pytest.mark.parametrize(("arm", "most"), [("panda", 0.045), ("ur5e", 0.03), ("sawyer", 0.05)])
def test_a_posture_that_is_nearly_singular_is_passed_closely(arm, most):
    """Close to the base joints turn fast, and have to stop: a tool once swung 0.17 m wide."""
    robot = load_robot(f"{arm}_sim")
    made, home = TargetTracker(robot, PERIOD), np.array(robot.home)
    made.start(home)
    pose = transform_to_pose7(made.kinematics.forward(home))
    corners = np.array(
        [pose[:3], [0.34, 0.12, 0.1], [0.33, 0.12, 0.03], [0.36, 0.1, 0.05], [0.6, 0.05, 0.14]]
    )
    for start, end in itertools.pairwise(corners):
        for part in np.linspace(0.0, 1.0, int(np.linalg.norm(end - start) / 0.25 / PERIOD)):
            pose[:3] = start + (end - start) * (3.0 - 2.0 * part) * part**2
            tool = made.kinematics.forward(made.step_to_pose(pose).position)[:3, 3]
            assert np.linalg.norm(tool - pose[:3]) < most


def test_a_pose_out_of_reach_is_approached_within_the_limits(stream):
    pose = transform_to_pose7(Kinematics(ROBOT).forward(HOME))
    pose[:3] = (1.5, 0.0, 0.5)
    setpoints = [stream.step_to_pose(pose) for _ in range(300)]
    _assert_within_limits(setpoints)
    assert np.all(np.isfinite(setpoints[-1].position))


def test_braking_ends_at_rest_where_rest_says(stream):
    goal = HOME + 0.8
    for _ in range(15):
        stream.step_to_joints(goal)
    assert np.max(np.abs(stream.setpoint.velocity)) > 0.3
    duration, (*_, place) = stream.stop_preview()
    last = [stream.brake() for _ in range(int(duration / PERIOD) + 2)][-1]
    assert np.allclose(last.velocity, 0.0, atol=1e-9)
    assert last.position == pytest.approx(place, abs=1e-6)


def test_looking_ahead_is_what_comes_and_changes_nothing(stream):
    goals = [HOME + 0.1 * number for number in range(1, 6)]
    before = stream.setpoint
    path = stream.preview(goals, poses=False)
    assert np.array_equal(stream.setpoint.position, before.position)
    for goal, foreseen in zip(goals, path.setpoints, strict=True):
        assert stream.step_to_joints(goal).position == pytest.approx(foreseen.position)
    assert not np.any(path.end.velocity)
