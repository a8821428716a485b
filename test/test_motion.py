"""Whatever is wanted of it, no arm passes a limit of its joints or its tool, nor has to."""

from dataclasses import replace

import numpy as np
import pytest

from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.motion.target_tracker import TargetTracker
from vlm_robot_ros.robot.loader import load_robot

PERIOD = 0.02
ARMS = ["panda_sim", "fr3", "ur5e", "gen3", "xarm7", "iiwa7", "so101"]


def _robot(arm, onset):
    """Return an arm whose joints take so long to come to their accelerations [s]."""
    robot = load_robot(arm)
    if not onset:
        return robot
    late = tuple(replace(joint, jerk=joint.acceleration / onset) for joint in robot.joints)
    return replace(robot, joints=late)


def _goals(robot, kinematics, poses, random, count):
    """Yield what is wanted at each tick; twice a second it is something else."""
    home, box = np.array(robot.home), robot.workspace
    goal = transform_to_pose7(kinematics.forward(home))
    for tick in range(count):
        if tick % 25 == 0:
            joints = np.clip(home + random.uniform(-1, 1, len(home)), robot.lower, robot.upper)
            goal[:3] = random.uniform(box.min, box.max)
        yield goal if poses else joints


@pytest.mark.parametrize("onset", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("poses", [False, True])
@pytest.mark.parametrize("arm", ARMS)
def test_no_limit_is_passed_whatever_is_wanted(arm, poses, onset):
    robot = _robot(arm, onset)
    kinematics, stream = Kinematics(robot), TargetTracker(robot, PERIOD)
    random, told, brakes = np.random.default_rng(1), [stream.setpoint], 0
    for goal in _goals(robot, kinematics, poses, random, 1000):
        brakes = random.integers(1, 20) if random.random() < 0.01 else brakes - 1
        wanted = stream.step_to_pose if poses else stream.step_to_joints
        told.append(stream.brake() if brakes > 0 else wanted(goal))
    _assert_within_limits(robot, kinematics, told)
    if not onset:
        assert max(map(lambda each: np.abs(each.velocity).max(), told)) > 0.2


def _assert_within_limits(robot, kinematics, told):
    places, speeds, accelerations = (
        np.array([getattr(each, name) for each in told])
        for name in ("position", "velocity", "acceleration")
    )
    assert np.all((places >= robot.lower) & (places <= robot.upper))
    assert np.all(np.abs(speeds) <= robot.velocity + 1e-6)
    assert np.all(np.abs(accelerations) <= robot.acceleration + 1e-6)
    assert np.all(np.abs(np.diff(speeds, axis=0)) <= robot.acceleration * PERIOD + 1e-6)
    assert np.all(np.abs(np.diff(accelerations, axis=0)) <= robot.jerk * PERIOD + 1e-6)
    tool = np.array([kinematics.forward(place)[:3, 3] for place in places])
    fast = np.linalg.norm(np.diff(tool, axis=0), axis=1).max() / PERIOD
    assert fast <= 1.1 * robot.workspace.speed


@pytest.mark.parametrize("onset", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("arm", ["panda_sim", "ur5e", "gen3", "so101"])
def test_no_stand_takes_much_longer_than_it_has_to(arm, onset):
    robot = _robot(arm, onset)
    kinematics, stream = Kinematics(robot), TargetTracker(robot, PERIOD)
    for goal in _goals(robot, kinematics, False, np.random.default_rng(5), 600):
        now = stream.step_to_joints(goal)
        # To end the acceleration that there is, brake, and end that: each joint by itself.
        ends = np.abs(now.acceleration) / robot.jerk
        speed = np.abs(now.velocity + now.acceleration * np.abs(now.acceleration) / 2 / robot.jerk)
        least = ends + np.where(
            speed * robot.jerk > robot.acceleration**2,
            speed / robot.acceleration + robot.acceleration / robot.jerk,
            2 * np.sqrt(speed / robot.jerk),
        )
        assert stream.stop_preview()[0] <= 1.3 * least.max() + 0.02
        assert stream.stop_preview()[0] <= robot.max_stop_time


@pytest.mark.parametrize("arm", ["panda_sim", "gen3"])
def test_at_any_time_it_can_come_to_a_stand_within_the_limits(arm):
    robot = _robot(arm, 0.1)
    kinematics, stream = Kinematics(robot), TargetTracker(robot, PERIOD)
    for number, goal in enumerate(_goals(robot, kinematics, False, np.random.default_rng(2), 300)):
        stream.step_to_joints(goal)
        if number % 5:
            continue
        now, told = stream.setpoint, [stream.setpoint]
        lasts, (*_, place) = stream.stop_preview()
        while np.any(told[-1].velocity):
            told.append(stream.brake())
        assert len(told) <= lasts / PERIOD + 2
        assert told[-1].position == pytest.approx(place, abs=1e-5)
        _assert_within_limits(robot, kinematics, told)
        stream.continue_from(now)
