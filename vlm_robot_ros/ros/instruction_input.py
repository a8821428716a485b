"""What is said to the policy node, on the topic `instruction` or by a goal of an action."""

import threading
import time
from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock
from rclpy.impl.rcutils_logger import RcutilsLogger
from std_msgs.msg import String

from vlm_robot_ros.interfaces.instruction import Instruction
from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.runtime.control_loop import ControlLoop
from vlm_robot_ros.runtime.loop_group import LoopGroup
from vlm_robot_ros.terminal_text import escape_unprintable

_QUEUE = 2000
"""Words that may wait; of more at once the oldest are lost, a stop among them."""
_LISTEN_S = 2e-3
"""How long it listens at a time to words that come all at once [s]."""


class InstructionInput:
    """Gives the control loop what is said."""

    def __init__(
        self,
        entities: LifecycleEntities,
        loop: ControlLoop | LoopGroup,
        lock: threading.Lock,
        logger: RcutilsLogger,
        clock: Clock,
        taken: Callable[[Instruction, bool], None],
    ) -> None:
        """Subscribe to the topic.

        Args:
            entities: Of the node.
            loop: Takes the instructions.
            lock: Held while the loop is changed.
            logger: Of the node.
            clock: Of the node, and of the loop.
            taken: Called with the instruction that counts from now on, and whether it is a new
                one, while `lock` is held.
        """
        self._loop, self._lock, self._logger = loop, lock, logger
        self._clock, self._taken = clock, taken
        self.active = False
        """Whether what is said counts."""
        self._next: Callable[[], Any] = entities.create_subscription(
            String, "instruction", self._on_message, _QUEUE
        )

    def _on_message(self, message: String) -> None:
        """Take it, and those queued behind it, so that no flood of text delays a stop."""
        if self.active:
            self.take(message.data, self._next)
        else:
            self._logger.warning("ignoring instruction: the node is inactive")

    def take(self, text: str, following: Callable[[], Any] = lambda: None) -> str:
        """Take a text, and for a moment the messages behind it.

        Returns:
            Why the last of them does not count; empty when it does.
        """
        before, until = self._loop.instruction.number, time.monotonic() + _LISTEN_S
        said: str | None = text
        with self._lock:
            while said is not None:
                now = self._clock.now().nanoseconds * 1e-9
                instruction = self._loop.set_instruction(said, now)
                message = following() if time.monotonic() < until else None
                said = None if message is None else message.data
            self._taken(instruction, instruction.number != before)
        ignored = self._loop.ignored_instruction
        if ignored:
            self._logger.warning(
                f"ignoring instruction: {escape_unprintable(ignored)}", throttle_duration_sec=1.0
            )
        if instruction.number != before:
            words = escape_unprintable(instruction.text)
            self._logger.info(f"instruction {instruction.number}: '{words}'")
        return ignored
