"""Things that are pushed: from where, how far, and why not."""

import numpy as np
import pytest

from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.kinematics.kinematics import downward_pose
from vlm_robot_ros.manipulation.geometry import GraspError, ObjectGeometry, box_overlap, plan_grasp
from vlm_robot_ros.manipulation.push_task import LEAST_PUSH_M, PUSH_M, PushTask, free_push
from vlm_robot_ros.manipulation.transfer import TransferAction
from vlm_robot_ros.manipulation.transfer_task import TransferTask
from vlm_robot_ros.robot.config import Workspace

BOX = ObjectGeometry(np.array([0.5, 0.0, 0.0]), np.array([0.06, 0.04, 0.1]))
LEFT, AWAY = (0.0, 1.0), (1.0, 0.0)


def block(x, y, side=0.05, height=0.1):
    return ObjectGeometry(np.array([x, y, 0.0]), np.array([side, side, height]))


def seen(place, opening=1.0):
    return Observation({}, downward_pose(np.array(place), 0.0), opening, "")


def shut(task, place, times=3):
    closed = TransferAction(np.zeros(3), np.zeros(1), np.zeros(1))
    for _ in range(times):
        task.commanded(closed)
        task.state(seen(place, 0.01))


def test_the_fingers_come_down_behind_it_and_end_where_it_is_to_be():
    task = PushTask(BOX, None, way=LEFT)
    assert task.grasp.point[1] < -0.02 - 0.01
    assert task.goal[1] == pytest.approx(PUSH_M - 0.02 - 0.01)
    assert 0.0 < task.grasp.point[2] < 0.05
    assert abs(task.grasp.yaw) == pytest.approx(np.pi / 2), "they close across the way"
    assert not task.keeps


def test_the_tool_stays_above_it_until_it_is_behind_it():
    task = PushTask(BOX, None, way=LEFT)
    task.state(seen([0.5, 0.2, 0.3]))
    assert task.aim[2] > BOX.top
    behind = np.add(task.grasp.point, [0.0, 0.0, 0.1])
    for _ in range(2):
        task.state(Observation({}, downward_pose(behind, task.grasp.yaw), 1.0, ""))
    assert task.aim[2] == task.grasp.point[2]


def test_closed_fingers_push_and_open_ones_are_done():
    task = PushTask(BOX, None, way=LEFT)
    shut(task, task.grasp.point)
    assert task.held
    assert task.pace < 1.0
    task.commanded(TransferAction(np.zeros(3), np.zeros(1), np.ones(1)))
    task.state(seen(task.goal))
    assert task.placed
    assert not task.held
    np.testing.assert_allclose(task.expected, [0.5, PUSH_M, 0.0])


def test_it_goes_as_far_as_is_free():
    def free(*others):
        return free_push(BOX, others, np.array(LEFT), np.pi / 2)

    assert free() == pytest.approx(PUSH_M)
    assert LEAST_PUSH_M <= free(block(0.5, 0.02 + 0.085 + 0.025)) < PUSH_M
    with pytest.raises(GraspError, match="2 cm are free that way; pushing needs 6 cm"):
        free(block(0.5, 0.02 + 0.035 + 0.025))
    assert free(block(0.68, 0.06)) == pytest.approx(PUSH_M)
    with pytest.raises(GraspError, match="free that way"):
        free(block(0.58, 0.08, height=0.25))  # the hand would meet it


def test_what_stands_on_something_or_in_it_and_what_would_leave_the_workspace_is_not_pushed():
    cabinet = block(0.5, 0.0, 0.4, 0.2)
    high = ObjectGeometry(BOX.base + np.array([0.0, 0.0, 0.2]), BOX.size)
    bowl = ObjectGeometry(BOX.base, np.array([0.16, 0.16, 0.06]), hollow=True)
    for thing, around in ((high, cabinet), (BOX, bowl)):
        with pytest.raises(GraspError, match="I push only what stands on the table"):
            PushTask(thing, None, [around], way=LEFT)
    long = ObjectGeometry(BOX.base, np.array([0.2, 0.05, 0.05]))
    edge = Workspace((0.2, -0.3, 0.0), (0.58, 0.3, 0.5), 0.5)
    with pytest.raises(GraspError, match="out of the workspace"):
        PushTask(long, None, (), edge, way=AWAY)


def test_what_does_not_move_is_a_reason_to_hold():
    task = PushTask(BOX, None, way=LEFT)
    shut(task, task.grasp.point)
    with pytest.raises(GraspError, match="it does not move"):
        shut(task, task.grasp.point, 40)


def test_no_room_behind_it_and_an_end_outside_the_workspace_are_refused():
    with pytest.raises(GraspError, match="no room for the hand"):
        PushTask(BOX, None, [block(0.5, -0.06), block(0.5, -0.12, 0.1)], way=LEFT)
    with pytest.raises(GraspError, match="out of the workspace"):
        PushTask(BOX, None, (), Workspace((0.3, -0.3, 0.0), (0.55, 0.3, 0.5), 0.5), way=AWAY)


def test_boxes_overlap_by_how_deep_they_are_in_each_other():
    other = block(0.5, 0.04, 0.04)
    assert box_overlap(BOX, BOX.base, other) == pytest.approx(0.0, abs=1e-9)
    assert box_overlap(BOX, np.add(BOX.base, [0.0, 0.01, 0.0]), other) == pytest.approx(0.01)
    assert box_overlap(BOX, np.subtract(BOX.base, [0.0, 0.02, 0.0]), other) == pytest.approx(-0.02)
    assert box_overlap(BOX, np.add(BOX.base, [0.0, 0.0, 0.2]), other) == -np.inf


def test_a_rim_of_a_wide_thing_is_not_gripped():
    bowl = ObjectGeometry(np.zeros(3), np.array([0.2, 0.2, 0.08]), hollow=True)
    plan_grasp(bowl)
    wide = ObjectGeometry(np.zeros(3), np.array([0.4, 0.2, 0.1]), hollow=True)
    with pytest.raises(GraspError, match="40 cm wide, and the gripper carries things by their"):
        plan_grasp(wide)


def test_a_tool_that_gets_no_nearer_tries_another_grasp_from_above():
    task = TransferTask(BOX, None)
    first, stuck = task.grasp, np.add(task.grasp.point, [0.05, 0.0, 0.06])
    for _ in range(15):
        state = task.state(seen(stuck))
    assert state.placed[0] == 1.0, "it leaves"
    assert not np.allclose(task.grasp.point, first.point) or task.grasp.yaw != first.yaw
    state = task.state(seen(np.add(stuck, [0.0, 0.0, 0.15])))
    assert state.placed[0] == 0.0


def test_a_tool_that_never_gets_there_is_a_reason_to_hold():
    task, stuck = TransferTask(BOX, None), np.add(BOX.base, [0.05, 0.0, 0.11])

    def try_on():
        for _ in range(400):
            task.state(seen(stuck))

    with pytest.raises(GraspError, match="I have tried 5 times to reach it"):
        try_on()


def test_a_thing_that_was_moved_out_of_reach_is_not_taken_where_it_was():
    wall = ObjectGeometry(np.array([0.5, -0.15, 0.0]), np.array([0.3, 0.02, 0.3]))
    task = PushTask(BOX, None, [wall], way=LEFT)
    moved = ObjectGeometry(BOX.base - np.array([0.0, 0.07, 0.0]), BOX.size)
    with pytest.raises(GraspError, match="no room for the hand"):
        task.see(moved, np.array([0.5, 0.0, 0.6]))
    with pytest.raises(GraspError, match="no room for the hand"):
        task.state(seen([0.5, 0.0, 0.6]))
    task.see(BOX, np.array([0.5, 0.0, 0.6]))
    task.state(seen([0.5, 0.0, 0.6]))


def test_what_is_partly_hidden_does_not_move_and_what_was_hidden_is_measured_anew():
    task = TransferTask(BOX, None)
    half = ObjectGeometry(np.add(BOX.base, [0.03, 0.0, 0.0]), BOX.size * [0.5, 1.0, 1.0])
    for _ in range(7):
        task.see(half, np.array([0.0, 0.0, 0.5]))
    np.testing.assert_allclose(task.target.base, BOX.base)
    task.see(half, np.array([0.0, 0.0, 0.5]))
    np.testing.assert_allclose(task.target.base, half.base, err_msg="it was taken for larger")
    task = TransferTask(half, None)
    task.see(BOX, np.array([0.0, 0.0, 0.5]))
    np.testing.assert_allclose(task.target.size, BOX.size)


def test_the_wrist_is_not_turned_past_a_quarter_turn():
    turned = ObjectGeometry(BOX.base, BOX.size, 0.1)
    task = TransferTask(turned, None)
    pose = downward_pose(np.array([0.5, 0.0, 0.4]), -1.6)
    state = task.state(Observation({}, pose, 1.0, ""))
    assert state.turn[0] > 0.0, "back to 0.1, not on to 0.1 - pi"
