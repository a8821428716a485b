"""What an arm makes of commands that come late, or that it can only follow late."""

import numpy as np
import pytest

from vlm_robot_ros.demo.script import sample_seeded_scene
from vlm_robot_ros.evaluation.controller_run import ControllerSetup, run_controller
from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.motion.motion_controller import MotionController
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.joint_trajectory_controller import ControllerSettings
from vlm_robot_ros.sim.moveit_servo import ServoSettings
from vlm_robot_ros.sim.servo_smoothing import limit_acceleration
from vlm_robot_ros.sim.simulator import Simulator

ROBOT, FR3 = load_robot("panda_sim"), load_robot("fr3")
HOME = np.array(ROBOT.home)
PERIOD = 0.02


def _command(values, now, hold="", mode=ActionMode.JOINT_POSITION):
    return ActionCommand(mode, values, 1.0, now, 1.0, hold, EMPTY_INSTRUCTION)


def _accelerations(setup, motion=None):
    """What a controller executes, as parts of the acceleration limits, and what came of it."""
    made = run_controller(FR3, setup, motion)
    assert made.reason == ""
    assert made.sent > 50
    assert made.refused == 0
    assert np.ptp(made.commands[:, 0]) > 0.05, "it should be moving"
    return made.accelerations(FR3), made


@pytest.mark.parametrize("desired", [True, False])
@pytest.mark.parametrize("late", [0.0, 0.011, 0.02, 0.031])
@pytest.mark.parametrize("rate", [50, 250])
def test_trajectories_that_arrive_late_at_random_are_joined_without_a_jump(desired, late, rate):
    """What the arm shall do changes from tick to tick, and is forbidden in the end."""
    controller, period = ControllerSettings(interpolate_from_desired_state=desired), 1 / rate
    late = min(late, 0.025) if rate > 50 else late
    random = np.random.default_rng(1)
    delays = np.where(random.random(1000) < 0.3, late, 0.0)
    goals = np.array(FR3.home) + random.uniform(-0.1, 0.1, (20, 7))
    accelerations, made = _accelerations(
        ControllerSetup(
            controller, held_up=delays.__getitem__, period=period, seconds=3.0, holds_after=2.5
        ),
        lambda time: goals[int(time / 0.2)],
    )
    # Between two setpoints the cubic of a controller swings a little.
    assert accelerations.max() < 1.25
    assert not np.any(np.diff(made.commands[-100:], axis=0)), "it should stand in the end"


@pytest.mark.parametrize("desired", [True, False])
@pytest.mark.parametrize("hold_up", [0.05, 0.1, 0.25, 0.6])
def test_a_node_that_is_held_up_goes_on_without_a_jump(desired, hold_up):
    """What it computed before is not sent after it; a path that is over begins again gently."""
    controller = ControllerSettings(interpolate_from_desired_state=desired)
    first, ticks = 100, round(hold_up / PERIOD)

    def held_up(tick):
        return (first + ticks - tick) * PERIOD if first <= tick < first + ticks else 0.0

    accelerations, made = _accelerations(ControllerSetup(controller, held_up=held_up, seconds=5.0))
    own = 0 if desired else 3  # samples about the jump of a controller that joins by itself
    assert np.sort(accelerations.max(axis=1))[-1 - own * (hold_up > 0.2)] < 1.25
    assert np.ptp(made.commands[-500:, 0]) > 0.05, "it should move again"


@pytest.mark.parametrize(("axis", "far"), [(1, 0.2), (2, -0.2)], ids=["aside", "down"])
@pytest.mark.parametrize(
    ("smoothing", "ticks"), [("acceleration_limited", 110), ("none", 110), ("butterworth", 200)]
)
def test_an_arm_behind_servo_is_brought_to_its_goal_and_not_past_it(axis, far, smoothing, ticks):
    """It is 0.15 s behind; what it lags is no reason to hurry, but what is missing is made up."""
    sim = Simulator(ROBOT, servo=ServoSettings(smoothing=smoothing))
    sim.reset(sample_seeded_scene(0))
    driver, kinematics, way = (
        MotionController(ROBOT, PERIOD, tool_commands=True),
        Kinematics(ROBOT),
        [],
    )
    start = transform_to_pose7(kinematics.forward(sim.joint_positions))
    goal = start + far * np.eye(7)[axis]
    for _ in range(ticks):
        drive = driver.update(
            sim.time,
            _command(goal, sim.time, mode=ActionMode.END_EFFECTOR_POSE),
            [goal] * 5,
            sim.joint_positions,
        )
        sim.servo().switch_command_type("twist")
        sim.servo().receive("twist", sim.time, ROBOT.base_frame, drive.twist)
        sim.step()
        way.append(float(sim.tool_position[axis] - start[axis]) * np.sign(far))
    sim.close()
    assert way[-1] == pytest.approx(0.2, abs=0.005)
    assert max(way) < 0.204


def test_servos_smoothing_keeps_to_accelerations_and_gets_there():
    random = np.random.default_rng(2)
    here, speed, limits, wanted = np.zeros(7), np.zeros(7), ROBOT.acceleration, np.zeros(7)
    for tick in range(200):
        if tick % 7 == 0:
            wanted = here + random.uniform(-0.05, 0.05, 7)
        there = limit_acceleration(here, speed, wanted, limits, PERIOD)
        now = (there - here) / PERIOD
        assert np.all(np.abs(now - speed) <= limits * PERIOD * (1 + 1e-6))
        here, speed = there, now
    for _ in range(100):
        there = limit_acceleration(here, speed, here, limits, PERIOD)
        here, speed = there, (there - here) / PERIOD
    assert not np.any(np.abs(speed) > 1e-9), "it should have come to a stand"
    step = np.full(7, 0.5 * limits.min() * PERIOD**2)
    assert limit_acceleration(here, speed, here + step, limits, PERIOD) == pytest.approx(
        here + step
    )
