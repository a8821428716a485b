"""Publishes motion commands to the command sinks of the contract."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.duration import Duration

from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason
from vlm_robot_ros.motion.command_watchdog import CommandWatchdog
from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.motion.motion_controller import PREVIEW_TICKS
from vlm_robot_ros.plugins import command_sinks
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.ros.action_goal_client import ActionGoalClient
from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.runtime.control_loop import ControlLoop, Step
from vlm_robot_ros.sinks.base import SinkKind

_GRIPPER_CHANGE = 0.02
_COMMAND_TIMEOUT_S = 0.2
"""A real arm keeps a commanded speed for this time [s], or for the previewed ticks if longer."""
_LATE_FRACTION, _LATE_TICKS = 0.8, 5
"""The node does not send a trajectory that is late by more than this fraction of
`MotionController.committed`. After so many in a row the arm holds with a reason."""


def is_dry_run(output: str, robot: RobotConfig) -> bool:
    """Return whether no sink is sent anything; `auto` sends to simulated arms only."""
    return output == "dry" or (output == "auto" and not robot.simulated)


def create_sink(entities: LifecycleEntities, kind: SinkKind, topic: str) -> Any:
    """Return a publisher or an action client for a command sink; only the newest command counts.

    Args:
        entities: Of the node.
        kind: Of the sink.
        topic: Of the messages, or the action's name.
    """
    interface = kind.interface_class()
    if kind.is_action:
        return entities.create_client(
            lambda node, name: ActionGoalClient(node, interface, name), topic
        )
    return entities.create_publisher(interface, topic, 1)


class CommandPublisher:
    """Sends the motion commands of a control loop to the sinks."""

    def __init__(
        self,
        robot: RobotConfig,
        period: float,
        create_sink: Callable[[SinkKind, str], Any],
        dry_run: bool,
        loop: ControlLoop,
        clock: Callable[[], float],
    ) -> None:
        """Make the publishers, unless it is a dry run.

        Args:
            robot: The contract.
            period: Between two calls of `publish` [s].
            create_sink: Makes a publisher for a kind of sink on a topic.
            dry_run: Whether no sink is sent anything.
            loop: Whose commands are sent.
            clock: Returns the node's time [s].
        """
        self._robot, self._loop, self._clock = robot, loop, clock
        # A dry run needs no message types that only real arms use.
        sinks = () if dry_run else robot.sinks
        kinds: list[SinkKind] = [command_sinks()[sink.kind] for sink in sinks]
        self._sinks = [
            (kind, create_sink(kind, sink.topic)) for kind, sink in zip(kinds, sinks, strict=True)
        ]
        self._sent_opening: list[float | None] = [None] * len(self._sinks)
        self._resend = [True] * len(self._sinks)
        self._stopped = False
        self.late = 0
        """How many trajectories were too late to be sent."""
        self._late_in_row = 0
        self.stops = 0
        """How often the watchdog stopped an arm in motion."""
        self._velocity_sinks = [each for each in self._sinks if each[0].keeps_velocity]
        self.moving = False
        """Whether the last command moves the arm."""
        self._last = (0.0, 0.0)
        """When the last command was sent, by the node's clock and by the monotonic one [s]."""
        self._watchdog: CommandWatchdog | None = None
        # Simulated time may be as slow as it likes.
        if self._velocity_sinks and not robot.simulated:
            self._watchdog = CommandWatchdog(
                self._on_command_timeout, max(_COMMAND_TIMEOUT_S, PREVIEW_TICKS * period)
            )

    def resend_gripper(self) -> None:
        """Send the gripper's target again when the arm moves again: others may have moved it."""
        self._resend = [True] * len(self._sinks)

    def wait_for_acks(self, seconds: float) -> None:
        """Wait until the last commands are acknowledged, `seconds` at most."""
        until = time.monotonic() + seconds
        for kind, publisher in self._sinks:
            if not kind.is_action:
                publisher.wait_for_all_acked(Duration(seconds=max(0.0, until - time.monotonic())))

    def close(self) -> None:
        """End the watchdog."""
        if self._watchdog:
            self._watchdog.close()

    def _on_command_timeout(self) -> None:
        """Stop an arm in motion that gets no more commands: the control loop is held up."""
        self.stops += 1
        self.stop()

    def stop(self) -> None:
        """Publish a zero velocity. Position and trajectory sinks stop at their last setpoint."""
        sent, then = self._last
        now = sent + time.monotonic() - then
        for kind, publisher in self._velocity_sinks:
            publisher.publish(kind.stop_message(now, self._robot))

    @property
    def problem(self) -> HoldReason:
        """Why the arm has to wait: too many trajectories are late; empty when it need not."""
        if self._late_in_row < _LATE_TICKS:
            return MAY_MOVE
        text = f"the last {self._late_in_row} trajectories were too late: is the node held up?"
        return HoldReason(HoldCode.TRAJECTORIES_LATE, text)

    def publish(self, step: Step, now: float) -> bool:
        """Send the commands of a step that is due at `now` [s]; returns whether the arm moves."""
        motion = self._loop.motion
        if motion is None:
            return False
        action = step.action
        if action.is_stop:
            self._stopped = True
            for kind, publisher in self._sinks:
                if kind.is_action:
                    publisher.cancel_goals()
        elif self._stopped and not action.hold_reason:
            self._stopped = False
            self.resend_gripper()  # what was stopped was not done
        if step.motion is None:
            self._late_in_row = 0
            self.moving = self.moving and bool(motion.tripped)  # it may not have been braked
            if step.gripper_motion and any(self._gripper_target_changed(action.gripper)):
                self._send(step.gripper_motion, True, gripper_only=True)
            return False
        late = self._clock() - step.motion.time
        if motion.sends_trajectories and late > _LATE_FRACTION * motion.committed:
            # The node was held up. A controller would jump to where the arm should be by now.
            self.late, self._late_in_row = self.late + 1, self._late_in_row + 1
            motion.skip_tick()
            return True
        self._late_in_row = 0
        self._send(step.motion, bool(action.hold_reason))
        self.moving = bool(np.any(step.motion.preview.setpoints[0].velocity))
        self._last = now, time.monotonic()
        if self._watchdog:
            self._watchdog.on_command(self.moving)
        return self.moving

    def _gripper_target_changed(self, gripper: float) -> list[bool]:
        """Return for each sink whether its gripper target differs from what it was sent."""
        return [
            self._robot.has_gripper
            and kind.commands_gripper
            and sent is not None
            and abs(gripper - sent) > _GRIPPER_CHANGE
            for (kind, _), sent in zip(self._sinks, self._sent_opening, strict=True)
        ]

    def _send(self, motion: MotionCommand, holds: bool, gripper_only: bool = False) -> None:
        """Send a command to the sinks, or only to those whose gripper target has changed."""
        changed = self._gripper_target_changed(motion.gripper)
        for number, (kind, publisher) in enumerate(self._sinks):
            if not holds:  # on a hold an old target is not sent again
                refused = kind.is_action and publisher.was_refused
                changed[number] = changed[number] or self._resend[number] or refused
            if (kind.restarts_on_message or gripper_only) and not changed[number]:
                continue
            if publisher.publish(kind.message(motion, self._robot)) is not False:
                self._sent_opening[number] = motion.gripper
                self._resend[number] = self._resend[number] and holds
