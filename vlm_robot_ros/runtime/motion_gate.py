"""Whether an arm may move: enabled, stopped, tripped."""

from dataclasses import dataclass

from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason


@dataclass
class MotionGate:
    """Whether an arm may move; outlives the control loop that it is given to."""

    enabled: bool = True
    tripped: str = ""
    """Why the arm has tripped; empty when it has not."""
    stopped: bool = False
    """Whether somebody has stopped the arm since the last reset."""

    @property
    def problem(self) -> HoldReason:
        """Why the arm may not move; empty when it may."""
        if self.tripped:
            text = f"tripped: {self.tripped}; call ~/reset when it is mended"
            return HoldReason(HoldCode.TRIPPED, text)
        if self.stopped:
            text = "stopped by ~/stop; call ~/reset to let it move again"
            return HoldReason(HoldCode.STOP_SERVICE, text)
        if not self.enabled:
            return HoldReason(HoldCode.DISABLED, "disabled; call ~/enable")
        return MAY_MOVE
