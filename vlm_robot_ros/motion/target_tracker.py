"""Follows moving tool poses or joint positions within limits, and previews what comes."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vlm_robot_ros.kinematics.differential_ik import DifferentialIK
from vlm_robot_ros.kinematics.kinematics import Kinematics, pose7_to_transform, pose_error
from vlm_robot_ros.motion.setpoint_generator import (
    ACCELERATION_FRACTION,
    LIMIT_MARGIN_RAD,
    Setpoint,
    SetpointGenerator,
)
from vlm_robot_ros.robot.config import RobotConfig

_MAX_GOAL_ROTATION_RAD_S = 2.0
"""Largest rotation speed at which a goal is followed [rad/s]."""
_BRAKING_FRACTION = 0.9
"""Fraction of `ACCELERATION_FRACTION` on which braking relies; jerk limits may take the rest."""
_ARRIVED_RAD = 1e-6
"""A joint this close to its target has arrived [rad]."""
_TWIST_CATCH_UP_RATE = 2.0
"""Like `_CATCH_UP_RATE`, for an arm that gets twists [1/s]."""
_DROOP_RAD = 0.005
"""A standing arm this close to its command gets no more twists [rad]."""
_TRACKING_LAG_S = 0.2
"""Lag that does not count as an error: making up for it would overshoot [s]."""
_CATCH_UP_RATE = 15.0
"""Fraction of an error that is made up for per second [1/s]."""


@dataclass(frozen=True)
class SetpointPreview:
    """The next setpoints, one per tick, and the standstill after them."""

    setpoints: tuple[Setpoint, ...]
    stop_time: float
    """Time from the last of them to the standstill [s]."""
    end: Setpoint


@dataclass(frozen=True)
class StreamState:
    """State of a tracker, to return to."""

    setpoint: Setpoint
    target: np.ndarray
    goal: np.ndarray | None
    previewed: list[tuple[Setpoint, np.ndarray, np.ndarray | None]]
    recent: tuple[np.ndarray, ...]


class TargetTracker:
    """Turns targets into setpoints that the joints can follow."""

    def __init__(
        self, robot: RobotConfig, period: float, kinematics: Kinematics | None = None
    ) -> None:
        """Make a tracker of a setpoint every `period` seconds; `start` it before use.

        Args:
            robot: The contract.
            period: [s]
            kinematics: Of the robot; shared with others of the same thread.
        """
        self.kinematics = kinematics or Kinematics(robot)
        self._period = period
        self._low, self._high = robot.lower + LIMIT_MARGIN_RAD, robot.upper - LIMIT_MARGIN_RAD
        self._tool_speed = robot.workspace.speed
        self._fastest, self._accelerations = robot.velocity, robot.acceleration
        self._braking = _BRAKING_FRACTION * ACCELERATION_FRACTION * robot.acceleration
        self._motion = SetpointGenerator(robot, self.kinematics, period)
        self.start(self.kinematics.home)

    def start(self, positions: np.ndarray) -> None:
        """Go on from an arm at rest, which may be outside its limits. Shape (J,), [rad]."""
        self._wanted = positions.astype(float)
        self._goal: np.ndarray | None = None
        self._foreseen: list[tuple[Setpoint, np.ndarray, np.ndarray | None]] = []
        self._lately: deque[np.ndarray] = deque(maxlen=1 + round(_TRACKING_LAG_S / self._period))
        self.continue_from(
            Setpoint(self._wanted, np.zeros(len(positions)), np.zeros(len(positions)))
        )

    @property
    def setpoint(self) -> Setpoint:
        """The last setpoint."""
        return self._motion.now

    def continue_from(self, setpoint: Setpoint) -> None:
        """Go on from a setpoint that may be another than the last."""
        self._motion.now = setpoint

    def step_to_pose(self, pose: np.ndarray) -> Setpoint:
        """Return the next setpoint on the way to a tool pose: x, y, z [m], quaternion; shape (7,).

        A pose that cannot be reached is come as close to as the joints allow. Where joints cannot
        be as fast as the tool should, or not yet, the others make up for it.
        """
        goal, here = pose7_to_transform(pose), self.setpoint
        before = goal if self._goal is None else self._goal
        # As fast as the goal moves, and faster where it is missed; not so fast that it would be
        # passed.
        wish = pose_error(before, goal) / self._period
        wish[:3] *= min(1.0, self._tool_speed / max(float(np.linalg.norm(wish[:3])), 1e-9))
        wish[3:] *= min(1.0, _MAX_GOAL_ROTATION_RAD_S / max(float(np.linalg.norm(wish[3:])), 1e-9))
        miss = pose_error(self.kinematics.forward(here.position), before)
        differential = DifferentialIK(self.kinematics, here.position)
        ways, own = differential.joint_rates(miss), differential.joint_rates_with_posture(wish)
        change = ACCELERATION_FRACTION * self._accelerations * self._period
        soon = np.array([here.velocity - change, here.velocity + change])
        rate = self._closing_rate(ways, here.velocity - own, soon - own)
        speed = differential.bounded_joint_rates(
            wish + rate * miss, *np.clip(soon, *self._bounds(here))
        )
        setpoint = self._motion.step(self._motion.scale_to_tool_speed(speed, here.position))
        self._wanted, self._goal = setpoint.position, goal
        return setpoint

    def step_to_joints(self, positions: np.ndarray) -> Setpoint:
        """Return the next setpoint on the way to joint positions. Shape (J,), [rad]."""
        before, self._wanted = self._wanted, np.clip(positions, self._low, self._high)
        self._goal, here = None, self.setpoint
        wish = (self._wanted - before) / self._period
        # As fast as what is wanted moves, and faster where it is missed; not so fast that it, or a
        # limit, would be passed.
        miss = before - here.position
        most = self._max_approach_speed(np.abs(miss), np.sign(miss) * (here.velocity - wish))
        speed = wish + np.sign(miss) * np.minimum(_CATCH_UP_RATE * np.abs(miss), most)
        speed = np.clip(speed, *self._bounds(here))
        return self._motion.step(self._motion.scale_to_tool_speed(speed, here.position))

    def brake(self) -> Setpoint:
        """Return the next setpoint of braking; see `SetpointGenerator.brake`."""
        setpoint = self._motion.brake()
        self._wanted, self._goal = setpoint.position, None
        return setpoint

    def stop_preview(self) -> tuple[float, np.ndarray]:
        """Return the time to a stop and the positions on the way; see `SetpointGenerator`."""
        return self._motion.stop_preview()

    def preview(self, targets: Sequence[np.ndarray], poses: bool) -> SetpointPreview:
        """Return the setpoints for the targets of the next ticks, and a standstill after them.

        The stream stays where it is.

        Args:
            targets: One a tick, tool poses or joint positions. Shape (7,) or (J,).
            poses: Which of both.
        """
        here, wanted, goal = self.setpoint, self._wanted, self._goal
        self._foreseen = []
        for target in targets:
            setpoint = self.step_to_pose(target) if poses else self.step_to_joints(target)
            self._foreseen.append((setpoint, self._wanted, self._goal))
        setpoints = tuple(setpoint for setpoint, *_ in self._foreseen)
        duration, (*_, place) = self.stop_preview()
        self.continue_from(here)
        self._wanted, self._goal = wanted, goal
        still = np.zeros(len(place))
        return SetpointPreview(setpoints, duration, Setpoint(place, still, still))

    def skip(self, ticks: int, command: Setpoint) -> None:
        """Go on from where the arm is after some ticks at which nothing was sent.

        Args:
            ticks: At least 1.
            command: What the controller will execute by then, as it interpolates.
        """
        if ticks <= len(self._foreseen):
            setpoint, self._wanted, self._goal = self._foreseen[ticks - 1]
            self.continue_from(setpoint)
            return
        most = self._accelerations
        self.continue_from(
            replace(command, acceleration=np.clip(command.acceleration, -most, most))
        )
        self._wanted, self._goal = command.position, None

    def state(self) -> StreamState:
        """Return what `restore` takes."""
        return StreamState(
            self.setpoint, self._wanted, self._goal, self._foreseen, (*self._lately,)
        )

    def restore(self, state: StreamState) -> None:
        """Return to an earlier state: the setpoints since then were not sent."""
        self.continue_from(state.setpoint)
        self._wanted, self._goal, self._foreseen = state.target, state.goal, state.previewed
        self._lately = deque(state.recent, self._lately.maxlen)

    def tool_pose(self, positions: np.ndarray) -> np.ndarray:
        """Return the tool's pose, a transform in the base frame. Shape (4, 4), [m]."""
        return self.kinematics.forward(positions)

    def tool_speed(self, setpoint: Setpoint) -> float:
        """Return the speed of the tool at a setpoint [m/s]."""
        return self._motion.tool_speed(setpoint.position, setpoint.velocity)

    def twist_to(self, setpoint: Setpoint, measured: np.ndarray, holds: bool) -> np.ndarray:
        """Return the tool's velocity that keeps an arm at its setpoints, in the base frame.

        Args:
            setpoint: Where it shall be next; to be told at every tick.
            measured: Where it is now. Shape (J,), [rad].
            holds: Once it stands, it shall stay where it is.

        Returns:
            Shape (6,): linear [m/s], angular [rad/s].
        """
        speed = setpoint.velocity
        self._lately.append(setpoint.position - speed * self._period)
        missed = self.nearest_recent_command(measured, self._lately[-1]) - measured
        if np.any(speed) or (not holds and np.max(np.abs(missed)) > _DROOP_RAD):
            speed = np.clip(speed + _TWIST_CATCH_UP_RATE * missed, -self._fastest, self._fastest)
        jacobian = self.kinematics.jacobian(setpoint.position)
        return jacobian @ self._motion.scale_to_tool_speed(speed, setpoint.position)

    def nearest_recent_command(self, measured: np.ndarray, told: np.ndarray) -> np.ndarray:
        """Return the command of the last 0.2 s that the arm is nearest to.

        Args:
            measured: Where it is. Shape (J,), [rad].
            told: Where it was told to be last. Shape (J,), [rad].
        """
        lately = np.array([*self._lately, told])
        return np.clip(measured, lately.min(0), lately.max(0))

    def _closing_rate(self, ways: np.ndarray, closing: np.ndarray, soon: np.ndarray) -> float:
        """Return how much of its way the tool goes in a second, straight if that can be [1/s].

        Args:
            ways: Of the joints. Shape (J,), [rad].
            closing: How fast they go it now. Shape (J,), [rad/s].
            soon: The least and the most that they can go it a tick later. Shape (2, J), [rad/s].
        """
        moves = np.abs(ways) > _ARRIVED_RAD
        rooms = self._max_approach_speed(np.abs(ways), np.sign(ways) * closing)[moves]
        ways = ways[moves]
        rate = np.min(rooms / np.abs(ways), initial=_CATCH_UP_RATE)
        ends = np.sort(soon[:, moves] / ways, axis=0)
        least, most = np.max(ends[0], initial=0.0), np.min(ends[1], initial=rate)
        return float(most if least <= most else rate)

    def _bounds(self, here: Setpoint) -> tuple[np.ndarray, np.ndarray]:
        """Return how fast joints may be towards their limits at most. Shape (J,) each [rad/s]."""
        up = self._max_approach_speed(self._high - here.position, here.velocity)
        down = self._max_approach_speed(here.position - self._low, -here.velocity)
        return -np.minimum(down, self._fastest), np.minimum(up, self._fastest)

    def _max_approach_speed(self, left: np.ndarray, speed: np.ndarray) -> np.ndarray:
        """Return the largest speed at the next tick from which a joint still stops in time.

        Args:
            left: Shape (J,), [rad].
            speed: Now, in its direction. Shape (J,), [rad/s].
        """
        tick = self._braking * self._period / 2
        spare = np.maximum(left - speed * self._period / 2, 0.0)
        return np.maximum(np.sqrt(tick**2 + 2 * self._braking * spare) - tick, 0.0)
