"""An arm that stands while it is commanded to move is told from one that only comes to a stand."""

import numpy as np
import pytest

from vlm_robot_ros.motion.tracking_monitor import StallDetector
from vlm_robot_ros.robot.loader import load_robot

ROBOT = load_robot("panda_sim")


def _stall_problems(robot, lag, offs=()):
    """Return when an arm seems to stall that follows a motion with a lag, but for some times."""
    detector, period = StallDetector(robot.joint_names), 0.02
    home, count = np.array(robot.home), len(robot.joints)
    times = np.arange(0.0, 6.0, period)
    # It moves and stops, over and over, each time quicker.
    way = np.cumsum(0.8 * np.clip(3 * np.sin(2 * np.pi * 0.5 * times * (1 + times / 6)), -1, 1))
    commands = home + 0.5 * period * way[:, None] * np.linspace(0.2, 1.0, count)
    measured, found = home, []
    for number, now in enumerate(times):
        if not any(begin <= now < end for begin, end in offs):
            measured = commands[max(0, number - round(lag / period))]
        if detector.problem(now, commands[number], measured, now):
            found.append(float(now))
            detector.reset()
    return found


@pytest.mark.parametrize("lag", [0.0, 0.02, 0.04, 0.08, 0.12])
def test_an_arm_that_comes_to_a_stand_and_turns_back_does_not_stall(lag):
    assert _stall_problems(ROBOT, lag) == []


@pytest.mark.parametrize("lag", [0.0, 0.02, 0.06])
def test_an_arm_that_is_left_standing_in_motion_stalls_soon(lag):
    first, *_ = _stall_problems(ROBOT, lag, [(1.3, 3.0)])
    assert 1.3 < first < 1.3 + 0.1 + 2 * lag
