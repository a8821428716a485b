"""A simulated trajectory controller, the messages on their way to it, and what it executes."""

from collections.abc import Sequence

import numpy as np

from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sim.joint_trajectory_controller import (
    ControllerSettings,
    JointTrajectoryController,
    Trajectory,
)
from vlm_robot_ros.sim.moveit_servo import MoveItServo, ServoSettings


class MotionExtremes:
    """The largest speed, acceleration and jerk of the commands of a controller."""

    def __init__(self, rate: float, limits: Sequence[np.ndarray]) -> None:
        """Compare with limits.

        Args:
            rate: Of the commands [Hz].
            limits: Of velocity [rad/s], acceleration [rad/s^2], jerk [rad/s^3], shape (J,) each.
        """
        self._rate, self._limits = rate, limits
        self._commands: list[np.ndarray] = []
        self.largest = [0.0, 0.0, 0.0]
        """As parts of the limits: velocity, acceleration, jerk."""

    def add(self, command: np.ndarray, counts: bool = True) -> None:
        """Add a command, shape (J,) [rad]; `counts` is false where the controller jumps itself."""
        if not counts:
            self._commands = []
        self._commands = [*self._commands[-3:], command]
        for order in range(1, len(self._commands)):
            change = np.diff(self._commands[-order - 1 :], order, axis=0)[-1]
            part = float(np.max(np.abs(change) * self._rate**order / self._limits[order - 1]))
            self.largest[order - 1] = max(self.largest[order - 1], part)


class TrajectoryExecution:
    """Delivers trajectories to a controller, updates it, and measures its commands."""

    def __init__(
        self,
        robot: RobotConfig,
        kinematics: Kinematics,
        settings: ControllerSettings,
        servo: ServoSettings,
    ) -> None:
        """Make one that is not active; see `activate`."""
        self._robot, self._kinematics = robot, kinematics
        self._settings, self._servo_settings = settings, servo
        limits = (robot.velocity, robot.acceleration, robot.jerk)
        self.extremes = MotionExtremes(settings.rate, limits)
        self._random = np.random.default_rng(0)
        self._controller: JointTrajectoryController | None = None
        self._arriving: list[tuple[float, Trajectory]] = []
        self.servo: MoveItServo | None = None
        """What sends the controller its trajectories; None: others do."""
        self._servo_due = -np.inf

    @property
    def active(self) -> bool:
        """Whether the controller commands the arm."""
        return self._controller is not None

    def activate(self, position: np.ndarray) -> None:
        """Let the controller command an arm that is at a position. Shape (J,), [rad]."""
        self._controller = JointTrajectoryController(self._settings, position)
        self._arriving = []

    def activate_servo(self, position: np.ndarray) -> MoveItServo:
        """Let MoveIt Servo command the controller, if it does not yet; see `activate`."""
        if self.servo is None:
            self.activate(position)
            self.servo = MoveItServo(self._robot, self._kinematics, self._servo_settings)
            self._servo_due = -np.inf
        return self.servo

    def deactivate(self) -> None:
        """Let others command the arm; what is on its way is lost."""
        self._controller = self.servo = None

    def send(self, trajectory: Trajectory, now: float) -> None:
        """Send a trajectory at `now` [s]."""
        delay = self._settings.delay + self._settings.jitter * self._random.random()
        self._arriving.append((now + delay, trajectory))

    def update(self, now: float, measured: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Return the controller's next command; see `JointTrajectoryController.update`."""
        controller = self._controller
        assert controller is not None, "activate it first"
        if self.servo and now > self._servo_due - 1e-9:
            self._servo_due = now + self._servo_settings.publish_period
            if trajectory := self.servo.update(now, measured, velocity):
                self.send(trajectory, now)
        for arrival in [each for each in self._arriving if each[0] <= now + 1e-9]:
            self._arriving.remove(arrival)
            controller.receive(arrival[1])
        command = controller.update(now, measured, velocity)
        # A controller that joins from the measured state jumps there by itself.
        jumps = controller.joined and not self._settings.interpolate_from_desired_state
        self.extremes.add(command, counts=not jumps)
        return command
