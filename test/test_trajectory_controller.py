"""What joint_trajectory_controller executes of what the node sends; what it refuses."""

import numpy as np
import pytest

from vlm_robot_ros.evaluation.controller_run import ControllerSetup, run_controller
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.joint_trajectory_controller import (
    ControllerSettings,
    JointTrajectoryController,
    parse_trajectory,
)

FR3 = load_robot("fr3")
HOME = np.array(FR3.home)
STEADY = [
    ControllerSetup(
        ControllerSettings(rate=rate, interpolate_from_desired_state=desired), servo_lag=lag
    )
    for rate in (250, 500, 1000)
    for desired in (True, False)
    for lag in (0.0, 0.02)
]


@pytest.mark.parametrize(
    "setup",
    [*STEADY, ControllerSetup(ControllerSettings(velocity_states=False)),
     ControllerSetup(ControllerSettings(delay=0.005, jitter=0.008)), ControllerSetup(period=0.004),
     ControllerSetup(period=0.01, servo_lag=0.05)],
    ids=lambda setup: "-".join(f"{value:g}" for value in (
        setup.controller.rate, setup.controller.interpolate_from_desired_state,
        setup.controller.velocity_states, setup.controller.delay, setup.servo_lag, setup.period)),
)  # fmt: skip
def test_motion_stays_within_limits_however_the_controller_is_set_up(setup):
    made = run_controller(FR3, setup)
    assert made.sent > 300
    assert made.refused == 0
    assert made.reason == ""
    assert 0.3 < made.velocities(FR3).max() <= 1.0
    assert made.accelerations(FR3).max() <= 1.25


@pytest.mark.parametrize("desired", [True, False])
def test_with_an_offset_the_only_jump_is_the_controllers_own(desired):
    """It joins the first trajectory from the measured position, if it is set up so."""
    controller = ControllerSettings(offset=0.01, interpolate_from_desired_state=desired)
    made = run_controller(FR3, ControllerSetup(controller))
    above = np.flatnonzero(made.accelerations(FR3).max(axis=1) > 1.25)
    assert len(above) == (0 if desired else 1)
    assert np.all(above < 5)


@pytest.mark.parametrize("behind", [0.04, 0.1, 0.25, 1.0])
def test_nothing_is_sent_where_the_clock_is_behind_the_controllers(behind):
    made = run_controller(FR3, ControllerSetup(clock_behind=behind, seconds=2.0))
    assert made.sent == 0
    assert f"joint states: stamped {behind:.2f} s ahead of this node's clock" in made.reason


@pytest.mark.parametrize("desired", [True, False])
@pytest.mark.parametrize("ahead", [0.02, 0.06, 0.2])
def test_nothing_jumps_where_the_clock_is_ahead_of_the_controllers(ahead, desired):
    controller = ControllerSettings(interpolate_from_desired_state=desired)
    made = run_controller(FR3, ControllerSetup(controller, clock_behind=-ahead, seconds=3.0))
    assert made.accelerations(FR3).max() <= 1.25
    assert (made.reason == "") == (ahead < 0.05)
    assert (made.sent > 100) == (ahead < 0.05)


def test_slower_execution_is_what_makes_a_controller_jump():
    """Why the node holds where speed scaling is below 100 %: the double shows the fault."""
    made = run_controller(FR3, ControllerSetup(ControllerSettings(speed_scaling=0.5), seconds=3.0))
    assert made.accelerations(FR3).max() > 10.0


def _points(positions, times=(0.1, 0.2)):
    return [(time, np.full(7, position), np.zeros(7)) for time, position in
            zip(times, positions, strict=True)]  # fmt: skip


@pytest.mark.parametrize("desired", [True, False])
def test_a_late_trajectory_is_gone_to_at_once(desired):
    """So a trajectory of before a hold-up must not be sent after it."""
    settings = ControllerSettings(interpolate_from_desired_state=desired)
    controller, names = JointTrajectoryController(settings, np.zeros(7)), list(FR3.joint_names)
    late = parse_trajectory(names, 9.7, _points([0.1, 0.5], (0.1, 0.5)), names, 10.0)
    controller.receive(late)
    assert controller.update(10.0, np.zeros(7), np.zeros(7)).max() > 0.2


def test_joints_may_come_in_another_order():
    names = list(reversed(FR3.joint_names))
    points = [(0.0, np.arange(7.0), np.zeros(7)), (0.1, np.arange(7.0), np.zeros(7))]
    path = parse_trajectory(names, 10.0, points, FR3.joint_names, 10.0)
    assert path.positions[0].tolist() == [6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"names": FR3.joint_names[:6]}, "valid: fr3_joint1"),
        ({"names": [*FR3.joint_names[:6], "joint"]}, "valid: fr3_joint1"),
        ({"points": []}, "without points"),
        ({"points": _points([0.1, 0.2], (0.1, 0.1))}, "that grow"),
        ({"points": [(0.1, np.zeros(6), np.zeros(7))]}, "6 positions at point 0"),
        ({"points": [(0.1, np.zeros(7), np.ones(7))]}, "a last point with velocities"),
        ({"points": [(0.1, np.full(7, np.nan), np.zeros(7))]}, "not finite"),
        ({"stamp": 9.0}, "that ended 0.80 s ago"),
    ],
)
def test_what_the_controller_refuses_is_refused(changes, error):
    given = {"names": FR3.joint_names, "stamp": 10.0, "points": _points([0.1, 0.2]), **changes}
    with pytest.raises(ValueError, match=error):
        parse_trajectory(**given, joints=FR3.joint_names, now=10.0)
    first_at_once = _points([0.1, 0.2], (0.0, 0.2))
    parse_trajectory(FR3.joint_names, 10.0, first_at_once, FR3.joint_names, 10.0)
