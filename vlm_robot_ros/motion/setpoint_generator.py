"""Setpoints within all limits of joints and tool, for any wanted joint speeds.

With each setpoint goes an escape: a way to come to a stand from there that keeps to all limits.
The arm goes on to a setpoint only if it has one, and otherwise takes the escape of the one before.
So it can always come to a stand in time. Ruckig (Berscheid and Kroeger, RSS 2021) computes ways.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import ruckig

from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.robot.config import RobotConfig

LIMIT_MARGIN_RAD = 0.005
"""Distance that is kept from the joint limits [rad]; braking may use half of it."""
ACCELERATION_FRACTION = 0.75
"""Fraction of the acceleration limit that motion uses; braking uses all of it."""
_LOOKS, _FEW, _MANY = 0.03, 4, 30
"""Interval at which a stopping trajectory is checked for the tool [s]; shortest and longest."""
_MAX_TRIES = 4
"""How often a lower speed is tried before the arm brakes for its tool."""
_AIM, _BRIEFLY = 0.98, 1.02
"""Parts of a tool's speed that are aimed at, so that it need not brake for every bend, and that it
may have on the mean of a tick."""
_ROUNDING_TOLERANCE = 1e-6
"""Tolerance of the tool's speed [m/s]."""
_MIN_ACCELERATION_FRACTION = 0.01
"""Smallest fraction of its acceleration that a joint gets so that all arrive together."""


@dataclass(frozen=True)
class StopTrajectory:
    """A trajectory on which the arm brakes to a standstill."""

    profile: ruckig.Trajectory
    elapsed: float
    """How much of it is over [s]."""
    positions: np.ndarray
    """Positions evenly spaced in time; the last is the standstill. Shape (N, J), [rad]."""
    max_tool_speed: float
    """Largest speed of the tool on it [m/s]."""

    @property
    def duration(self) -> float:
        """Remaining time [s]."""
        return max(float(self.profile.duration) - self.elapsed, 0.0)


@dataclass(frozen=True)
class Setpoint:
    """State of the joints at one time. Each of shape (J,)."""

    position: np.ndarray
    """[rad]"""
    velocity: np.ndarray
    """[rad/s]"""
    acceleration: np.ndarray
    """[rad/s^2]"""
    stop_trajectory: StopTrajectory | None = field(default=None, repr=False, compare=False)


class SetpointGenerator:
    """Generates setpoints from which the arm can always stop."""

    def __init__(self, robot: RobotConfig, kinematics: Kinematics, period: float) -> None:
        """Make a generator of a setpoint every `period` seconds that starts at home."""
        self._kinematics, self._period = kinematics, period
        self._least, self._most = (
            robot.lower + LIMIT_MARGIN_RAD / 2,
            robot.upper - LIMIT_MARGIN_RAD / 2,
        )
        self._accelerations, self._tool_speed = robot.acceleration, robot.workspace.speed
        self._zeros = np.zeros(len(robot.joints))
        self._otg = ruckig.Ruckig(len(robot.joints))
        self._input = ruckig.InputParameter(len(robot.joints))
        self._input.control_interface = ruckig.ControlInterface.Velocity
        self._input.synchronization = ruckig.Synchronization.No
        self._input.target_acceleration = self._zeros.tolist()
        self._input.max_velocity = robot.velocity.tolist()
        self._input.max_jerk = robot.jerk.tolist()
        self.now = Setpoint(kinematics.home, self._zeros, self._zeros)
        """The last setpoint; assign another one to continue from there."""

    def step(self, speed: np.ndarray) -> Setpoint:
        """Return the next setpoint on the way to joint speeds. Shape (J,), [rad/s].

        A joint that could not come to a stand within its limits any more brakes instead. Where
        joints that are not equally quick would make the tool too fast, they go to their speeds in
        the same time; where that is not slow enough, the arm brakes.
        """
        before, parts = self.now, np.full(len(speed), ACCELERATION_FRACTION)
        after = self._step_towards(before, speed, parts)
        passes = self._violates_limits(
            self._velocity_profile(after, self._zeros, np.ones(len(speed))), before
        )
        if passes.any():
            speed = np.where(passes, 0.0, speed)
            after = self._step_towards(before, speed, np.where(passes, 1.0, parts))
        after = replace(after, stop_trajectory=self._find_stop_trajectory(after))
        for _ in range(_MAX_TRIES):
            if self._can_stop(after, before):
                self.now = after
                return after
            fastest = max(self._stop_trajectory(after).max_tool_speed, 1e-9)
            speed = speed * min(1.0, _AIM * self._tool_speed / fastest)
            after = self._step_towards(
                before,
                speed,
                ACCELERATION_FRACTION * self._synchronized_acceleration_scale(before, speed),
            )
            after = replace(after, stop_trajectory=self._find_stop_trajectory(after))
        return self.brake()

    def brake(self) -> Setpoint:
        """Return the next setpoint of braking as fast as the limits allow.

        The joints come to it in the same time: so the arm goes on the way that it was on.
        """
        escape = self._stop_trajectory(self.now)
        time = escape.elapsed + self._period
        position, velocity, acceleration = map(np.array, escape.profile.at_time(time))
        if time >= escape.profile.duration:
            self.now = Setpoint(position, self._zeros, self._zeros)
        else:
            self.now = Setpoint(position, velocity, acceleration, replace(escape, elapsed=time))
        return self.now

    def stop_preview(self) -> tuple[float, np.ndarray]:
        """Return the time to a standstill, and the positions on the way.

        Returns:
            Seconds, and places, of which the last is the stand. Shape (N, J), [rad].
        """
        escape = self._stop_trajectory(self.now)
        return escape.duration, escape.positions

    def scale_to_tool_speed(self, speed: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return joint speeds, all of them lower where the tool would be too fast [rad/s].

        Args:
            speed: Shape (J,), [rad/s].
            positions: Of the joints. Shape (J,), [rad].
        """
        fast = self.tool_speed(positions, speed)
        return speed * min(1.0, _AIM * self._tool_speed / max(fast, 1e-9))

    def tool_speed(self, positions: np.ndarray, speed: np.ndarray) -> float:
        """Return how fast the tool is [m/s].

        Args:
            positions: Of the joints. Shape (J,), [rad].
            speed: Shape (J,), [rad/s].
        """
        return float(np.linalg.norm(self._kinematics.jacobian(positions)[:3] @ speed))

    def _step_towards(self, before: Setpoint, speed: np.ndarray, parts: np.ndarray) -> Setpoint:
        """Return where it is a tick later on the way to joint speeds."""
        position, velocity, acceleration = self._velocity_profile(before, speed, parts).at_time(
            self._period
        )
        return Setpoint(np.array(position), np.array(velocity), np.array(acceleration))

    def _can_stop(self, after: Setpoint, before: Setpoint) -> bool:
        """Whether an escape keeps to the limits, or is no worse than the one that there is.

        Besides the tool must not be too fast on the way there.
        """
        escape = self._stop_trajectory(after)
        most = (
            max(self._tool_speed, self._stop_trajectory(before).max_tool_speed)
            + _ROUNDING_TOLERANCE
        )
        went = self.tool_speed(before.position, (after.position - before.position) / self._period)
        slow = max(escape.max_tool_speed, went / _BRIEFLY) <= most
        return slow and not self._violates_limits(escape.profile, before).any()

    def _stop_trajectory(self, setpoint: Setpoint) -> StopTrajectory:
        return setpoint.stop_trajectory or self._find_stop_trajectory(setpoint)

    def _find_stop_trajectory(self, setpoint: Setpoint) -> StopTrajectory:
        """Return the best stopping trajectory."""
        parts = self._synchronized_acceleration_scale(setpoint, self._zeros)
        way = self._velocity_profile(setpoint, self._zeros, parts)
        passes = self._violates_limits(way, setpoint)
        if passes.any():
            way = self._velocity_profile(setpoint, self._zeros, np.where(passes, 1.0, parts))
        count = int(np.clip(way.duration / _LOOKS, _FEW, _MANY))
        times = np.linspace(0.0, way.duration, count + 1)
        states = [way.at_time(time) for time in times]
        fastest = max(self.tool_speed(np.array(q), np.array(speed)) for q, speed, _ in states)
        return StopTrajectory(way, 0.0, np.array([q for q, *_ in states[1:]]), fastest)

    def _synchronized_acceleration_scale(self, before: Setpoint, speed: np.ndarray) -> np.ndarray:
        """Return with which parts of their accelerations joints take the same time to speeds."""
        lasts = np.abs(speed - before.velocity) / self._accelerations
        parts = lasts / max(float(lasts.max()), 1e-9)
        # What a joint has already it may go on having: to shed it takes time, too.
        has = np.abs(before.acceleration) / self._accelerations
        return np.clip(np.maximum(parts, has), _MIN_ACCELERATION_FRACTION, 1.0)

    def _violates_limits(self, way: ruckig.Trajectory, before: Setpoint) -> np.ndarray:
        """Return which joints exceed their limits on a stopping trajectory, more than now."""
        stand = np.array(way.at_time(way.duration)[0])
        low = np.minimum(self._least, before.position)
        return (stand < low) | (stand > np.maximum(self._most, before.position))

    def _velocity_profile(
        self, before: Setpoint, speed: np.ndarray, parts: np.ndarray
    ) -> ruckig.Trajectory:
        """Return how joints come to speeds with parts of their accelerations."""
        self._input.current_position = before.position.tolist()
        self._input.current_velocity = before.velocity.tolist()
        self._input.current_acceleration = before.acceleration.tolist()
        self._input.target_velocity = speed.tolist()
        self._input.max_acceleration = (parts * self._accelerations).tolist()
        way = ruckig.Trajectory(len(speed))
        result = self._otg.calculate(self._input, way)
        if result < 0:
            raise ArithmeticError(f"no way from {before} to speeds {speed.tolist()}: {result}")
        return way
