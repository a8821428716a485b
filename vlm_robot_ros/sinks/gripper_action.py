"""A gripper that is told by an action, as most real ones are."""

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from rclpy.action import ActionClient
from rclpy.node import Node

from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.robot.config import RobotConfig

_RETRY_PERIOD_S = 1.0
"""A goal that was refused is sent again after so long [s]."""


class _Goal:
    """One goal, from when it is sent until it is over."""

    def __init__(self, sent: Any, refused: Callable[[], None]) -> None:
        """Follow what was `sent`; `refused` is called when the server does not take it."""
        self.over, self._cancelled, self._refused = False, False, refused
        self._handle: Any = None
        sent.add_done_callback(self._on_answer)

    def cancel(self) -> None:
        """Take it back, as soon as the server has taken it."""
        self._cancelled = True
        if self._handle is not None and not self.over:
            self._handle.cancel_goal_async()

    def _on_answer(self, sent: Any) -> None:
        handle = sent.result()
        if not handle.accepted:
            self.over = True
            self._refused()
            return
        self._handle = handle
        handle.get_result_async().add_done_callback(self._on_result)
        if self._cancelled:
            self.cancel()

    def _on_result(self, _: Any) -> None:
        self.over = True


class GripperGoal(NamedTuple):
    """Where a gripper's joint shall be."""

    joint: str
    position: float
    effort: float
    """With what it may press [N]; 0 leaves it to the gripper's controller."""


class GripperAction:
    """Sends goals of `control_msgs/action/GripperCommand`; a new one replaces the last."""

    kind = "GripperCommand"

    def __init__(self, node: Node, name: str) -> None:
        """Make a client of the action `name`.

        Raises:
            ModuleNotFoundError: control_msgs is not installed, or has no such action.
        """
        try:
            self._kind: Any = getattr(import_module("control_msgs.action"), self.kind)
        except (ModuleNotFoundError, AttributeError) as error:
            raise ModuleNotFoundError(
                f"the sink of action '{name}' needs control_msgs/action/{self.kind}: "
                "sudo apt-get install ros-$ROS_DISTRO-control-msgs"
            ) from error
        self._client: Any = ActionClient(node, self._kind, name)
        self._log, self._name = node.get_logger(), name
        self._goals: list[_Goal] = []
        self._refused_at = np.inf

    @property
    def was_refused(self) -> bool:
        """Whether the last goal was not taken, a second ago or longer."""
        return time.monotonic() - self._refused_at > _RETRY_PERIOD_S

    def publish(self, told: GripperGoal) -> bool:
        """Send a goal; returns whether there is somebody to take it."""
        if not self._client.server_is_ready():
            return False
        self._refused_at = np.inf
        goal: Any = self._kind.Goal()
        self._fill(goal.command, told)
        self._goals = [each for each in self._goals if not each.over]
        self._goals.append(_Goal(self._client.send_goal_async(goal), self._refused))
        return True

    def cancel_goals(self) -> None:
        """Take back what it has not done yet: the fingers stop."""
        for goal in self._goals:
            goal.cancel()
        self._goals = []

    def destroy(self) -> None:
        """Free the client."""
        self._client.destroy()

    def _fill(self, command: Any, told: GripperGoal) -> None:
        command.position, command.max_effort = told.position, told.effort

    def _refused(self) -> None:
        self._refused_at = time.monotonic()
        self._log.warning(f"the gripper's action '{self._name}' did not take a goal")


class ParallelGripperAction(GripperAction):
    """As `GripperAction`, by `control_msgs/action/ParallelGripperCommand`."""

    kind = "ParallelGripperCommand"

    def _fill(self, command: Any, told: GripperGoal) -> None:
        command.name, command.position = [told.joint], [told.position]
        command.effort = [told.effort] if told.effort else []


def gripper_goal(drive: MotionCommand, robot: RobotConfig) -> GripperGoal:
    """Return where the gripper's joint shall be, and with what it may press."""
    gripper = robot.gripper
    return GripperGoal(gripper.joint, gripper.position(drive.gripper), gripper.max_effort)
