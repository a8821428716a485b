"""The motion controller trips when an arm does not follow or leaves its limits."""

import numpy as np
import pytest
from controlled_arm import HOME, PERIOD, POSE, ROBOT, Arm, pose_aside, started_arm

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION
from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.motion.limits import limit_violation
from vlm_robot_ros.motion.motion_controller import MotionController


@pytest.fixture
def arm():
    return started_arm()


@pytest.fixture
def by_path_arm(arm):
    arm.driver = MotionController(ROBOT, PERIOD, trajectories=True)
    return arm


def test_an_arm_that_is_told_nothing_need_not_follow_but_trips_at_limits():
    arm = Arm()
    arm.driver, arm.follows = MotionController(ROBOT, PERIOD, is_commanded=False), False
    for _ in range(100):
        arm.tick(pose_aside(0.1))
    assert arm.driver.tripped == ""
    arm.joints = arm.joints.copy()
    arm.joints[1] = ROBOT.upper[1] + 0.1
    arm.tick(pose_aside(0.1))
    assert "outside its limits" in arm.driver.tripped


def test_an_arm_that_does_not_follow_trips_until_it_is_reset(arm):
    arm.follows = False
    for _ in range(int(4.0 / PERIOD)):
        arm.tick(pose_aside(0.2))
    assert "does not follow: for 0.5 s panda_joint" in arm.driver.tripped
    arm.follows = True
    for _ in range(60):
        drive = arm.tick(pose_aside(0.2))
    assert drive is None, "a tripped arm must not be told anything but to stand"
    arm.driver.reset()
    arm.joints = HOME
    assert arm.tick(pose_aside(0.1)) is not None
    assert not arm.driver.tripped


def test_an_arm_whose_servos_are_late_may_go_fast_for_long(arm):
    """A tenth of a second behind, 0.12 rad for four seconds: that is how servos follow."""
    arm.joints = HOME + (-2.7 - HOME[6]) * np.eye(7)[6]
    arm.driver.reset()
    told = [arm.joints] * 5
    for place in np.arange(-2.7, 2.7, 1.2 * PERIOD):
        goal = HOME.copy()
        goal[6] = place
        arm.follows, arm.joints = False, told[-5]
        drive = arm.tick(goal, ActionMode.JOINT_POSITION)
        told.append(drive.preview.setpoints[0].position)
    assert np.max(np.abs(told[-1] - arm.joints)) > 0.1
    assert not arm.driver.tripped


def test_an_arm_that_nobody_drives_trips_though_little_is_asked(arm):
    arm.follows = False
    for _ in range(int(4.0 / PERIOD)):
        arm.tick(pose_aside(0.04))
    assert "does not follow: for 3.0 s" in arm.driver.tripped


def test_a_joint_outside_its_limits_trips_and_is_named(arm):
    arm.joints = HOME.copy()
    arm.joints[3] = 0.2
    arm.tick(POSE)
    assert "panda_joint4 is at 0.20 rad, outside its limits" in arm.driver.tripped


def test_joint_positions_that_would_take_the_tool_out_of_its_box_trip(arm):
    outside = HOME.copy()
    outside[0] = 1.5
    for _ in range(100):
        arm.tick(outside, ActionMode.JOINT_POSITION)
    assert "leave its workspace" in arm.driver.tripped
    tool = Kinematics(ROBOT).forward(arm.joints)[:3, 3]
    assert np.all(tool <= np.array(ROBOT.workspace.max) + 0.007)
    assert arm.tick(outside, ActionMode.JOINT_POSITION) is None or not np.any(
        arm.driver.update(arm.now, _hold(), [], arm.joints).preview.setpoints[0].velocity
    )


def _hold():
    return ActionCommand(
        ActionMode.END_EFFECTOR_POSE, POSE, 1.0, 0.0, 0.0, "a hold", EMPTY_INSTRUCTION
    )


def test_numbers_that_are_not_finite_never_get_through(arm):
    command = ActionCommand(
        ActionMode.JOINT_POSITION, np.full(7, np.nan), 1.0, 0.0, 1.0, "", EMPTY_INSTRUCTION
    )
    drive = arm.driver.update(arm.now, command, [], arm.joints)
    assert arm.driver.tripped
    assert drive is None or np.all(np.isfinite(drive.preview.setpoints[0].position))


def test_a_tool_that_falls_towards_the_edge_comes_to_a_stand_before_it(arm):
    """Plans end at the edge at full speed: the arm brakes while there is room."""
    floor, lowest = ROBOT.workspace.min[2], 1.0
    pose = POSE.copy()
    for _ in range(150):
        pose[2] = max(floor, pose[2] - ROBOT.workspace.speed * PERIOD)
        drive = arm.tick(pose)
        if drive is None:
            break
        for setpoint in (*drive.preview.setpoints, drive.preview.end):
            tool = Kinematics(ROBOT).forward(setpoint.position)[:3, 3]
            lowest = min(lowest, tool[2])
    assert floor - 0.006 < lowest < floor + 0.03
    assert arm.driver.tripped == ""


def test_no_point_of_a_path_is_outside_the_workspace(by_path_arm):
    """Nor those that are only foreseen: they count when no other path comes."""
    kinematics, box = Kinematics(ROBOT), ROBOT.workspace
    random, worst = np.random.default_rng(4), -1.0
    for tick in range(300):
        if tick % 12 == 0:
            goal = POSE.copy()
            goal[:3] = random.uniform(box.min, box.max)
            goal[2] = box.min[2]
        drive = by_path_arm.tick(goal)
        assert not by_path_arm.driver.tripped
        if drive is None:
            continue
        for _, point in drive.points():
            tool = kinematics.forward(point.position)[:3, 3]
            worst = max(
                worst, float(limit_violation(tool, np.array(box.min), np.array(box.max)).max())
            )
    assert 0.0 < worst < 0.006
