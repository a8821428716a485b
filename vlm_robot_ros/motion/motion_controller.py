"""From actions to motion commands.

Actions become setpoints that the joints can follow; none passes that is not finite or outside a
limit. What should never happen trips: the arm brakes and stays stopped until `reset`. All times in
seconds of one clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.motion.limits import limit_problem
from vlm_robot_ros.motion.motion_command import (
    STANDSTILL_DURATION_S,
    MotionCommand,
    SentTrajectory,
    overlap_ticks,
)
from vlm_robot_ros.motion.motion_start import MotionStart
from vlm_robot_ros.motion.rest_position import ARRIVED_RAD, RestPosition
from vlm_robot_ros.motion.setpoint_generator import Setpoint
from vlm_robot_ros.motion.setpoint_planner import SetpointPlanner
from vlm_robot_ros.motion.target_tracker import SetpointPreview
from vlm_robot_ros.motion.tracking_monitor import ArmCheck
from vlm_robot_ros.robot.config import RobotConfig

PREVIEW_TICKS = 5
"""Ticks that a trajectory previews before it brakes."""
IDLE_AFTER_S = 0.2
"""A standing arm gets commands for this time, and then none [s]."""
_SILENCE_LIMIT_S = 0.1
"""After this time without commands the arm's position is unknown [s]."""
_LIMIT_EXCESS_RAD = 0.05
"""Largest excess of a measured joint over its limits [rad]."""
_ROUNDING_TOLERANCE = 1e-6


class MotionController:
    """Knows where the arm is commanded to be, and whether it may be commanded at all."""

    def __init__(
        self,
        robot: RobotConfig,
        period: float,
        tool_commands: bool = False,
        trajectories: bool = False,
        is_commanded: bool = True,
        kinematics: Kinematics | None = None,
    ) -> None:
        """Make a controller that is updated every `period` seconds.

        Args:
            robot: The contract.
            period: [s]
            tool_commands: The arm gets poses or twists of its tool, and chooses its joints itself.
            trajectories: The arm gets trajectories, and executes the last when no other comes.
                The first setpoints of each are those of the one before: see `committed`.
            is_commanded: Whether the arm gets the commands; if not, it need not follow them.
            kinematics: Of the robot; shared with others of the same thread.
        """
        self._robot, self._period, self._is_commanded = robot, period, is_commanded
        self.sends_trajectories = trajectories
        """Whether a controller executes trajectories by their stamps."""
        self._kept, self._past = overlap_ticks(period) if trajectories else (0, 0)
        self.committed = self._kept * period
        """How late a trajectory may arrive [s]."""
        self.ahead = PREVIEW_TICKS + max(self._kept - 1, 0)
        """How many ticks `update` previews."""
        self._planner = SetpointPlanner(robot, period, kinematics)
        self._tracker = self._planner.tracker
        self._arm_check = ArmCheck(robot, self._tracker.kinematics, tool_commands)
        self._motion_start = MotionStart(robot, period)
        self._sent: SentTrajectory | None = None
        self._undo: Callable[[], None] | None = None
        self._rest = RestPosition(robot)
        self._still_since: float | None = None
        self._time = 0.0
        self.tripped = ""
        """Why the arm may not move until `reset`; empty when it may."""
        self.waiting = ""
        """Why motion cannot begin yet; empty when it can."""
        self._driving = False
        self.release_arm()

    def release_arm(self) -> None:
        """Expect that others move the arm: it goes on from where it is found."""
        # An arm that stood when it was commanded last still does.
        self._motion_start.reset(moving=self._driving and self._still_since is None)
        self._driving = False
        self._arm_check.reset()
        self._still_since = None
        self._rest.restart()

    def release(self) -> None:
        """Send nothing more: a trajectory controller ends the last trajectory by itself.

        For when what is sent would be executed at another time, or at another speed.
        """
        if self._driving:
            self._rest.forget_expected()
            self.release_arm()

    def restart(self) -> None:
        """Begin again after a time without ticks, in which others may have moved the arm."""
        self._rest.forget_measurements()
        self._rest.clear_doubt()
        self.release_arm()

    def reset(self) -> None:
        """Let it move again after a trip: from where the arm is, or where it is braking."""
        self.tripped = ""
        self._arm_check.clear()
        self._rest.clear_doubt()
        if not self._driving:
            self._rest.forget_expected()
            self.release_arm()

    def trip(self, reason: str) -> None:
        """Stop, and stay stopped until `reset`; the first reason is kept."""
        self.tripped = self.tripped or reason

    def update(
        self,
        now: float,
        command: ActionCommand,
        ahead: Sequence[np.ndarray],
        joints: np.ndarray,
        measured_at: float | None = None,
    ) -> MotionCommand | None:
        """Return the motion command of a tick; None when the arm stands still and needs none.

        When motion begins, `waiting` says why it cannot yet: the arm must stand still, and a
        trajectory controller is first sent to where the motion begins.

        Args:
            now: When this tick is due: periods after the one before, as of `TickSchedule` [s].
            command: The action of this tick; on a hold the arm brakes.
            ahead: Values of the next actions, in the same mode and shape.
            joints: Measured positions. Shape (J,), [rad].
            measured_at: When they were measured [s]; None: now.
        """
        self._undo, undo = None, self._snapshot()
        self._apply_skipped_ticks(now)
        if not np.all(np.isfinite([*command.values, *np.ravel(ahead)])):
            self.trip("a command is not finite")
        self._check_arm(now, joints, now if measured_at is None else measured_at)
        holds = bool(command.hold_reason or self.tripped)
        poses = command.mode == ActionMode.END_EFFECTOR_POSE
        if not self._driving:
            self._rest.detect_external_motion(now, joints)
            self.waiting = self._motion_start.problem(now, joints)
            if holds or self.waiting:  # it stands already, where we or others have left it
                return None
            start = self._motion_start.adopt_position()
            if self.sends_trajectories and start is None:
                return self._start_command(now, joints, command.gripper, undo)
            self._start_motion(now, self._rest.position_near(joints) if start is None else start)
        targets = [command.values, *ahead]
        targets = targets[min(self._kept, len(ahead)) :]  # what is due before has been sent
        plan = self._planner.plan(now, targets, poses, holds, joints)
        if plan.problem:
            self.trip(plan.problem)
            holds = True
        setpoint, path = plan.setpoint, plan.preview
        assert self._sent is not None
        kept = self._sent.sample(now, self._period, range(1, self._kept + 1))
        told = (*kept, setpoint)
        drive = MotionCommand(
            now,
            self._period,
            SetpointPreview((*told, *path.setpoints), path.stop_time, path.end),
            self._tracker.tool_pose(told[0].position),
            self._tracker.twist_to(told[0], joints, holds),
            command.gripper,
            self._sent.sample(now, self._period, range(1 - self._past, 1)),
        )
        if self.sends_trajectories:
            self._undo, self._sent = undo, drive.sent_trajectory()
        moves = bool(np.any(told[0].velocity))
        self._rest.on_command(now, told[0].position, path.end.position, moves)
        self._stop_after(now, holds and not np.any(setpoint.velocity))
        return drive

    def skip_tick(self) -> None:
        """Take back the last command, which was not sent; the one before is executed."""
        (self._undo or self.release_arm)()

    def _snapshot(self) -> Callable[[], None]:
        """Return a function that restores the present state."""
        before = self._time, self._rest.sent, self._sent, self._driving, self._still_since
        stream = self._tracker.state()

        def undo() -> None:
            self._time, self._rest.sent, self._sent, self._driving, self._still_since = before
            self._tracker.restore(stream)

        return undo

    def stationary_command(self, now: float, joints: np.ndarray, gripper: float) -> MotionCommand:
        """Return the command of an arm that stays where it is."""
        here, still = self._rest.position_near(joints), np.zeros(len(joints))
        stand = Setpoint(here, still, still)
        path = SetpointPreview((stand,), self._period, stand)
        return MotionCommand(
            now, self._period, path, self._tracker.tool_pose(here), np.zeros(6), gripper
        )

    def _apply_skipped_ticks(self, now: float) -> None:
        """Account for missed ticks, and for a clock that was set back."""
        late, self._time = now - self._time, now
        missed = round(late / self._period) - 1
        if late < 0:  # nobody knows how long anything has lasted
            self._rest.forget_measurements()
            self._arm_check.reset_tracking()
            self._still_since = None
            if self.sends_trajectories:
                self.release_arm()
        elif (
            missed > 1
            and missed * self._period >= _SILENCE_LIMIT_S - _ROUNDING_TOLERANCE
            and not self.sends_trajectories
        ):
            self.release_arm()
        elif self.sends_trajectories and self._driving and missed > 0:
            assert self._sent is not None
            if now + self.committed < self._sent.end - STANDSTILL_DURATION_S:
                self._tracker.skip(missed, self._sent.at(now + self.committed))
            else:
                self._rest.expect_end()  # the path has come to it meanwhile
                self.release_arm()

    def _start_command(
        self, now: float, joints: np.ndarray, gripper: float, undo: Callable[[], None]
    ) -> MotionCommand:
        """Return the command that leads a controller to where the motion begins."""
        there = self._rest.position_near(joints)
        away = self._rest.max_distance(now, there, joints)
        seconds, self.waiting = self._motion_start.prepare(now, there, joints, away)
        self._rest.on_start_command(there, away, now + seconds)

        def begin_again() -> None:
            undo()
            self.release_arm()

        self._undo = begin_again
        return replace(self.stationary_command(now, joints, gripper), first_offset=seconds)

    def _start_motion(self, now: float, position: np.ndarray) -> None:
        """Begin to move an arm that stands at a position. Shape (J,), [rad]."""
        self._tracker.start(position)
        still = np.zeros(len(position))
        self._sent = SentTrajectory([now], [Setpoint(position, still, still)])
        self._driving = True

    def _stop_after(self, now: float, still: bool) -> None:
        if not still:
            self._still_since = None
        elif self._still_since is None:
            self._still_since = now
        elif self.tripped or now - self._still_since > IDLE_AFTER_S:
            # After a trip at once: an arm that did not hear would leap to where it should be.
            self._rest.expect_end()
            self.release_arm()

    def _check_arm(self, now: float, joints: np.ndarray, measured_at: float) -> None:
        """Trip when the arm is not where it is commanded to be, or where it cannot be."""
        if problem := limit_problem(self._robot, joints, _LIMIT_EXCESS_RAD):
            self.trip(problem)
        if not self._is_commanded:
            return
        if not self._driving:
            if doubt := self._rest.doubt(joints, measured_at):
                self.trip(doubt)
            return
        self._rest.doubt(joints, measured_at)
        expected = self._rest.sent.expected
        if expected is None:
            return
        # Servos are a little late, and farther behind the faster they go.
        nearest = self._tracker.nearest_recent_command(joints, expected)
        if np.max(np.abs(nearest - joints)) < ARRIVED_RAD:
            self._rest.clear_doubt()
        command = self._sent.at(now).position if self._sent and self.sends_trajectories else None
        problem, stalled = self._arm_check.problem(now, joints, measured_at, nearest, command)
        if problem:
            self.trip(problem)
        if stalled:
            # A controller that was switched off would jump to the next trajectory when it is
            # switched on: nothing more is sent, and motion begins again where the arm stands.
            self._rest.forget_expected()
            self.release_arm()
