"""The next setpoint towards a target and what follows it, checked against the workspace."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.motion.setpoint_check import SetpointCheck
from vlm_robot_ros.motion.setpoint_generator import Setpoint
from vlm_robot_ros.motion.target_tracker import SetpointPreview, TargetTracker
from vlm_robot_ros.robot.config import RobotConfig


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
            targets: Values of the actions of this tick and the next ones. Shape (7,) each.
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
