"""The first question to a policy of a server: what is wrong is said before anything moves."""

import numpy as np
import pytest
from plans import plan

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.policy import HoldPolicy
from vlm_robot_ros.nodes.policy_start_check import first_answer_problem
from vlm_robot_ros.policies.image_monitor import ImageGuard
from vlm_robot_ros.robot.loader import load_robot

ROBOT = load_robot("panda_sim")
BOTH = load_robot("two_ur5e_sim", several_arms=True)


class _Answers(HoldPolicy):
    """Goes home, or answers what a test says."""

    def __init__(self, robot, change=lambda chunk: chunk):
        self.cameras = tuple(camera.name for camera in robot.colour_cameras)
        self.robot, self.change = robot, change

    def infer(self, observation):
        assert set(observation.images) == set(self.cameras)
        chunks = {
            arm.arm: plan(
                [0.5, 0, 0.3], mode=ActionMode.JOINT_POSITION, values=np.tile(arm.home, (8, 1))
            )
            for arm in self.robot.arms
        }
        first = chunks.pop(self.robot.arm)
        first.others.update(chunks)
        return self.change(first)


def _fail(chunk):
    raise ConnectionError("no server")


def _in_degrees(chunk):
    chunk.values[:] = np.rad2deg(chunk.values)
    return chunk


def _far_away(chunk):
    return plan([0, 0, 0], values=np.tile([2.0, 0, 1, 1, 0, 0, 0], (8, 1)))


def _other_in_degrees(chunk):
    _in_degrees(chunk.others["right"])
    return chunk


def _without_other(chunk):
    del chunk.others["right"]
    return chunk


@pytest.mark.parametrize("robot", [ROBOT, BOTH], ids=lambda robot: robot.name)
def test_a_valid_answer_is_no_problem(robot):
    assert first_answer_problem(ImageGuard(_Answers(robot)), robot) == ""


@pytest.mark.parametrize(
    ("robot", "change", "problem"),
    [
        (ROBOT, _fail, "ConnectionError('no server')"),
        (ROBOT, _in_degrees, "is it in degrees?"),
        (ROBOT, lambda chunk: plan([0.5, 0, 0.3], hold="not now"), "not now"),
        (
            ROBOT,
            lambda chunk: plan([0, 0, 0], values=np.tile([2, 0, 1, 1, 0, 0, 0], (8, 1))),
            " m from where",
        ),
        (ROBOT, lambda chunk: plan([0.5, 0, 0.3], values=np.zeros((8, 6))), "shape (H, 7)"),
        (BOTH, _other_in_degrees, "is it in degrees?"),
        (BOTH, _without_other, "says nothing of the right arm"),
    ],
)
def test_what_would_make_the_arm_hold_is_said(robot, change, problem):
    found = first_answer_problem(ImageGuard(_Answers(robot, change)), robot)
    assert problem in found
