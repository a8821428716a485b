"""The next setpoint towards a target and what follows it, checked against the workspace."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.motion.limits import exits_workspace, limit_violation
from vlm_robot_ros.motion.setpoint_generator import Setpoint
from vlm_robot_ros.motion.target_tracker import SetpointPreview, TargetTracker
from vlm_robot_ros.robot.config import RobotConfig

_SPEED_TOLERANCE = 1.2
"""A tool that would be faster than this part of its limit trips."""
_POSITION_TOLERANCE_M = 0.02
"""How far a commanded tool may be outside the workspace [m]."""
_WORKSPACE_TOLERANCE_M = 0.005
"""How far outside the workspace a tool may come to a stop that has to brake [m]."""
_EDGE_RETRY_S, _EDGE_PATIENCE_S = 0.3, 1.0
"""An arm trips that has to brake for the workspace's edge again within the first time, and goes on
doing so for the second: its target is outside [s]."""
_ROUNDING_TOLERANCE = 1e-6


class SetpointCheck:
    """Checks setpoints of one arm."""

    def __init__(self, robot: RobotConfig, stream: TargetTracker) -> None:
        """Check the setpoints of a stream against the contract."""
        self._robot, self._stream = robot, stream
        self._edge = (-np.inf, -np.inf)

    def problem(self, setpoint: Setpoint, joints: np.ndarray) -> str:
        """Return what is wrong with a setpoint; empty when nothing is.

        Args:
            setpoint: To be sent.
            joints: Measured positions: what was outside before may come back. Shape (J,), [rad].
        """
        robot = self._robot
        was = np.maximum(limit_violation(joints, robot.lower, robot.upper), 0.0)
        for name, over in (
            ("position", limit_violation(setpoint.position, robot.lower, robot.upper) - was),
            ("velocity", np.abs(setpoint.velocity) - robot.velocity),
            ("acceleration", np.abs(setpoint.acceleration) - robot.acceleration),
        ):
            worst = int(over.argmax())
            if over[worst] > _ROUNDING_TOLERANCE:
                return f"the {name} of {robot.joint_names[worst]} would pass its limit"
        if self._stream.tool_speed(setpoint) > _SPEED_TOLERANCE * robot.workspace.speed:
            return f"the tool would be faster than {robot.workspace.speed} m/s"
        if self.exits_workspace([setpoint.position], joints, _POSITION_TOLERANCE_M):
            tool = self._stream.tool_pose(setpoint.position)[:3, 3]
            return f"the tool would go to {tool.round(3).tolist()}, outside its workspace"
        return ""

    def edge_problem(self, now: float, setpoint: Setpoint) -> str:
        """Return what is wrong when the tool has to be kept from leaving again and again.

        To be called when it had to brake for the edge of the workspace at `now` [s].
        """
        if now - self._edge[1] > _EDGE_RETRY_S:
            self._edge = (now, now)
        self._edge = (self._edge[0], now)
        if now - self._edge[0] < _EDGE_PATIENCE_S:
            return ""
        tool = self._stream.tool_pose(setpoint.position)[:3, 3].round(3)
        return f"the tool would go on from {tool.tolist()} and leave its workspace"

    def exits_workspace(
        self,
        positions: Iterable[np.ndarray],
        here: np.ndarray,
        most: float = _WORKSPACE_TOLERANCE_M,
    ) -> bool:
        """Return whether the tool leaves its workspace at one of some joint positions.

        Args:
            positions: Shape (J,) each, [rad].
            here: Where the arm comes from. Shape (J,), [rad].
            most: So far outside it may be [m].
        """
        kinematics = self._stream.kinematics
        return any(
            exits_workspace(self._robot, kinematics, each, here, most) for each in positions
        )


class PlannedSetpoint(NamedTuple):
    """A setpoint, and what follows it."""

    setpoint: Setpoint
    preview: SetpointPreview
    problem: str
    """Why the target cannot be followed, so that the arm brakes instead; empty when it can."""


class SetpointPlanner:
    """Follows targets, or brakes where they lead out of the limits. Times in seconds."""

    def __init__(
        self, robot: RobotConfig, period: float, kinematics: Kinematics | None = None
    ) -> None:
        """Make a planner of a setpoint every `period` seconds; start its `tracker` before use.

        Args:
            robot: The contract.
            period: [s]
            kinematics: Of the robot; shared with others of the same thread.
        """
        self._joint_count = len(robot.joints)
        self.tracker = TargetTracker(robot, period, kinematics)
        self._check = SetpointCheck(robot, self.tracker)

    def plan(
        self,
        now: float,
        targets: Sequence[np.ndarray],
        poses: bool,
        brakes: bool,
        joints: np.ndarray,
    ) -> PlannedSetpoint:
        """Return the next setpoint.

        Args:
            now: [s]
            targets: Values of the actions of this tick and the next ones, of one shape.
            poses: Whether they are poses of the tool; else joint positions.
            brakes: Whether the arm brakes instead.
            joints: Measured positions. Shape (J,), [rad].
        """
        tracker, problem = self.tracker, ""
        before = tracker.setpoint
        setpoint = tracker.brake() if brakes else self._step_to(targets[0], poses)
        if not brakes and self._check.exits_workspace(tracker.stop_preview()[1], before.position):
            # From the setpoint before the arm can still brake in time.
            problem = self._check.edge_problem(now, setpoint)
            tracker.continue_from(before)
            setpoint = tracker.brake()
        elif not brakes:
            problem = self._check.problem(setpoint, joints)
        if problem:
            brakes = True
            tracker.continue_from(before)
            setpoint = tracker.brake()
        following = [] if brakes else [self._target(each, poses) for each in targets[1:]]
        preview = tracker.preview(following, poses)
        positions = [each.position for each in (*preview.setpoints, preview.end)]
        if self._check.exits_workspace(positions, before.position):
            preview = tracker.preview([], poses)
        return PlannedSetpoint(setpoint, preview, problem)

    def _step_to(self, values: np.ndarray, poses: bool) -> Setpoint:
        target = self._target(values, poses)
        step = self.tracker.step_to_pose if poses else self.tracker.step_to_joints
        return step(target)

    def _target(self, values: np.ndarray, poses: bool) -> np.ndarray:
        """Return a pose as it is, and of joint positions those of the arm."""
        return values if poses else values[: self._joint_count]
