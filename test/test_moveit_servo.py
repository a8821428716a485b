"""The simulated MoveIt Servo does what the source of the real one does."""

from dataclasses import replace

import numpy as np
import pytest

from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.moveit_servo import MoveItServo, ServoSettings
from vlm_robot_ros.sim.servo_smoothing import SMOOTHING

ROBOT = load_robot("panda_sim")
KINEMATICS = Kinematics(ROBOT)
HOME, PERIOD = np.array(ROBOT.home), 0.01
UP = np.array([0, 0, 0.05, 0, 0, 0])


def servo(robot=ROBOT, kind="twist", **settings):
    made = MoveItServo(robot, KINEMATICS, ServoSettings(smoothing="none", **settings))
    made.switch_command_type(kind)
    return made


def run(made, values, seconds, begin=0.0, here=HOME, kind="twist"):
    """Send a command every 0.02 s; returns the trajectories and when each is sent."""
    sent = []
    for tick in range(round(seconds / PERIOD)):
        now = begin + tick * PERIOD
        if values is not None and tick % 2 == 0:
            made.receive(kind, now, ROBOT.base_frame, values)
        if trajectory := made.update(now, here, np.zeros(7)):
            sent.append((now, trajectory))
    return sent


def test_it_goes_on_from_the_end_of_what_it_has_sent_a_tenth_of_a_second_ahead():
    sent = run(servo(), UP, 0.5)
    now, last = sent[-1]
    # The newest state of the window is not sent.
    assert last.times[-1] == pytest.approx(now + 0.1 - PERIOD)
    assert last.times[0] == pytest.approx(now - 0.1)
    assert np.all(np.diff(last.times) > 0)
    # The measured arm has not moved, and still the tool's way grows by each twist.
    went = KINEMATICS.forward(last.positions[-1])[2, 3] - KINEMATICS.forward(HOME)[2, 3]
    assert went == pytest.approx(0.05 * 0.48, rel=0.05)


def test_a_stale_command_halts_it():
    made = servo()
    run(made, UP, 0.2)
    sent = run(made, None, 0.3, begin=0.2)
    moving = [now for now, trajectory in sent if np.any(np.abs(trajectory.velocities[-1]) > 1e-3)]
    assert moving
    assert max(moving) < 0.2 + 0.1 + 3 * PERIOD
    made.receive("twist", 0.0, ROBOT.base_frame, UP)  # by its stamp it is old
    assert run(made, None, 0.1, begin=0.5) == []


@pytest.mark.parametrize(("frame", "values"), [("", UP), ("moon", UP),
                                               (ROBOT.base_frame, UP * np.nan)])  # fmt: skip
def test_other_frames_and_numbers_that_are_not_finite_are_refused(frame, values):
    made = servo()
    with pytest.raises(ValueError, match=r"frame '|not finite"):
        made.receive("twist", 0.0, frame, values)
    assert run(made, None, 0.1) == []


def test_it_takes_nothing_before_it_is_told_which_type_comes():
    made = MoveItServo(ROBOT, KINEMATICS, ServoSettings())
    assert run(made, UP, 0.1) == []
    made.switch_command_type("pose")
    assert run(made, UP, 0.1, begin=0.1) == []


@pytest.mark.parametrize(("twist", "speed"), [([0.9, 0, 0, 0, 0, 0], 0.4),
                                              ([0, 0, 0, 0, 0, 1.9], 0.8)])  # fmt: skip
def test_speeds_are_capped_at_its_scales(twist, speed):
    _, last = run(servo(), np.array(twist), 0.1)[-1]
    twists = KINEMATICS.jacobian(HOME) @ last.velocities[-2]
    part = twists[:3] if twist[0] else twists[3:]
    assert np.linalg.norm(part) == pytest.approx(speed, rel=0.05)


def test_near_a_joint_limit_it_halts_all_joints():
    near = list(ROBOT.joints)
    near[3] = replace(near[3], position=(near[3].position[0], HOME[3] + 0.105))
    robot = replace(ROBOT, joints=tuple(near))
    towards = KINEMATICS.jacobian(HOME) @ (0.1 * np.eye(7)[3])
    made = servo(robot)
    sent = run(made, towards, 0.5)
    assert "panda_joint4" in made.status
    assert sent[-1][1].positions[-1] == pytest.approx(sent[-2][1].positions[-1])
    assert sent[-1][1].positions[-1][3] < HOME[3] + 0.01


def test_for_a_pose_the_other_joints_go_on():
    near = list(ROBOT.joints)
    near[3] = replace(near[3], position=(near[3].position[0], HOME[3] + 0.105))
    robot = replace(ROBOT, joints=tuple(near))
    goal = KINEMATICS.forward(HOME + 0.3 * np.eye(7)[3] + 0.3 * np.eye(7)[0])
    made = servo(robot, "pose")
    last = run(made, goal, 0.6, kind="pose")[-1][1]
    assert "panda_joint4" in made.status
    assert last.positions[-1][3] < HOME[3] + 0.01
    assert last.positions[-1][0] > HOME[0] + 0.05


def test_a_command_of_the_type_before_is_dropped():
    made = servo(kind="pose")
    made.receive("pose", 0.0, ROBOT.base_frame, KINEMATICS.forward(HOME))
    made.switch_command_type("twist")
    assert made.update(0.01, HOME, np.zeros(7)) is None


def test_the_smoothing_does_not_follow_what_hardly_changes():
    smoothing = SMOOTHING["acceleration_limited"](ROBOT, PERIOD)
    smoothing.reset(HOME, np.zeros(7))
    positions, velocities = smoothing.apply(HOME + 2e-5, np.full(7, 2e-5))
    assert positions is HOME
    assert not velocities.any()


def test_near_a_singularity_it_slows_down_and_halts():
    bent = HOME.copy()
    bent[3] = -0.12  # the elbow is almost straight
    made = servo()
    sent = run(made, np.array([0.05, 0, 0, 0, 0, 0]), 0.1, here=bent)
    assert "singularity" in made.status
    assert np.abs(sent[-1][1].positions[-1] - bent).max() < 1e-3


def test_a_pose_is_gone_to_no_faster_than_its_scales():
    goal = KINEMATICS.forward(HOME).copy()
    goal[0, 3] += 0.1
    _, last = run(servo(kind="pose"), goal, 0.15, kind="pose")[-1]
    speed = np.linalg.norm((KINEMATICS.jacobian(HOME) @ last.velocities[-2])[:3])
    assert speed == pytest.approx(0.4, rel=0.05)


@pytest.mark.parametrize("name", SMOOTHING)
def test_smoothing_leaves_an_arm_that_stands_where_it_is(name):
    smoothing = SMOOTHING[name](ROBOT, PERIOD)
    smoothing.reset(HOME, np.zeros(7))
    for _ in range(5):
        positions, _ = smoothing.apply(HOME, np.zeros(7))
        assert positions == pytest.approx(HOME)
    for _ in range(200):  # and comes to where it is wanted
        positions, _ = smoothing.apply(HOME + 0.02, np.zeros(7))
    assert positions == pytest.approx(HOME + 0.02, abs=2e-4)
