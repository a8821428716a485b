"""Why an arm holds: a code for programs, a text for people, and what ends the hold."""

from enum import IntEnum
from typing import NamedTuple


class HoldCode(IntEnum):
    """Why the arm holds. The numbers are those of `VlmAction.hold_code` and never change."""

    NONE = 0
    UNKNOWN = 1
    # Nothing is asked for yet.
    NO_INSTRUCTION = 10
    EMPTY_INSTRUCTION = 11
    INSTRUCTION_EXPIRED = 12
    WAITING_FOR_CHUNK = 13
    WAITING_FOR_MOTION_START = 14
    # A person or program has stopped the arm.
    STOP_WORD = 20
    STOP_SERVICE = 21
    DISABLED = 22
    TRIPPED = 23
    NODE_INACTIVE = 24
    TAKEOVER = 25
    OTHER_ARM = 26
    # An input cannot be relied on.
    INPUT_MISSING = 30
    INPUT_STALE = 31
    INPUT_FROZEN = 32
    INPUT_INVALID = 33
    CLOCK_MISMATCH = 34
    SPEED_SCALING = 35
    TIME_STOPPED = 36
    # The policy does not say where to go.
    POLICY_HOLD = 40
    LOW_CONFIDENCE = 41
    INVALID_CHUNK = 42
    WORKSPACE = 43
    POLICY_UNAVAILABLE = 44
    POLICY_ASKS = 45
    POLICY_PROPOSES = 46
    # The node is too slow.
    TRAJECTORIES_LATE = 50


IDLE_CODES = (
    HoldCode.NONE,
    HoldCode.NO_INSTRUCTION,
    HoldCode.WAITING_FOR_CHUNK,
    HoldCode.WAITING_FOR_MOTION_START,
)
"""Codes of ordinary operation: nothing is wrong."""


class HoldRule(NamedTuple):
    """Where a hold comes from, and what ends it."""

    source: str
    """What causes it."""
    latches: bool
    """Whether it stays when its cause is gone."""
    cleared_by: str


_NEW_INSTRUCTION = "a new instruction"
HOLD_RULES = {
    HoldCode.UNKNOWN: HoldRule("a message without a code", False, "its cause"),
    HoldCode.NO_INSTRUCTION: HoldRule(
        "no instruction since the start, activation or a reset, or one that was taken back",
        False,
        _NEW_INSTRUCTION,
    ),
    HoldCode.EMPTY_INSTRUCTION: HoldRule(
        "an instruction without words, such as '?!'", False, _NEW_INSTRUCTION
    ),
    HoldCode.INSTRUCTION_EXPIRED: HoldRule(
        "an instruction older than `instruction_timeout`", True, "an instruction, also the same"
    ),
    HoldCode.WAITING_FOR_CHUNK: HoldRule(
        "no action chunk yet, or the last one is over", False, "the policy's next action chunk"
    ),
    HoldCode.WAITING_FOR_MOTION_START: HoldRule(
        "an arm that still moves, or a controller that is not at the start of the motion",
        False,
        "the arm at rest at the start of the motion",
    ),
    HoldCode.STOP_WORD: HoldRule(
        "a stop word, or 'wait', 'hold on', 'pause'", True,
        "an instruction after half a second without one; `~/reset`, `~/enable` or activation",
    ),
    HoldCode.STOP_SERVICE: HoldRule(
        "`~/stop`, or the console's stop button", True, "`~/reset`, then a new instruction"
    ),
    HoldCode.DISABLED: HoldRule(
        "`~/enable` with false", True, "`~/enable` with true, then a new instruction"
    ),
    HoldCode.TRIPPED: HoldRule(
        "a joint outside its limits, an arm that does not follow, a tool that leaves the "
        "workspace, positions that jump, values that are not finite, no setpoint within limits",
        True,
        "`~/reset`, then a new instruction",
    ),
    HoldCode.NODE_INACTIVE: HoldRule(
        "deactivation or the end of the node", True, "activation, then a new instruction"
    ),
    HoldCode.TAKEOVER: HoldRule(
        "a person who cannot take the arm over yet: a leader arm is elsewhere, or the arm was "
        "stopped while the person was sending",
        False,
        "a leader arm near the arm; nothing sent for `takeover_timeout`",
    ),
    HoldCode.OTHER_ARM: HoldRule(
        "another arm of the robot that holds", False, "what ends the hold of the other arm"
    ),
    HoldCode.INPUT_MISSING: HoldRule("an input that never came", False, "the input"),
    HoldCode.INPUT_STALE: HoldRule("an input that is too old", False, "a newer message"),
    HoldCode.INPUT_FROZEN: HoldRule("a stamp or an image that does not change", False,
                                    "a message that does"),
    HoldCode.INPUT_INVALID: HoldRule("a message that cannot be used", False, "a valid message"),
    HoldCode.CLOCK_MISMATCH: HoldRule(
        "stamps of another clock than the node's", False, "synchronous clocks"
    ),
    HoldCode.SPEED_SCALING: HoldRule(
        "a controller that scales its speed below 100 %", False, "100 %"
    ),
    HoldCode.TIME_STOPPED: HoldRule("a clock that stands still", False, "the clock"),
    HoldCode.POLICY_HOLD: HoldRule(
        "a policy that refuses or does not understand", False,
        "an action chunk of the policy, usually after a new instruction",
    ),
    HoldCode.LOW_CONFIDENCE: HoldRule(
        "an action chunk below `min_confidence`", False, "a more confident action chunk"
    ),
    HoldCode.INVALID_CHUNK: HoldRule(
        "an action chunk that cannot be executed", False, "a valid action chunk"
    ),
    HoldCode.WORKSPACE: HoldRule(
        "an action chunk that leaves the workspace", False, "an action chunk inside it"
    ),
    HoldCode.POLICY_UNAVAILABLE: HoldRule(
        "a policy process that failed or does not answer", False, "its next answer"
    ),
    HoldCode.POLICY_ASKS: HoldRule(
        "a policy that asks what is meant", False, "an answer, or another instruction",
    ),
    HoldCode.POLICY_PROPOSES: HoldRule(
        "a policy that asks whether it shall do something", False,
        "'yes', or another instruction",
    ),
    HoldCode.TRAJECTORIES_LATE: HoldRule(
        "trajectories that the node sends too late", False, "trajectories in time"
    ),
}  # fmt: skip
"""What each code means; the documentation's table is made from it."""


class HoldReason(str):
    """The text of a hold, with its code. Empty, with `HoldCode.NONE`, when the arm may move."""

    code: HoldCode

    def __new__(cls, code: HoldCode, text: str) -> "HoldReason":
        """Make a reason."""
        reason = super().__new__(cls, text)
        reason.code = code if text else HoldCode.NONE
        return reason

    def __getnewargs__(self) -> tuple[HoldCode, str]:  # type: ignore[override]
        """Return what `pickle` makes it of."""
        return self.code, str(self)

    @classmethod
    def of(cls, text: str, code: HoldCode) -> "HoldReason":
        """Return a text as a reason: with its own code if it has one, else with `code`."""
        return text if isinstance(text, cls) else cls(code, text)


MAY_MOVE = HoldReason(HoldCode.NONE, "")
"""No reason to hold."""
