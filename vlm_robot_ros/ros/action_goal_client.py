"""A command sink that takes goals of an action, as most grippers do."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.action import ActionClient
from rclpy.node import Node

_RETRY_PERIOD_S = 1.0
"""Time after which a refused goal is sent again [s]."""


class _Goal:
    """One goal, from when it is sent until it is over."""

    def __init__(self, sent: Any, refused: Callable[[], None]) -> None:
        """Follow the goal of a future; `refused` is called when the server refuses it."""
        self.over, self._cancelled, self._refused = False, False, refused
        self._handle: Any = None
        sent.add_done_callback(self._on_answer)

    def cancel(self) -> None:
        """Cancel the goal, as soon as the server has accepted it."""
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


class ActionGoalClient:
    """Sends goals of an action; a new one replaces the last."""

    def __init__(self, node: Node, action: Any, name: str) -> None:
        """Make a client.

        Args:
            node: The node that sends the goals.
            action: Class of the action.
            name: Of the action.
        """
        self._client: Any = ActionClient(node, action, name)
        self._log, self._name = node.get_logger(), name
        self._goals: list[_Goal] = []
        self._refused_at = np.inf

    @property
    def was_refused(self) -> bool:
        """Whether the server refused the last goal, a second ago or longer."""
        return time.monotonic() - self._refused_at > _RETRY_PERIOD_S

    def publish(self, goal: Any) -> bool:
        """Send a goal; returns whether a server is there to take it."""
        if not self._client.server_is_ready():
            return False
        self._refused_at = np.inf
        self._goals = [each for each in self._goals if not each.over]
        self._goals.append(_Goal(self._client.send_goal_async(goal), self._refused))
        return True

    def cancel_goals(self) -> None:
        """Cancel all goals that are not reached yet: the fingers stop."""
        for goal in self._goals:
            goal.cancel()
        self._goals = []

    def destroy(self) -> None:
        """Free the client."""
        self._client.destroy()

    def _refused(self) -> None:
        self._refused_at = time.monotonic()
        self._log.warning(f"the server of action '{self._name}' refused a goal")
