"""MoveIt Servo, as its source has it: twists or poses in, a window of a joint trajectory out.

What counts is that it adds each step to the end of the window that it has sent, 0.1 s ahead of
the arm, where it slows down or halts by itself (speeds, singularities, joint limits), what it
takes for stale, and how it smooths (moveit2 2.14, `servo_node.cpp`, `servo.cpp`, `common.cpp`).
Collisions and subgroups are left out, and its IK solver is the inverse of the Jacobian.
"""

from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sim.joint_trajectory_controller import Trajectory
from vlm_robot_ros.sim.servo_smoothing import SMOOTHING, Smoothing

_FEWEST = 3
"""States in the window before a trajectory is sent."""
_STOPPED = 1e-4
"""A joint that is slower stands [rad/s]."""


@dataclass(frozen=True)
class ServoSettings:
    """Parameters of a Servo node: its defaults, but the smoothing of its example for the Panda."""

    publish_period: float = 0.01
    """[s]"""
    max_expected_latency: float = 0.1
    """How far ahead of now its steps are due [s]."""
    scale_linear: float = 0.4
    """Largest speed of the tool [m/s]."""
    scale_rotational: float = 0.8
    """Largest speed of the tool's rotation [rad/s]."""
    incoming_command_timeout: float = 0.1
    """A command that is older by its stamp brings the arm to a halt [s]."""
    lower_singularity_threshold: float = 17.0
    """Condition number of the Jacobian above which it slows down."""
    hard_stop_singularity_threshold: float = 30.0
    leaving_singularity_threshold_multiplier: float = 2.0
    singularity_step_scale: float = 0.01
    joint_limit_margin: float = 0.1
    """A joint that comes so close to its limit halts [rad]; for a twist all joints do."""
    smoothing: Literal["none", "butterworth", "acceleration_limited"] = "acceleration_limited"
    """Its default is "butterworth", which makes the arm slower: each step begins where the one
    before was filtered to."""


@dataclass(frozen=True)
class _State:
    time: float
    """[s]"""
    positions: np.ndarray
    """Shape (J,), [rad]."""
    velocities: np.ndarray
    """Shape (J,), [rad/s]."""


class MoveItServo:
    """Turns twists or poses of the tool into trajectories. Times in seconds of one clock."""

    def __init__(
        self, robot: RobotConfig, kinematics: Kinematics, settings: ServoSettings
    ) -> None:
        """Make one that listens to nothing yet: see `switch_command_type`."""
        self._robot, self._kinematics, self._settings = robot, kinematics, settings
        self._smoothing: Smoothing = SMOOTHING[settings.smoothing](robot, settings.publish_period)
        self._type = ""
        self._command: tuple[float, np.ndarray] | None = None
        self._window: deque[_State] = deque()
        self._last: _State | None = None
        self.status = ""
        """Why it slows down, halts or takes no command; empty when it does neither."""

    def switch_command_type(self, kind: str) -> None:
        """Listen to commands of one kind only, as its service of that name has it."""
        if kind != self._type:
            self._type, self._command = kind, None

    def receive(self, kind: str, stamp: float, frame: str, values: np.ndarray) -> None:
        """Take a command.

        Args:
            kind: "twist" or "pose"; ignored if it is not what it listens to.
            stamp: [s]
            frame: It has to be the base frame: this one knows no others.
            values: A twist, shape (6,) [m/s, rad/s], or a pose, shape (4, 4) [m].

        Raises:
            ValueError: another frame, or numbers that are not finite. The arm stops at once.
        """
        if kind != self._type:
            return
        self._command = None
        check_command(self._robot, kind, frame, values)
        self._command = (stamp, values)

    def update(self, now: float, measured: np.ndarray, velocity: np.ndarray) -> Trajectory | None:
        """Return what is sent to the controller in this period, if anything.

        Args:
            now: [s]
            measured: Joint positions. Shape (J,), [rad].
            velocity: Measured joint velocities. Shape (J,), [rad/s].
        """
        here = _State(now, measured, velocity)
        if self._last is None:
            self._smoothing.reset(here.positions, here.velocities)
            self._last = here
        if self._window and self._window[-1].time > now:
            current = self._window[-1]
        else:
            self._window.clear()
            current = replace(here, velocities=np.zeros(len(velocity)))
        made = self._process(now, current)
        if made is None:
            self._last = self._slide(here, now)
            self._smoothing.reset(here.positions, here.velocities)
            return None
        self._last = self._slide(made, now)
        if len(self._window) < _FEWEST:
            return None
        states = list(self._window)[:-1]
        return Trajectory(
            np.array([state.time for state in states]),
            np.array([state.positions for state in states]),
            np.array([state.velocities for state in states]),
        )

    def _process(self, now: float, current: _State) -> _State | None:
        """Return the next state for the newest command; None if there is nothing to do."""
        if self._command is None:
            return None
        stamp, values = self._command
        if now - stamp >= self._settings.incoming_command_timeout:
            return self._halt()
        self.status = ""
        step = self._step_of(values, current.positions)
        change = self._joint_change(step, current.positions)
        return self._next_state(current, change)

    def _halt(self) -> _State | None:
        """Return a state on the way to a standstill; None when the arm stands."""
        last = self._last
        assert last is not None
        if np.all(np.abs(last.velocities) < _STOPPED):
            self._command = None
            return None
        return self._smooth(replace(last, velocities=np.zeros(len(last.velocities))))

    def _step_of(self, values: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Return the way of the tool in one period. Shape (6,): [m], rotation vector [rad]."""
        period, scales = self._settings.publish_period, self._settings
        if self._type == "twist":
            step = values * period
        else:
            here = self._kinematics.forward(positions)
            turn = Rotation.from_matrix(values[:3, :3] @ here[:3, :3].T).as_rotvec()
            step = np.concatenate([values[:3, 3] - here[:3, 3], turn])
        for part, most in (
            (step[:3], scales.scale_linear * period),
            (step[3:], scales.scale_rotational * period),
        ):
            part /= max(1.0, float(np.linalg.norm(part)) / most)
        return step

    def _joint_change(self, step: np.ndarray, positions: np.ndarray) -> np.ndarray:
        if not np.any(step):
            return np.zeros(len(positions))
        change = np.linalg.pinv(self._kinematics.jacobian(positions)) @ step
        return change * self._singularity_scale(step, positions)

    def _singularity_scale(self, step: np.ndarray, positions: np.ndarray) -> float:
        """Return how much slower it goes near a singularity: 1 not at all, 0 it halts."""
        settings, jacobian = self._settings, self._kinematics.jacobian
        u, sizes, _ = np.linalg.svd(jacobian(positions), full_matrices=False)
        condition, towards = sizes[0] / max(sizes[-1], 1e-12), u[:, -1]
        if condition <= settings.lower_singularity_threshold:
            return 1.0
        if condition >= settings.hard_stop_singularity_threshold:
            self.status = "halts for a singularity"
            return 0.0
        ahead = np.linalg.pinv(jacobian(positions)) @ towards * settings.singularity_step_scale
        after = np.linalg.svd(jacobian(positions + ahead), compute_uv=False)
        if after[0] / max(after[-1], 1e-12) <= condition:
            towards = -towards
        lower = settings.lower_singularity_threshold
        width = settings.hard_stop_singularity_threshold - lower
        if towards @ step <= 0:  # it leaves the singularity
            width *= settings.leaving_singularity_threshold_multiplier
        self.status = "slows down for a singularity"
        return float(1.0 - (condition - lower) / width)

    def _next_state(self, current: _State, change: np.ndarray) -> _State:
        """Return the state after a change of the joints, within its limits and smoothed."""
        robot, period = self._robot, self._settings.publish_period
        velocities = change / period
        velocities = velocities / max(1.0, float(np.max(np.abs(velocities) / robot.velocity)))
        positions = current.positions + velocities * period
        margin = self._settings.joint_limit_margin
        low = (velocities < 0) & (positions < robot.lower + margin)
        high = (velocities > 0) & (positions > robot.upper - margin)
        if np.any(low | high):
            names = [robot.joint_names[index] for index in np.flatnonzero(low | high)]
            self.status = f"halts for the limits of {', '.join(names)}"
            # For a pose the others go on, and the tool leaves its way.
            halts = (low | high) if self._type == "pose" else np.ones(len(positions), bool)
            positions = np.where(halts, current.positions, positions)
            velocities = np.where(halts, 0.0, velocities)
        return self._smooth(_State(0.0, positions, velocities))

    def _smooth(self, state: _State) -> _State:
        positions, velocities = self._smoothing.apply(state.positions, state.velocities)
        return replace(state, positions=positions, velocities=velocities)

    def _slide(self, state: _State, now: float) -> _State:
        """Add a state to the window, due as long after now as the latency; returns it."""
        latency, window = self._settings.max_expected_latency, self._window
        state = replace(state, time=now + latency)
        while window and window[0].time < now - latency:
            window.popleft()
        while window and window[-1].time == state.time:
            window.pop()
        if len(window) >= 2:
            before, last = window[-2], window[-1]
            back, forth = before.positions - last.positions, state.positions - last.positions
            slow = _slowed(forth / (state.time - last.time), -back / (last.time - before.time))
            turns = np.sign(back) == np.sign(forth)
            velocities = np.where(turns, 0.0, slow)
            window[-1] = replace(last, velocities=velocities)
            state = replace(state, velocities=velocities)
        window.append(state)
        return state


def check_command(robot: RobotConfig, kind: str, frame: str, values: np.ndarray) -> None:
    """Refuse a command that Servo does not take.

    Raises:
        ValueError: another frame than the base frame, or numbers that are not finite.
    """
    if frame != robot.base_frame:
        raise ValueError(f"frame '{frame}'; valid: {robot.base_frame}")
    if not np.all(np.isfinite(values)):
        raise ValueError(f"a {kind} that is not finite: {values.tolist()}")


def _slowed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return of each pair of velocities the smaller one."""
    return np.where(np.abs(one) < np.abs(other), one, other)
