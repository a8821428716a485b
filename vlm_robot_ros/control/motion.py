"""Setpoints from tick to tick within all limits of joints and tool, whatever speeds are wanted.

With each setpoint goes an escape: a way to come to a stand from there that keeps to all limits.
The arm goes on to a setpoint only if it has one, and otherwise takes the escape of the one before.
So it can always come to a stand in time. Ruckig (Berscheid and Kroeger, RSS 2021) computes ways.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import ruckig

from vlm_robot_ros.contract.kinematics import Kinematics
from vlm_robot_ros.contract.robot import Robot

MARGIN = 0.005
"""What is kept from the joints' limits [rad]; half of it at least, where the arm has to brake."""
EASE = 0.75
"""Part of the acceleration that is used but to brake: who is told late has to catch up."""
_LOOKS, _FEW, _MANY = 0.03, 4, 30
"""How often on an escape it is looked where the tool is, and how fast [s]; least and most."""
_TRIES = 4
"""So many times it is tried whether it need not brake, where the tool would be too fast."""
_AIM, _BRIEFLY = 0.98, 1.02
"""Parts of a tool's speed that are aimed at, so that it need not brake for every bend, and that it
may have on the mean of a tick."""
_ROUNDING = 1e-6
"""Of a tool's speed [m/s]."""
_LEAST = 0.01
"""Part of its acceleration that a joint has that needs less to be there with the others."""


@dataclass(frozen=True)
class Escape:
    """A way to come to a stand."""

    way: ruckig.Trajectory
    begun: float
    """How long it has been followed [s]."""
    places: np.ndarray
    """Evenly spaced in time, from its begin; the last is the stand. Shape (N, J), [rad]."""
    fastest: float
    """Of the tool, on all of it [m/s]."""

    @property
    def lasts(self) -> float:
        """How long it still takes [s]."""
        return max(float(self.way.duration) - self.begun, 0.0)


@dataclass(frozen=True)
class Setpoint:
    """Where the joints shall be at one time. Each of shape (J,)."""

    position: np.ndarray
    """[rad]"""
    velocity: np.ndarray
    """[rad/s]"""
    acceleration: np.ndarray
    """[rad/s^2]"""
    escape: Escape | None = field(default=None, repr=False, compare=False)


class Motion:
    """Where an arm has been sent, and how fast; goes on from there."""

    def __init__(self, robot: Robot, kinematics: Kinematics, period: float) -> None:
        """Make one of a setpoint every `period` seconds, that begins at home."""
        self._kinematics, self._period = kinematics, period
        self._least, self._most = robot.lower + MARGIN / 2, robot.upper - MARGIN / 2
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
        """The last setpoint; may be set to another one, to go on from there."""

    def step(self, speed: np.ndarray) -> Setpoint:
        """Return the next setpoint on the way to joint speeds. Shape (J,), [rad/s].

        A joint that could not come to a stand within its limits any more brakes instead. Where
        joints that are not equally quick would make the tool too fast, they go to their speeds in
        the same time; where that is not slow enough, the arm brakes.
        """
        before, parts = self.now, np.full(len(speed), EASE)
        after = self._towards(before, speed, parts)
        passes = self._passes(self._way(after, self._zeros, np.ones(len(speed))), before)
        if passes.any():
            speed = np.where(passes, 0.0, speed)
            after = self._towards(before, speed, np.where(passes, 1.0, parts))
        after = replace(after, escape=self._find_escape(after))
        for _ in range(_TRIES):
            if self._is_safe(after, before):
                self.now = after
                return after
            fastest = max(self._escape(after).fastest, 1e-9)
            speed = speed * min(1.0, _AIM * self._tool_speed / fastest)
            after = self._towards(before, speed, EASE * self._together(before, speed))
            after = replace(after, escape=self._find_escape(after))
        return self.brake()

    def brake(self) -> Setpoint:
        """Return the next setpoint of coming to a stand as fast as the limits allow.

        The joints come to it in the same time: so the arm goes on the way that it was on.
        """
        escape = self._escape(self.now)
        time = escape.begun + self._period
        position, velocity, acceleration = map(np.array, escape.way.at_time(time))
        if time >= escape.way.duration:
            self.now = Setpoint(position, self._zeros, self._zeros)
        else:
            self.now = Setpoint(position, velocity, acceleration, replace(escape, begun=time))
        return self.now

    def rest(self) -> tuple[float, np.ndarray]:
        """Return in how many seconds it can stand still, and the way there.

        Returns:
            Seconds, and places, of which the last is the stand. Shape (N, J), [rad].
        """
        escape = self._escape(self.now)
        return escape.lasts, escape.places

    def allowed(self, speed: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return joint speeds, all of them lower where the tool would be too fast [rad/s].

        Args:
            speed: Shape (J,), [rad/s].
            positions: Of the joints. Shape (J,), [rad].
        """
        fast = self.tool_moves(positions, speed)
        return speed * min(1.0, _AIM * self._tool_speed / max(fast, 1e-9))

    def tool_moves(self, positions: np.ndarray, speed: np.ndarray) -> float:
        """Return how fast the tool is [m/s].

        Args:
            positions: Of the joints. Shape (J,), [rad].
            speed: Shape (J,), [rad/s].
        """
        return float(np.linalg.norm(self._kinematics.jacobian(positions)[:3] @ speed))

    def _towards(self, before: Setpoint, speed: np.ndarray, parts: np.ndarray) -> Setpoint:
        """Return where it is a tick later on the way to joint speeds."""
        position, velocity, acceleration = self._way(before, speed, parts).at_time(self._period)
        return Setpoint(np.array(position), np.array(velocity), np.array(acceleration))

    def _is_safe(self, after: Setpoint, before: Setpoint) -> bool:
        """Whether an escape keeps to the limits, or is no worse than the one that there is.

        Besides the tool must not be too fast on the way there.
        """
        escape = self._escape(after)
        most = max(self._tool_speed, self._escape(before).fastest) + _ROUNDING
        went = self.tool_moves(before.position, (after.position - before.position) / self._period)
        slow = max(escape.fastest, went / _BRIEFLY) <= most
        return slow and not self._passes(escape.way, before).any()

    def _escape(self, setpoint: Setpoint) -> Escape:
        return setpoint.escape or self._find_escape(setpoint)

    def _find_escape(self, setpoint: Setpoint) -> Escape:
        """Return the best way to a stand that there is."""
        parts = self._together(setpoint, self._zeros)
        way = self._way(setpoint, self._zeros, parts)
        passes = self._passes(way, setpoint)
        if passes.any():
            way = self._way(setpoint, self._zeros, np.where(passes, 1.0, parts))
        count = int(np.clip(way.duration / _LOOKS, _FEW, _MANY))
        times = np.linspace(0.0, way.duration, count + 1)
        states = [way.at_time(time) for time in times]
        fastest = max(self.tool_moves(np.array(q), np.array(speed)) for q, speed, _ in states)
        return Escape(way, 0.0, np.array([q for q, *_ in states[1:]]), fastest)

    def _together(self, before: Setpoint, speed: np.ndarray) -> np.ndarray:
        """Return with which parts of their accelerations joints take the same time to speeds."""
        lasts = np.abs(speed - before.velocity) / self._accelerations
        parts = lasts / max(float(lasts.max()), 1e-9)
        # What a joint has already it may go on having: to shed it takes time, too.
        has = np.abs(before.acceleration) / self._accelerations
        return np.clip(np.maximum(parts, has), _LEAST, 1.0)

    def _passes(self, way: ruckig.Trajectory, before: Setpoint) -> np.ndarray:
        """Tell which joints pass their limits on the way to a stand, farther than they have."""
        stand = np.array(way.at_time(way.duration)[0])
        low = np.minimum(self._least, before.position)
        return (stand < low) | (stand > np.maximum(self._most, before.position))

    def _way(self, before: Setpoint, speed: np.ndarray, parts: np.ndarray) -> ruckig.Trajectory:
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
