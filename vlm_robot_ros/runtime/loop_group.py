"""The control loops of several arms that do one instruction: what one is told, all are."""

from collections.abc import Sequence

from vlm_robot_ros.interfaces.action import StepInfo
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason
from vlm_robot_ros.interfaces.instruction import Instruction
from vlm_robot_ros.runtime.control_loop import ControlLoop

STOP_CODES = (HoldCode.STOP_WORD, HoldCode.STOP_SERVICE, HoldCode.DISABLED, HoldCode.TRIPPED,
              HoldCode.NODE_INACTIVE)  # fmt: skip
"""Stops; of several holds of other arms, these are told first."""
_OWN_CODES = (HoldCode.NONE, HoldCode.NO_INSTRUCTION, HoldCode.EMPTY_INSTRUCTION,
              HoldCode.WAITING_FOR_CHUNK, HoldCode.WAITING_FOR_MOTION_START,
              HoldCode.OTHER_ARM)  # fmt: skip
"""Holds of one arm for which the others need not wait: they have their own, or soon end."""


def hold_of_others(reasons: Sequence[tuple[str, HoldReason]]) -> HoldReason:
    """Return why an arm holds with others; empty where it need not.

    Args:
        reasons: The names of the other arms, and why they hold if they do.
    """
    found = [(arm, reason) for arm, reason in reasons if reason.code not in _OWN_CODES]
    if not found:
        return MAY_MOVE
    arm, reason = min(found, key=lambda pair: pair[1].code not in STOP_CODES)
    return HoldReason(HoldCode.OTHER_ARM, f"the {arm} arm holds: {reason}")


class LoopGroup:
    """Is to instructions, stops and goals what the `ControlLoop` of one arm is."""

    takeover = None
    """Nobody can take several arms over."""
    is_taken_over = False

    def __init__(self, loops: Sequence[ControlLoop]) -> None:
        """Take the loops of the arms; the first one's instruction is that of all."""
        self._first, *self._others = self._loops = list(loops)

    @property
    def instruction(self) -> Instruction:
        """The instruction that counts."""
        return self._first.instruction

    @property
    def ignored_instruction(self) -> str:
        """Why the last text did not become the instruction; empty when it did."""
        return self._first.ignored_instruction

    @property
    def step_info(self) -> StepInfo:
        """Which step of the instruction is done, where the policy says so."""
        return self._first.step_info

    @property
    def min_confidence(self) -> float:
        """As of `ControlLoop`."""
        return self._first.min_confidence

    @min_confidence.setter
    def min_confidence(self, value: float) -> None:
        for loop in self._loops:
            loop.min_confidence = value

    @property
    def blocked(self) -> HoldReason:
        """Why an arm may not move until somebody allows it; empty when all may."""
        return next(filter(None, (loop.blocked for loop in self._loops)), MAY_MOVE)

    def set_instruction(self, text: str, now: float) -> Instruction:
        """Take a text of time `now` [s]; returns the instruction that counts from now on."""
        for loop in self._others:
            loop.set_instruction(text, now)
        return self._first.set_instruction(text, now)

    def forget_instruction(self) -> None:
        """Take the instruction back: the arms come to rest and wait for another one."""
        for loop in self._loops:
            loop.forget_instruction()

    def has_chunk(self, now: float) -> bool:
        """Tell whether there is a chunk to execute at `now` [s], for each arm."""
        return all(loop.has_chunk(now) for loop in self._loops)

    def stop(self) -> None:
        """Stop the arms until `reset`."""
        for loop in self._loops:
            loop.stop()

    def enable(self, enabled: bool) -> None:
        """Allow or forbid motion; the arms wait for a new instruction after both."""
        for loop in self._loops:
            loop.enable(enabled)

    def reset(self) -> str:
        """End trips and stops; returns what was ended, empty when there was none."""
        ended = [loop.reset() for loop in self._loops]
        return "; ".join(dict.fromkeys(filter(None, ended)))

    def restart(self) -> None:
        """Begin after a time without steps: earlier instructions do not count."""
        for loop in self._loops:
            loop.restart()
