"""The motion controller starts, moves and stops an arm without a jump."""

import numpy as np
import pytest
from controlled_arm import HOME, PERIOD, ROBOT, Arm, pose_aside, started_arm

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.motion.motion_controller import IDLE_AFTER_S, MotionController


@pytest.fixture
def arm():
    return started_arm()


def test_it_does_what_is_commanded_and_then_stands(arm):
    for _ in range(60):
        arm.tick(pose_aside(0.1))
    tool = Kinematics(ROBOT).forward(arm.joints)[:3, 3]
    assert tool == pytest.approx(pose_aside(0.1)[:3], abs=0.002)
    told = [arm.tick() for _ in range(5)]
    assert not np.any(told[-1].preview.setpoints[0].velocity)


def test_every_path_ends_at_a_stand(arm):
    for _ in range(10):
        drive = arm.tick(pose_aside(0.2))
        times = [time for time, _ in drive.points()]
        assert np.all(np.diff([0.0, *times]) > 0)
        assert not np.any(drive.points()[-1][1].velocity)
    assert np.any(drive.preview.setpoints[0].velocity), "it should be moving"


def test_who_stands_still_is_told_so_for_a_while_and_then_nothing(arm):
    arm.tick(pose_aside(0.02))
    told = [arm.tick() for _ in range(int(IDLE_AFTER_S / PERIOD) + 5)]
    assert told[0] is not None
    assert told[-1] is None


def test_an_arm_that_others_moved_goes_on_from_where_it_is(arm):
    while arm.tick() is not None:
        pass
    arm.joints = HOME + 0.3
    aside = transform_to_pose7(Kinematics(ROBOT).forward(arm.joints + 0.02))
    assert arm.tick(aside) is None
    assert "waiting until the arm stands still: " in arm.driver.waiting
    drive = arm.start(aside)
    assert drive.preview.setpoints[0].position == pytest.approx(HOME + 0.3, abs=0.01)
    assert not arm.driver.tripped


@pytest.mark.parametrize("by_path", [True, False])
def test_an_arm_that_others_moved_a_little_does_not_jump_back(by_path):
    arm = Arm()
    arm.driver = MotionController(ROBOT, PERIOD, trajectories=by_path)
    arm.start(pose_aside(0.05))
    for _ in range(60):
        arm.tick()
    arm.joints = arm.joints + 0.04
    here = arm.joints
    arm.tick()
    drive = arm.start(transform_to_pose7(Kinematics(ROBOT).forward(here + 0.02)))
    assert drive.preview.setpoints[0].position == pytest.approx(here, abs=3e-3)


def test_an_arm_that_droops_where_it_stands_goes_on_from_where_it_was_told_to_be(arm):
    arm.follows = False
    for _ in range(20):
        told = arm.tick(pose_aside(0.05)).preview.setpoints[0].position
        arm.joints = told + 0.02
    while drive := arm.tick():
        told = drive.preview.setpoints[0].position
        arm.joints = told + 0.02
    for _ in range(60):
        arm.tick()
    assert arm.tick(pose_aside(0.05)).preview.setpoints[0].position == pytest.approx(
        told, abs=2e-3
    )


@pytest.mark.parametrize("rate", [50, 250, 500])
def test_a_short_stall_is_no_step_of_speed(rate):
    driver, told, goal = MotionController(ROBOT, 1 / rate), [], HOME + 0.6 * np.eye(7)[0]
    joints, now = HOME, 100.0
    for tick in range(rate // 2):
        late = 0.08 if tick == rate // 3 else 0.0
        now += 1 / rate + late
        command = ActionCommand(
            ActionMode.JOINT_POSITION, goal, 1.0, now, 1.0, "", EMPTY_INSTRUCTION
        )
        told.append(driver.update(now, command, [], joints).preview.setpoints[0])
        joints = told[-1].position
    speeds = np.array([each.velocity for each in told])
    assert np.abs(speeds[rate // 3]).max() > 0.3
    assert np.all(np.abs(np.diff(speeds, axis=0)) <= ROBOT.acceleration / rate + 1e-6)


def test_after_a_gap_it_does_not_go_on_at_speed(arm):
    for _ in range(20):
        arm.tick(pose_aside(0.3))
    arm.now += 1.0  # the path has ended in a stand meanwhile
    assert arm.tick(pose_aside(0.3)) is None, "it must be seen to stand first"
    drive = arm.start(pose_aside(0.3))
    reach = ROBOT.acceleration * PERIOD
    assert np.all(np.abs(drive.preview.setpoints[0].velocity) <= reach + 1e-9)


def test_ticks_that_were_missed_do_not_jerk_an_arm_on_its_path():
    """A busy machine: the node comes late, three ticks at a time."""
    driver, now, joints, told = MotionController(ROBOT, PERIOD, trajectories=True), 100.0, HOME, []

    def where(time):
        return HOME + 0.5 * (time - 100.0) * np.eye(7)[0]

    while now < 101.5:
        values = where(now + PERIOD)
        command = ActionCommand(
            ActionMode.JOINT_POSITION, values, 1.0, now, 1.0, "", EMPTY_INSTRUCTION
        )
        ahead = [where(now + (2 + number) * PERIOD) for number in range(5)]
        if not (drive := driver.update(now, command, ahead, joints)):
            now += PERIOD
            continue
        told.append(drive.preview.setpoints)
        missed = 3 if 101.0 < now < 101.4 else 0
        joints = told[-1][missed].position
        now += (1 + missed) * PERIOD
    assert driver.tripped == ""
    speeds = np.array([setpoints[0].velocity[0] for setpoints in told[25:]])
    assert np.all(np.abs(speeds - 0.5) < 0.02), speeds.round(2)
    assert joints[0] == pytest.approx(where(now)[0], abs=0.01)


def test_a_tick_that_is_missed_in_braking_does_not_jerk_the_arm():
    driver, now = MotionController(ROBOT, PERIOD, trajectories=True), 100.0

    def tick(moves, missed=0):
        nonlocal now
        values = HOME + 1.5 * (now + PERIOD - 100.0) * np.eye(7)[0]
        hold = "" if moves else "a hold"
        command = ActionCommand(
            ActionMode.JOINT_POSITION, values, 1.0, now, 1.0, hold, EMPTY_INSTRUCTION
        )
        drive = driver.update(now, command, [], joints)
        now += (1 + missed) * PERIOD
        return drive and drive.preview

    joints, ticks = HOME, 0
    while ticks < 20:
        if path := tick(moves=True):
            joints, ticks = path.setpoints[0].position, ticks + 1
    before, later, *_ = tick(moves=False, missed=1).setpoints
    joints = later.position
    after = tick(moves=True).setpoints[0]
    assert before.velocity[0] > 0.9
    way, most = (after.position - before.position)[0], 2 * PERIOD * before.velocity[0]
    assert 0.5 * most < way < most


def test_an_arm_that_was_told_nothing_yet_is_not_told_to_stand(arm):
    """Where it was measured may be long ago, and a gripper may have something between its jaws."""
    assert arm.tick() is None
    arm.driver.reset()
    assert arm.tick() is None


def _speeds(arm, ticks):
    """What it is told by a hold, until it is told nothing more."""
    drives = [arm.tick() for _ in range(ticks)]
    return [drive.preview.setpoints[0].velocity for drive in drives if drive]


@pytest.mark.parametrize("by_path", [True, False])
@pytest.mark.parametrize("what", ["reset", "reset of a trip", "clock set back"])
def test_what_happens_in_motion_does_not_stop_the_arm_dead(what, by_path):
    arm, told = Arm(), []
    arm.driver = MotionController(ROBOT, PERIOD, trajectories=by_path)
    told += [arm.start(pose_aside(0.3)).preview.setpoints[0].velocity]
    for _ in range(19):
        told += [arm.tick(pose_aside(0.3)).preview.setpoints[0].velocity]
    sent = arm.driver._sent
    if what == "clock set back":
        arm.now -= 0.03
    else:
        if what == "reset of a trip":
            arm.driver.trip("a trip")
            told += _speeds(arm, 2)
        arm.driver.reset()
        assert arm.driver.tripped == ""
    braking = _speeds(arm, 15)
    if by_path and what == "clock set back":  # a controller ends the trajectory by itself
        assert not braking
        braking = [sent.at(arm.now + tick * PERIOD).velocity for tick in range(-12, 3)]
    told += braking
    most = np.abs(np.diff(told, axis=0)).max(0)
    assert np.all(most <= ROBOT.acceleration * PERIOD + 1e-9)
    assert np.abs(told[20]).max() > 0.2, "it should be braking"
    assert not np.any(told[-1])


@pytest.mark.parametrize("period", [0.2, 0.1, PERIOD, 0.004])
def test_an_arm_starts_at_every_rate_though_it_is_held_for_a_tick_too_long(period):
    """As the node does it: what the driver waits for holds the arm at the next tick."""
    driver, now, wait = MotionController(ROBOT, period, trajectories=True), 100.0, ""
    goal = HOME + 0.1 * np.eye(7)[0]
    for _ in range(max(20, round(1.5 / period))):
        command = ActionCommand(
            ActionMode.JOINT_POSITION, goal, 1.0, now, 1.0, wait, EMPTY_INSTRUCTION
        )
        wait = driver.waiting
        drive = driver.update(now, command, [goal] * driver.ahead, HOME)
        if drive and np.any(drive.preview.end.position != HOME):
            return
        now += period
    raise AssertionError(f"it does not start: {driver.waiting or driver.tripped}")


@pytest.mark.parametrize("motion", [1, 2])
def test_a_first_trajectory_that_is_not_sent_is_tried_again(motion):
    arm = Arm()
    arm.driver = MotionController(ROBOT, PERIOD, trajectories=True)
    for _ in range(motion - 1):
        arm.start(pose_aside(0.05))
        while arm.tick() is not None:
            pass
    goal = pose_aside(0.05 * motion)
    arm.follows = False
    arm.start(goal)
    arm.driver.skip_tick()
    arm.follows = True
    arm.start(goal)
    assert arm.driver.tripped == ""


def test_an_arm_that_is_moved_while_it_is_to_start_does_not_start():
    arm = Arm()
    arm.driver = MotionController(ROBOT, PERIOD, trajectories=True)
    while arm.tick(pose_aside(0.05)) is None:
        pass  # what it is sent now leads the controller to the begin
    arm.joints = arm.joints + 0.1
    told = [arm.tick(pose_aside(0.05)) for _ in range(12)]
    assert not any(told[:9]), "it must be seen to stand first"
    for drive in filter(None, told):
        assert drive.preview.end.position == pytest.approx(arm.joints, abs=1e-6)
