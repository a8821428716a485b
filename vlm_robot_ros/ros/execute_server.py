"""The action `~/execute`: an instruction as a goal, with feedback, a result and cancellation."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.lifecycle import LifecycleNode

from vlm_robot_ros.action import Execute
from vlm_robot_ros.interfaces.action import ActionChunk
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason
from vlm_robot_ros.interfaces.instruction import InstructionKind
from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.runtime.control_loop import ControlLoop
from vlm_robot_ros.runtime.loop_group import LoopGroup

Result = Execute.Result
_FEEDBACK_PERIOD_S = 0.1
_REFUSED_AFTER_S = 4.0
"""How long the policy holds before its reason is the answer [s]: the hand may be in its way."""
_QUESTIONS = (HoldCode.POLICY_ASKS, HoldCode.POLICY_PROPOSES)
_POLICY_HOLDS = (HoldCode.POLICY_HOLD, HoldCode.LOW_CONFIDENCE, HoldCode.WORKSPACE,
                 HoldCode.INVALID_CHUNK, *_QUESTIONS)  # fmt: skip
_OUTCOMES = {HoldCode.TRIPPED: Result.TRIPPED, HoldCode.NODE_INACTIVE: Result.NODE_INACTIVE}
"""Of holds that end a goal; the others are stops."""


@dataclass
class _Goal:
    """The goal that runs."""

    handle: Any
    number: int
    """Of its instruction."""
    began: float
    """[s]"""
    told: float = -math.inf
    """When its client was told last [s]."""
    held_since: float | None = None
    """Since when the policy holds [s]."""
    ending: tuple[int, HoldReason] | None = None
    """Its outcome, when the arm has come to rest."""


class ExecuteServer:
    """Takes one goal at a time; a new one takes the place of the last.

    The node's executor polls a coroutine that waits, so nothing here does: a goal counts as
    accepted while its instruction is done, and is executed, for rclpy, when its outcome is known.
    """

    def __init__(
        self,
        entities: LifecycleEntities,
        loop: ControlLoop | LoopGroup,
        lock: threading.Lock,
        take: Callable[[str], str],
        now: Callable[[], float],
    ) -> None:
        """Create the server.

        Args:
            entities: Of the node.
            loop: Of the node.
            lock: Held while the loop is changed; the caller of a method does not hold it.
            take: Takes an instruction as from the topic; returns why it does not count, or "".
            now: Returns the time of the loop [s].
        """
        self._loop, self._lock, self._take, self._now = loop, lock, take, now
        self.chunk: ActionChunk | None = None
        """The policy's last answer."""
        self.active = False
        """Whether the node is active."""
        self._goal: _Goal | None = None
        self._results: dict[bytes, Any] = {}
        """What the clients of goals that are over are told."""
        entities.create_action_server(self._make, "~/execute")

    def _make(self, node: LifecycleNode, name: str) -> Any:
        return ActionServer(
            node, Execute, name, self._on_execute,
            handle_accepted_callback=self._on_accepted,
            cancel_callback=lambda handle: CancelResponse.ACCEPT,
        )  # fmt: skip

    def _on_accepted(self, handle: Any) -> None:
        goal, now = handle.request, self._now()
        blocked = self._loop.blocked
        if not self.active:
            blocked = HoldReason(HoldCode.NODE_INACTIVE, "the node is not active")
        if not (math.isfinite(goal.time_limit) and goal.time_limit >= 0):
            text = f"time_limit is {goal.time_limit}; valid: 0 (never) or more seconds"
            blocked = HoldReason(HoldCode.UNKNOWN, text)
        if blocked:
            self._finish(handle, Result.REJECTED, blocked)
            return
        before = self._loop.instruction.number
        if ignored := self._take(goal.instruction):
            self._finish(handle, Result.REJECTED, HoldReason(HoldCode.UNKNOWN, ignored))
            return
        instruction = self._loop.instruction
        if instruction.number == before:  # a word of pace: what runs goes on
            self._finish(handle, Result.SUCCEEDED)
            return
        self._end(Result.PREEMPTED, HoldReason(HoldCode.NO_INSTRUCTION, "another goal came"))
        if instruction.kind is not InstructionKind.TASK:
            stop = instruction.kind is InstructionKind.STOP
            text = "it is a stop" if stop else "it has no words"
            code = HoldCode.STOP_WORD if stop else HoldCode.EMPTY_INSTRUCTION
            outcome = Result.STOPPED if stop else Result.REJECTED
            self._finish(handle, outcome, HoldReason(code, text))
            return
        self._goal, self.chunk = _Goal(handle, instruction.number, now), None

    def update(self, hold: HoldReason, moves: bool) -> None:
        """Tell the client of the goal how it goes, and end the goal when it is over.

        Args:
            hold: Why the arm holds, if it does.
            moves: Whether the arm is commanded to move.
        """
        if (goal := self._goal) is None:
            return
        now, instruction = self._now(), self._loop.instruction
        if goal.ending is not None:
            # Another instruction may move the arm on before it has come to rest.
            if not moves or instruction.number != goal.number:
                self._end(*goal.ending)
            return
        if blocked := self._loop.blocked:
            self._end(_OUTCOMES.get(blocked.code, Result.STOPPED), blocked)
        elif instruction.kind is InstructionKind.STOP:
            self._end(Result.STOPPED, hold or HoldReason(HoldCode.STOP_WORD, instruction.text))
        elif instruction.number != goal.number:
            text = f"another instruction came: '{instruction.text}'"
            self._end(Result.PREEMPTED, HoldReason(HoldCode.NO_INSTRUCTION, text))
        elif goal.handle.is_cancel_requested:
            self._brake(goal, Result.CANCELED, "canceled by the client")
        elif self._loop.step_info.done:
            self._end(Result.SUCCEEDED, MAY_MOVE)
        elif 0 < goal.handle.request.time_limit < now - goal.began:
            text = f"not done in {goal.handle.request.time_limit:g} s"
            self._brake(goal, Result.TIMED_OUT, text)
        elif not self._is_refused(goal, hold, now) and now - goal.told >= _FEEDBACK_PERIOD_S:
            goal.told = now
            step, chunk = self._loop.step_info, self.chunk
            goal.handle.publish_feedback(Execute.Feedback(
                step_index=step.number, step_count=step.of, step=step.text,
                label=chunk.label if chunk else "", confidence=chunk.confidence if chunk else 0.0,
                hold_code=int(hold.code), hold_reason=str(hold),
            ))  # fmt: skip

    def deactivate(self, reason: HoldReason) -> None:
        """End the goal that runs: the node is no longer active."""
        self.active = False
        self._end(Result.NODE_INACTIVE, reason)

    def _is_refused(self, goal: _Goal, hold: HoldReason, now: float) -> bool:
        """End a goal that the policy does not begin; returns whether it did."""
        if hold.code not in _POLICY_HOLDS:
            goal.held_since = None
            return False
        if goal.held_since is None:
            goal.held_since = now
        if hold.code in _QUESTIONS:
            self._end(Result.QUESTION, hold)
        elif now - goal.held_since > _REFUSED_AFTER_S:
            self._end(Result.REFUSED, hold)
        return self._goal is None

    def _brake(self, goal: _Goal, outcome: int, reason: str) -> None:
        """Take the instruction back; the goal ends when the arm has come to rest."""
        goal.ending = (outcome, HoldReason(HoldCode.NO_INSTRUCTION, reason))
        with self._lock:
            self._loop.forget_instruction()

    def _end(self, outcome: int, reason: HoldReason) -> None:
        if self._goal is not None:
            handle, self._goal = self._goal.handle, None
            self._finish(handle, outcome, reason)

    def _finish(self, handle: Any, outcome: int, reason: HoldReason = MAY_MOVE) -> None:
        result = Result(outcome=outcome, hold_code=int(reason.code), reason=str(reason))
        self._results[bytes(handle.goal_id.uuid)] = result
        handle.execute()

    def _on_execute(self, handle: Any) -> Any:
        """Tell the client the outcome."""
        result = self._results.pop(bytes(handle.goal_id.uuid))
        if result.outcome == Result.SUCCEEDED:
            handle.succeed()
        elif handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return result
