"""How the policy node is doing: diagnostics, and the time from an image to an action."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from vlm_robot_ros.interfaces.hold import IDLE_CODES, HoldCode, HoldReason
from vlm_robot_ros.msg import Latency
from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.ros.message_conversions import diagnostic_status, to_stamp
from vlm_robot_ros.runtime.control_loop import ControlLoop
from vlm_robot_ros.runtime.loop_group import LoopGroup
from vlm_robot_ros.runtime.stream_monitor import StreamMonitor

_LATENCY_WINDOW = 500
"""How many frames the percentiles are of."""
_MIN_RATE_FRACTION = 0.5
"""A stream that comes at less than this part of the contract's rate is warned of."""


def loop_facts(loop: ControlLoop | LoopGroup) -> dict[str, object]:
    """Return what a control loop does, by its names on /diagnostics."""
    return {
        "instruction": loop.instruction.text,
        "instruction_id": loop.instruction.number,
        "step": loop.step_info.label(),
        "takeover": loop.takeover.source if loop.takeover and loop.is_taken_over else "",
    }


class DiagnosticsReporter:
    """Collects how the node is doing, and publishes it."""

    def __init__(self, node: str, entities: LifecycleEntities) -> None:
        """Create the publishers.

        Args:
            node: Its name, with its namespace.
            entities: Of the node.
        """
        self._node = node
        self._latencies = entities.create_publisher(Latency, "latency")
        self._status = entities.create_ungated_publisher(DiagnosticArray, "/diagnostics")
        self._inference: deque[float] = deque(maxlen=100)
        self._latency: deque[float] = deque(maxlen=_LATENCY_WINDOW)
        self._stamp: float | None = None

    def record_inference(self, seconds: float) -> None:
        """Note how long the policy computed."""
        self._inference.append(seconds)

    def record_action(self, stamp: float, now: float) -> None:
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

    def publish(
        self,
        reason: HoldReason,
        state: str,
        facts: dict[str, object],
        monitors: Sequence[StreamMonitor],
        now: float,
    ) -> None:
        """Publish diagnostics and latency; see `status`."""
        message = self.status(reason, state, facts, monitors, now)
        message.header.stamp = to_stamp(now)
        self._status.publish(message)
        if latency := self.latency():
            latency.header.stamp = message.header.stamp
            self._latencies.publish(latency)

    def status(
        self,
        reason: HoldReason,
        state: str,
        facts: dict[str, object],
        watches: Sequence[StreamMonitor],
        now: float,
    ) -> DiagnosticArray:
        """Return what is to be said on /diagnostics, without its stamp.

        Args:
            reason: Why the arm holds; empty when it moves.
            state: What is done otherwise.
            facts: What else is to be said.
            watches: Of the streams that come in; each has a status of its own.
            now: [s]
        """
        took = f"{1e3 * float(np.median(self._inference)):.1f}" if self._inference else "none yet"
        facts = {**facts, "hold_code": reason.code.name, "inference_ms_p50": took}
        latency = self.latency()
        if latency:
            for name in ("p50", "p95", "p99"):
                facts[f"camera_to_action_ms_{name}"] = f"{1e3 * getattr(latency, name):.1f}"
        level = DiagnosticStatus.WARN
        if reason.code is HoldCode.TRIPPED:
            level = DiagnosticStatus.ERROR
        elif reason.code in IDLE_CODES:
            level = DiagnosticStatus.OK
        text = f"holding: {reason}" if reason else state
        policy = diagnostic_status(f"{self._node}: policy", level, text, facts)
        streams = [self._stream_status(watch, now) for watch in watches]
        return DiagnosticArray(status=[policy, *streams])

    def _stream_status(self, watch: StreamMonitor, now: float) -> DiagnosticStatus:
        problem = watch.problem(now).removeprefix(f"{watch.name}: ")
        seldom = 0 < watch.rate < _MIN_RATE_FRACTION * watch.expected_rate
        text = problem or (f"{watch.rate:.1f} Hz" if watch.rate else "one message so far")
        if seldom and not problem:
            text += f", {watch.expected_rate:g} by the contract"
        if watch.note and not problem:
            text += f"; {watch.note}"
        level = DiagnosticStatus.OK
        if problem or seldom or watch.note:
            level = DiagnosticStatus.WARN
        rate = 0.0 if problem else watch.rate
        facts: dict[str, object] = {
            "rate_hz": f"{rate:.1f}",
            "expected_rate_hz": f"{watch.expected_rate:g}",
            "received": watch.received,
            "refused": watch.refusals,
        }
        return diagnostic_status(f"{self._node}: {watch.name}", level, text, facts)
