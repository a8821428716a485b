"""The last gate before an arm: it stands when told to, and trips when something cannot be."""

import numpy as np
import pytest

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.motion.limits import limit_violation
from vlm_robot_ros.motion.motion_controller import IDLE_AFTER_S, MotionController
from vlm_robot_ros.robot.loader import load_robot

ROBOT = load_robot("panda_sim")
HOME = np.array(ROBOT.home)
POSE = transform_to_pose7(Kinematics(ROBOT).forward(HOME))
PERIOD = 0.02


class Arm:
    """A driver and an arm that does at once what it is told."""

    def __init__(self):
        self.driver, self.joints, self.now = MotionController(ROBOT, PERIOD), HOME.copy(), 100.0
        self.follows = True

    def tick(self, values=None, mode=ActionMode.END_EFFECTOR_POSE):
        """Let a tick pass; a hold without values. Returns what the arm was told."""
        hold = "" if values is not None else "a hold"
        values = POSE if values is None else values
        command = ActionCommand(mode, values, 1.0, self.now, 1.0, hold, EMPTY_INSTRUCTION)
        drive = self.driver.update(self.now, command, [values] * 3, self.joints)
        self.now += PERIOD
        if drive and self.follows:
            self.joints = drive.preview.setpoints[0].position
        return drive

    def start(self, values, mode=ActionMode.END_EFFECTOR_POSE):
        """Let ticks pass until the arm moves; returns what it was told first."""
        for _ in range(50):
            drive = self.tick(values, mode)
            if drive and np.any(drive.preview.end.position != drive.preview.setpoints[0].position):
                return drive
        raise AssertionError(f"it does not start: {self.driver.waiting}")


@pytest.fixture
def arm():
    made = Arm()
    made.tick()
    return made


@pytest.fixture
def by_path_arm(arm):
    arm.driver = MotionController(ROBOT, PERIOD, trajectories=True)
    return arm


def test_an_arm_that_is_told_nothing_need_not_follow_but_trips_at_limits():
    arm = Arm()
    arm.driver, arm.follows = MotionController(ROBOT, PERIOD, is_commanded=False), False
    for _ in range(100):
        arm.tick(_aside(0.1))
    assert arm.driver.tripped == ""
    arm.joints = arm.joints.copy()
    arm.joints[1] = ROBOT.upper[1] + 0.1
    arm.tick(_aside(0.1))
    assert "outside its limits" in arm.driver.tripped


def _aside(way):
    pose = POSE.copy()
    pose[1] += way
    return pose


def test_it_does_what_is_commanded_and_then_stands(arm):
    for _ in range(60):
        arm.tick(_aside(0.1))
    tool = Kinematics(ROBOT).forward(arm.joints)[:3, 3]
    assert tool == pytest.approx(_aside(0.1)[:3], abs=0.002)
    told = [arm.tick() for _ in range(5)]
    assert not np.any(told[-1].preview.setpoints[0].velocity)


def test_every_path_ends_at_a_stand(arm):
    for _ in range(10):
        drive = arm.tick(_aside(0.2))
        times = [time for time, _ in drive.points()]
        assert np.all(np.diff([0.0, *times]) > 0)
        assert not np.any(drive.points()[-1][1].velocity)
    assert np.any(drive.preview.setpoints[0].velocity), "it should be moving"


def test_who_stands_still_is_told_so_for_a_while_and_then_nothing(arm):
    arm.tick(_aside(0.02))
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
    arm.start(_aside(0.05))
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
        told = arm.tick(_aside(0.05)).preview.setpoints[0].position
        arm.joints = told + 0.02
    while drive := arm.tick():
        told = drive.preview.setpoints[0].position
        arm.joints = told + 0.02
    for _ in range(60):
        arm.tick()
    assert arm.tick(_aside(0.05)).preview.setpoints[0].position == pytest.approx(told, abs=2e-3)


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


def test_an_arm_that_does_not_follow_trips_until_it_is_reset(arm):
    arm.follows = False
    for _ in range(int(4.0 / PERIOD)):
        arm.tick(_aside(0.2))
    assert "does not follow: for 0.5 s panda_joint" in arm.driver.tripped
    arm.follows = True
    for _ in range(60):
        drive = arm.tick(_aside(0.2))
    assert drive is None, "a tripped arm must not be told anything but to stand"
    arm.driver.reset()
    arm.joints = HOME
    assert arm.tick(_aside(0.1)) is not None
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
        arm.tick(_aside(0.04))
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


def test_after_a_gap_it_does_not_go_on_at_speed(arm):
    for _ in range(20):
        arm.tick(_aside(0.3))
    arm.now += 1.0  # the path has ended in a stand meanwhile
    assert arm.tick(_aside(0.3)) is None, "it must be seen to stand first"
    drive = arm.start(_aside(0.3))
    reach = ROBOT.acceleration * PERIOD
    assert np.all(np.abs(drive.preview.setpoints[0].velocity) <= reach + 1e-9)


def test_numbers_that_are_not_finite_never_get_through(arm):
    command = ActionCommand(
        ActionMode.JOINT_POSITION, np.full(7, np.nan), 1.0, 0.0, 1.0, "", EMPTY_INSTRUCTION
    )
    drive = arm.driver.update(arm.now, command, [], arm.joints)
    assert arm.driver.tripped
    assert drive is None or np.all(np.isfinite(drive.preview.setpoints[0].position))


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
    told += [arm.start(_aside(0.3)).preview.setpoints[0].velocity]
    for _ in range(19):
        told += [arm.tick(_aside(0.3)).preview.setpoints[0].velocity]
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
        arm.start(_aside(0.05))
        while arm.tick() is not None:
            pass
    goal = _aside(0.05 * motion)
    arm.follows = False
    arm.start(goal)
    arm.driver.skip_tick()
    arm.follows = True
    arm.start(goal)
    assert arm.driver.tripped == ""


def test_an_arm_that_is_moved_while_it_is_to_start_does_not_start():
    arm = Arm()
    arm.driver = MotionController(ROBOT, PERIOD, trajectories=True)
    while arm.tick(_aside(0.05)) is None:
        pass  # what it is sent now leads the controller to the begin
    arm.joints = arm.joints + 0.1
    told = [arm.tick(_aside(0.05)) for _ in range(12)]
    assert not any(told[:9]), "it must be seen to stand first"
    for drive in filter(None, told):
        assert drive.preview.end.position == pytest.approx(arm.joints, abs=1e-6)
