"""How the policy node is doing: diagnostics, and the time from a picture to an action."""

from collections import deque

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from vlm_robot_ros.msg import Latency
from vlm_robot_ros.nodes.messages import diagnostics

_FRAMES = 500
"""How many frames the percentiles are of."""
_IDLE = ("no instruction", "waiting")


class Health:
    """Collects, and says it when asked."""

    def __init__(self) -> None:
        self._inference: deque[float] = deque(maxlen=100)
        self._latency: deque[float] = deque(maxlen=_FRAMES)
        self._stamp: float | None = None

    def thought(self, seconds: float) -> None:
        """Note how long the policy computed."""
        self._inference.append(seconds)

    def acted(self, stamp: float, now: float) -> None:
        """Note an action that answers the camera frame of time `stamp`; the first one counts."""
        if stamp != self._stamp:
            self._stamp = stamp
            self._latency.append(now - stamp)

    def latency(self) -> Latency | None:
        """Return the percentiles, without a stamp; None before the first action."""
        if not self._latency:
            return None
        p50, p95, p99 = np.percentile(self._latency, (50, 95, 99)).tolist()
        longest = max(self._latency)
        return Latency(count=len(self._latency), p50=p50, p95=p95, p99=p99, longest=longest)

    def status(self, reason: str, state: str, facts: dict[str, object]) -> DiagnosticArray:
        """Return what is to be said on /diagnostics, without its stamp.

        Args:
            reason: Why the arm holds; empty when it moves.
            state: What is done otherwise.
            facts: What else is to be said.
        """
        took = f"{1e3 * float(np.median(self._inference)):.1f}" if self._inference else "none yet"
        facts = {**facts, "inference_ms_p50": took}
        latency = self.latency()
        if latency:
            for name in ("p50", "p95", "p99"):
                facts[f"camera_to_action_ms_{name}"] = f"{1e3 * getattr(latency, name):.1f}"
        level = DiagnosticStatus.WARN
        if reason.startswith("tripped"):
            level = DiagnosticStatus.ERROR
        elif not reason or reason.startswith(_IDLE):
            level = DiagnosticStatus.OK
        text = f"holding: {reason}" if reason else state
        return diagnostics("policy_node: policy", level, text, facts)
