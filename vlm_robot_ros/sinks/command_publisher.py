"""The arm's end of a node: feeds the contract's command sinks, when that is allowed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import TwistStamped
from rclpy.duration import Duration
from std_srvs.srv import SetBool, Trigger

from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.motion.command_watchdog import CommandWatchdog
from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.motion.motion_controller import PREVIEW_TICKS, MotionController
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.ros.message_conversions import to_stamp
from vlm_robot_ros.sinks.command_encoders import MESSAGES
from vlm_robot_ros.sinks.gripper_action import GripperAction

_GRIPPER_CHANGE = 0.02
_COMMAND_TIMEOUT_S = 0.2
"""A real arm is told a speed for so long [s], or as many periods as are looked ahead."""
_LATE, _LATE_TICKS = 0.8, 5
"""A trajectory is not sent after this part of the time that it may be late. After so many in a row
the node says so."""
_EVENT_GRIPPER_KINDS = ("gripper_trajectory", "gripper_action", "parallel_gripper_action")
"""Sent anew they would start anew, so they are sent only when there is news."""
_STREAMED_GRIPPER_KINDS = ("gripper_positions", "joint_state")
"""The other kinds of sinks that tell a gripper."""


@dataclass
class MotionGate:
    """Whether an arm may be moved; outlives whatever moves it."""

    enabled: bool = True
    tripped: str = ""
    """Why not, until somebody resets it; empty when it may."""
    stopped: bool = False
    """Whether `~/stop` was called since the last `~/reset`."""


class CommandPublisher:
    """Sends drives to the sinks; can be disabled, and trips."""

    def __init__(
        self,
        robot: RobotConfig,
        period: float,
        publish: Callable[[type, str], Any],
        output: str,
        changed: Callable[[], None],
        permit: MotionGate,
        clock: Callable[[], float],
    ) -> None:
        """Make the publishers, unless it is a dry run.

        Args:
            robot: The contract.
            period: Of `send` [s].
            publish: Makes a publisher of a type on a topic.
            output: "live", "dry" or "auto": only a simulated arm is told anything.
            changed: Called when it is enabled, disabled or reset: what was asked for is off.
            permit: What stood before; is kept up to date.
            clock: Returns the node's time [s].
        """
        self._robot, self._changed, self._permit = robot, changed, permit
        joints = any(sink.kind.startswith("joint") for sink in robot.sinks)
        self.by_trajectory = any(sink.kind == "joint_trajectory" for sink in robot.sinks)
        """Whether a controller executes trajectories by their stamps."""
        self._clock = clock
        self.dry_run = output == "dry" or (output == "auto" and not robot.simulated)
        moves = any(sink.moves_arm for sink in robot.sinks)
        self._driver = MotionController(
            robot, period, not joints, self.by_trajectory, not self.dry_run and moves
        )
        self._driver.tripped = permit.tripped
        # A dry run needs no types of messages that only real arms do.
        fed = () if self.dry_run else robot.sinks
        self._sinks = [(sink.kind, publish(MESSAGES[sink.kind][0], sink.topic)) for sink in fed]
        self.drives = bool(robot.sinks)
        """Whether what is commanded becomes setpoints; in a dry run, too: it trips as it would."""
        self._told: list[float | None] = [None] * len(self._sinks)
        self._again = [True] * len(self._sinks)
        self._stopped = False
        self.late = 0
        """How many trajectories were not sent, because they were late."""
        self._late_in_row = 0
        self.stops = 0
        """How often an arm in motion was told nothing more, and was stopped."""
        self._by_speed = [publisher for kind, publisher in self._sinks if kind == "twist"]
        self.moving = False
        """Whether what was told last moves the arm."""
        self._last = (0.0, 0.0)
        """When something was told last, by the node's clock and by one that only goes on [s]."""
        self._watch: CommandWatchdog | None = None
        # Simulated time may be as slow as it likes.
        if self._by_speed and not robot.simulated:
            self._watch = CommandWatchdog(
                self._on_command_timeout, max(_COMMAND_TIMEOUT_S, PREVIEW_TICKS * period)
            )

    def resend_gripper(self) -> None:
        """Tell the gripper anew when the arm acts again: others may have moved it."""
        self._again = [True] * len(self._sinks)

    def wait_for_acks(self, seconds: float) -> None:
        """Wait until what was told last has been heard, `seconds` at most."""
        until = time.monotonic() + seconds
        for _, publisher in self._sinks:
            if not isinstance(publisher, GripperAction):
                publisher.wait_for_all_acked(Duration(seconds=max(0.0, until - time.monotonic())))

    def close(self) -> None:
        """Watch no more."""
        if self._watch:
            self._watch.close()

    def _on_command_timeout(self) -> None:
        """Stop an arm in motion that is told nothing more: whoever tells it is held up."""
        self.stops += 1
        self.stop()

    def stop(self) -> None:
        """Say that the speed is none; what is told places or paths stands at their end."""
        still = TwistStamped()
        told, then = self._last
        still.header.stamp = to_stamp(told + time.monotonic() - then)
        still.header.frame_id = self._robot.base_frame
        for publisher in self._by_speed:
            publisher.publish(still)

    @property
    def blocked(self) -> str:
        """Why the arm may not move; empty when it may."""
        if self._driver.tripped:
            return f"tripped: {self._driver.tripped}; call ~/reset when it is mended"
        if self._permit.stopped:
            return "stopped by ~/stop; call ~/reset to let it move again"
        return "" if self._permit.enabled else "disabled; call ~/enable"

    @property
    def stop_problem(self) -> str:
        """Why motion cannot begin yet; empty when it can."""
        if self._late_in_row >= _LATE_TICKS:
            return f"the last {self._late_in_row} trajectories were too late: is the node held up?"
        return self._driver.waiting if self.drives else ""

    @property
    def preview_ticks(self) -> int:
        """How many ticks `send` looks ahead."""
        return self._driver.ahead

    def restart(self) -> None:
        """Begin again after a time without commands; see `MotionController.restart`."""
        self._driver.restart()

    def release(self) -> None:
        """Send nothing more to a trajectory controller; see `MotionController.release`."""
        if self.by_trajectory:
            self._driver.release()

    def send(
        self, now: float, command: ActionCommand, ahead: Sequence[np.ndarray], arm: RobotState
    ) -> bool:
        """Command the arm; returns whether it still moves. See `MotionController.update`."""
        if not self.drives:
            return False
        if command.is_stop:
            self._stopped = True
            for _, publisher in self._sinks:
                if isinstance(publisher, GripperAction):
                    publisher.cancel_goals()
        elif self._stopped and not command.hold_reason:
            self._stopped = False
            self.resend_gripper()  # what was stopped was not done
        try:
            drive = self._driver.update(now, command, ahead, arm.joints, arm.time)
        except Exception as error:  # whatever it is: the last path ends at a stand
            self._driver.trip(f"no setpoint could be found: {error!r}")
            self.release()
            drive = None
        self._permit.tripped = self._driver.tripped
        if drive is None:
            self._late_in_row = 0
            self.moving = self.moving and bool(self._driver.tripped)  # there may have been no way
            # The arm stands and is told nothing, but its fingers may be in motion.
            if command.is_stop and any(self._gripper_target_changed(command.gripper)):
                self._publish(
                    self._driver.stationary_command(now, arm.joints, command.gripper),
                    command,
                    True,
                )
            return False
        if self.by_trajectory and self._clock() - drive.time > _LATE * self._driver.committed:
            # The node was held up. A controller would jump to where the arm should be by now.
            self.late, self._late_in_row = self.late + 1, self._late_in_row + 1
            self._driver.skip_tick()
            return True
        self._late_in_row = 0
        self._publish(drive, command)
        self.moving = bool(np.any(drive.preview.setpoints[0].velocity))
        self._last = now, time.monotonic()
        if self._watch:
            self._watch.on_command(self.moving)
        return self.moving

    def _gripper_target_changed(self, gripper: float) -> list[bool]:
        """Tell for each sink whether the gripper shall go elsewhere than it was told by it."""
        return [
            self._robot.has_gripper
            and kind in (*_EVENT_GRIPPER_KINDS, *_STREAMED_GRIPPER_KINDS)
            and told is not None
            and abs(gripper - told) > _GRIPPER_CHANGE
            for (kind, _), told in zip(self._sinks, self._told, strict=True)
        ]

    def _publish(
        self, drive: MotionCommand, command: ActionCommand, fingers: bool = False
    ) -> None:
        """Send a drive to the sinks, or only to those that tell `fingers` what is new."""
        news = self._gripper_target_changed(drive.gripper)
        for number, (kind, publisher) in enumerate(self._sinks):
            if not command.hold_reason:  # what was meant long ago is not said again on a hold
                refused = isinstance(publisher, GripperAction) and publisher.was_refused
                news[number] = news[number] or self._again[number] or refused
            if (kind in _EVENT_GRIPPER_KINDS or fingers) and not news[number]:
                continue
            if publisher.publish(MESSAGES[kind][1](drive, self._robot)) is not False:
                self._told[number] = drive.gripper
                self._again[number] = self._again[number] and bool(command.hold_reason)

    # -- Services --------------------------------------------------------------------------------

    def on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Allow or forbid motion; what was asked for before is off."""
        self._permit.enabled, response.success = request.data, True
        if request.data:
            self.resend_gripper()
        self._changed()
        response.message = self.blocked or ("a dry run: no arm is told" if self.dry_run else "")
        return response

    def on_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Stop the arm; whatever is published, it stays stopped until `~/reset`."""
        self._permit.stopped, response.success = True, True
        self._changed()
        response.message = self.blocked
        return response

    def on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """End a trip, and a stop of `on_stop`."""
        stopped = "it was stopped by ~/stop" if self._permit.stopped else ""
        response.message = self._driver.tripped or stopped or "it had not tripped"
        response.success = bool(self._driver.tripped or stopped)
        self._driver.reset()
        self._permit.tripped, self._permit.stopped = "", False
        self.resend_gripper()
        self._changed()
        return response
