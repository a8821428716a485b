"""The node's motion as a trajectory controller executes it, update by update, without ROS."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.hold import HoldCode, HoldReason
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION
from vlm_robot_ros.motion.motion_controller import MotionController
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.runtime.stream_monitor import MAX_CLOCK_LEAD_S, StreamMonitor
from vlm_robot_ros.sim.joint_trajectory_controller import (
    ControllerSettings,
    JointTrajectoryController,
    parse_trajectory,
)

_START_TIME_S = 1000.0
"""Time of the controller's clock at the begin [s]."""
_TRANSPORT_DELAY_S = 0.002
"""From the node to the controller [s]."""
_LATE_FRACTION = 0.8
"""As the node has it: a trajectory is not sent after this part of `MotionController.committed`."""


@dataclass(frozen=True)
class ControllerSetup:
    """A controller, its hardware, and how the node is connected with it."""

    controller: ControllerSettings = field(default_factory=ControllerSettings)
    servo_lag: float = 0.0
    """Time constant of the servos (first order) [s]."""
    clock_behind: float = 0.0
    """The node's clock behind the controller's [s]."""
    held_up: Callable[[int], float] = lambda tick: 0.0
    """How long the node is held up between a tick, by its number, and sending [s]."""
    period: float = 0.02
    """Of the node's ticks [s]."""
    seconds: float = 8.0
    holds_after: float = np.inf
    """When the node is told to hold [s]."""


@dataclass
class Execution:
    """What a controller did."""

    commands: np.ndarray
    """One per update. Shape (N, J), [rad]."""
    rate: float
    """[Hz]"""
    sent: int = 0
    """Trajectories that the node sent."""
    refused: int = 0
    """Of them, those that the controller refused."""
    reason: str = ""
    """Why the node holds in the end; empty when it moves the arm."""

    def velocities(self, robot: RobotConfig) -> np.ndarray:
        """Return speeds as parts of their limits. Shape (N - 1, J)."""
        return np.abs(np.diff(self.commands, axis=0)) * self.rate / robot.velocity

    def accelerations(self, robot: RobotConfig) -> np.ndarray:
        """Return accelerations as parts of their limits. Shape (N - 2, J)."""
        return np.abs(np.diff(self.commands, 2, axis=0)) * self.rate**2 / robot.acceleration


def sine_motion(robot: RobotConfig) -> Callable[[float], np.ndarray]:
    """Return positions [rad] by time [s]: 0.3 rad about home at 0.3 Hz, in different phases."""
    home, count = np.array(robot.home), len(robot.joints)
    phases = 2 * np.pi * np.arange(count) / count

    def position(time: float) -> np.ndarray:
        return home + 0.3 * np.clip(time / 2, 0, 1) * np.sin(2 * np.pi * 0.3 * time + phases)

    return position


def run_controller(
    robot: RobotConfig, setup: ControllerSetup, motion: Callable[[float], np.ndarray] | None = None
) -> Execution:
    """Let a controller execute what a node sends.

    Args:
        robot: The contract of an arm that stands at home.
        setup: Controller, hardware and connection.
        motion: What is wanted: positions, shape (J,) [rad], by time [s]; `sine_motion` if None.
    """
    motion = motion or sine_motion(robot)
    home, settings, period = np.array(robot.home), setup.controller, setup.period
    controller, step = JointTrajectoryController(settings, home), 1.0 / settings.rate
    driver = MotionController(robot, period, trajectories=True)
    states = StreamMonitor("joint states", robot.joint_state_timeout, 100.0, MAX_CLOCK_LEAD_S)
    measured, velocity, tick = home + settings.offset, np.zeros(len(home)), 0
    inbox: list[tuple[float, float, list]] = []
    commands, made = [], Execution(np.empty(0), settings.rate)
    for number in range(round(setup.seconds * settings.rate)):
        time = number * step
        while time >= tick * period - 1e-9:
            now = _START_TIME_S + tick * period - setup.clock_behind
            states.on_message(_START_TIME_S + tick * period, now)
            if clock := states.clock_problem(now):
                made.reason = clock
                driver.release()
            hold = clock or driver.waiting or "a hold" * (time >= setup.holds_after)
            due = tick * period
            command = ActionCommand(
                ActionMode.JOINT_POSITION,
                motion(due + period),
                1.0,
                now,
                1.0,
                HoldReason.of(hold, HoldCode.UNKNOWN),
                EMPTY_INSTRUCTION,
            )
            ahead = [motion(due + (i + 2) * period) for i in range(driver.ahead)]
            drive = driver.update(now, command, ahead, measured)
            late = setup.held_up(tick)
            if drive is not None and late > _LATE_FRACTION * driver.committed:
                driver.skip_tick()
                made.reason = "trajectories are too late"
            elif drive is not None:
                points = [(after, each.position, each.velocity) for after, each in drive.points()]
                inbox.append((due + late + _TRANSPORT_DELAY_S, drive.time, points))
                made.sent, made.reason = made.sent + 1, ""
            tick += 1
        while inbox and inbox[0][0] <= time + 1e-9:
            _, stamp, points = inbox.pop(0)
            try:
                controller.receive(
                    parse_trajectory(
                        robot.joint_names, stamp, points, robot.joint_names, _START_TIME_S + time
                    )
                )
            except ValueError:
                made.refused += 1
        # The offset is in `measured`, as the node sees it, too.
        command_now = controller.update(_START_TIME_S + time, measured - settings.offset, velocity)
        commands.append(command_now.copy())
        gain = 1.0 if setup.servo_lag <= 0 else 1.0 - np.exp(-step / setup.servo_lag)
        moved = gain * (command_now + settings.offset - measured)
        measured, velocity = measured + moved, moved / step
    made.commands = np.array(commands)
    made.reason = made.reason or driver.tripped
    return made
