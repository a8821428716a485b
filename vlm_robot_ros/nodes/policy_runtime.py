"""What the policy node does while it is configured: hear and see, ask, drive, report."""

import math
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from vlm_robot_ros import __version__
from vlm_robot_ros.inference.subprocess_policy import SubprocessPolicy
from vlm_robot_ros.inference.worker import InferenceRequest, InferenceWorker
from vlm_robot_ros.interfaces.action import ActionChunk
from vlm_robot_ros.interfaces.instruction import InstructionKind
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.msg import ActionChunk as ChunkMessage
from vlm_robot_ros.msg import Latency, PolicyInput, TaskLabel, VlmAction
from vlm_robot_ros.realtime import raise_dds_receiver_priority, set_thread_priority
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.ros.diagnostics import DiagnosticsReporter
from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.ros.message_conversions import (
    action_message,
    chunk_message,
    input_message,
    label_message,
    to_stamp,
)
from vlm_robot_ros.ros.observation_buffer import ObservationBuffer
from vlm_robot_ros.ros.policy_parameters import describe_checkpoint, worker_thread_priority
from vlm_robot_ros.ros.policy_visualizer import PolicyVisualizer
from vlm_robot_ros.runtime.chunk_executor import ChunkExecutor
from vlm_robot_ros.runtime.tick_schedule import TickSchedule
from vlm_robot_ros.sinks.command_publisher import CommandPublisher, MotionGate
from vlm_robot_ros.terminal_text import escape_unprintable

_EXTRA_STOP_TIME_S = 1.0
"""How much longer than by its limits an arm may take to come to a stand [s]."""
_INSTRUCTION_QUEUE = 2000
"""Words that may wait; of more at once the oldest are lost, a stop among them."""
_LISTEN_S = 2e-3
"""How long it listens at a time to words that come all at once [s]."""
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class PolicyRuntime:
    """Plays what a policy plans for the newest image and the last words, or holds."""

    def __init__(
        self,
        node: LifecycleNode,
        wires: LifecycleEntities,
        robot: RobotConfig,
        policy: SubprocessPolicy,
        values: Mapping[str, Any],
        permit: MotionGate,
    ) -> None:
        """Connect the topics; nothing is acted on before `begin`.

        Args:
            node: Whose clock and log these are.
            wires: The node's; whoever gave them cuts them.
            robot: The contract.
            policy: Whoever gave it closes it.
            values: Of the node's parameters.
            permit: Whether the arm may be told anything; outlives this.
        """
        self._node, self._robot, self._policy = node, robot, policy
        self._lock = threading.Lock()
        self._thinker: InferenceWorker | None = None
        self._active = False
        self._behind = worker_thread_priority(values)
        if refused := set_thread_priority(
            int(values["thread_priority"])
        ):  # this thread is the tick's
            node.get_logger().info(f"{refused}; how to have it is in the README")
        raise_dds_receiver_priority(self._behind)
        self._period = 1.0 / values["control_rate"]
        self._beat = TickSchedule(self._period)
        self._kinematics = Kinematics(robot)
        self._senses = ObservationBuffer(
            robot,
            [robot.camera(name) for name in policy.cameras],
            values["image_timeout"] or robot.image_timeout,
            values["joint_state_timeout"] or robot.joint_state_timeout,
            node.get_clock(),
            node.get_logger().warning,
        )
        self._pilot = ChunkExecutor(
            robot,
            self._senses.monitors,
            self._period,
            values["blend"],
            values["min_confidence"],
            values["ensemble"],
            values["joined_steps"],
            values["instruction_timeout"],
        )
        self._facts = {"policy": values["policy"], "checkpoint": describe_checkpoint(values)}
        self._reported = self._reason = self._held = ""
        self._state = DiagnosticsReporter(node.get_fully_qualified_name().lstrip("/"))
        self._ticks = self._ticks_reported = 0
        self._connect(wires, values, permit)

    def _connect(
        self, wires: LifecycleEntities, values: Mapping[str, Any], permit: MotionGate
    ) -> None:
        self._actions = wires.create_publisher(VlmAction, "action")
        self._chunks = wires.create_publisher(ChunkMessage, "action_chunk")
        self._inputs = wires.create_publisher(PolicyInput, "policy_input")
        self._labels = wires.create_publisher(TaskLabel, "task_label")
        self._show = PolicyVisualizer(wires, self._robot, self._policy)
        self._current = wires.create_publisher(String, "current_instruction", _LATCHED)
        self._latencies = wires.create_publisher(Latency, "latency")
        self._health = wires.create_ungated_publisher(DiagnosticArray, "/diagnostics")
        sink, output, changed = wires.create_command_sink, values["output"], self._on_gate_changed
        self._output = CommandPublisher(
            self._robot, self._period, sink, output, changed, permit, self._now
        )
        wires.on_destroy(self._output.close)
        wires.create_service(SetBool, "~/enable", self._output.on_enable)
        wires.create_service(Trigger, "~/reset", self._output.on_reset)
        wires.create_service(Trigger, "~/stop", self._output.on_stop)
        self._senses.create_subscriptions(
            wires, values["image_transport"], self._request_inference
        )
        self._next_instruction = wires.create_subscription(
            String, "instruction", self._on_instruction, _INSTRUCTION_QUEUE
        )
        wires.create_timer(self._period, self._tick)
        wires.create_timer(0.5, self._publish_diagnostics, Clock(clock_type=ClockType.STEADY_TIME))

    def set_min_confidence(self, min_confidence: float) -> None:
        """Take what may be changed at any time; see `ChunkExecutor`."""
        self._pilot.min_confidence = min_confidence

    def activate(self) -> None:
        """Begin to act; words said before do not count."""
        self._pilot.reset()
        self._output.restart()
        self._first, self._begun = True, self._policy.begun
        behind = partial(set_thread_priority, self._behind)
        self._thinker = InferenceWorker(self._policy, self._on_chunk, behind)
        self._active = True
        self._current.publish(String())

    def deactivate(self, reason: str) -> None:
        """Stop acting; the last word on the wire is a hold."""
        if not self._active:
            return
        with self._lock:
            self._active = False
            try:
                self._brake_to_stop(reason)
            except Exception as error:  # as probably before: there is no setpoint to brake to
                self._node.get_logger().error(f"no last hold could be found: {error!r}")
            if self._output.moving:
                self._output.stop()
        self._publish_diagnostics()
        self._actions.wait_for_all_acked(Duration(seconds=0.5))
        self._output.wait_for_acks(0.5)
        assert self._thinker is not None
        self._thinker.stop()

    def _brake_to_stop(self, reason: str) -> None:
        """Brake, setpoint by setpoint, until the arm stands."""
        began, due = time.monotonic(), self._beat.next
        first = moment = max(due, self._beat.due_time(self._now()))
        longest = self._robot.max_stop_time + _EXTRA_STOP_TIME_S
        # The setpoints that brake are due one a period. Of simulated time nothing is heard
        # meanwhile.
        while self._step(moment, reason) and moment - first < longest:
            ticks = math.floor((time.monotonic() - began) / self._period) + 1
            moment = first + ticks * self._period
            time.sleep(max(0.0, began + moment - first - time.monotonic()))

    # -- In --------------------------------------------------------------------------------------

    def _on_instruction(self, message: String) -> None:
        """Hear it, and those that wait behind it: a flood of words shall not outrun a stop."""
        if not self._active:
            self._node.get_logger().warning(
                "an instruction came while inactive; it does not count"
            )
            return
        before, until = self._pilot.said.number, time.monotonic() + _LISTEN_S
        following: String | None = message
        with self._lock:
            while following is not None:
                said = self._pilot.set_instruction(following.data, self._now())
                following = self._next_instruction() if time.monotonic() < until else None
            if said.kind is not InstructionKind.TASK:
                self._step(self._now(), between=True)
            elif said.number != before:
                self._output.resend_gripper()
        self._current.publish(String(data=said.text))
        if ignored := self._pilot.ignored:
            text = f"an instruction does not count: {escape_unprintable(ignored)}"
            self._node.get_logger().warning(text, throttle_duration_sec=1.0)
        if said.number != before:
            self._node.get_logger().info(
                f"instruction {said.number}: '{escape_unprintable(said.text)}'"
            )

    def _request_inference(self, stamp: float) -> None:
        """Let the policy think about what was seen then, if there is something to think about."""
        said = self._pilot.said
        if (
            not self._active
            or said.kind is not InstructionKind.TASK
            or not self._senses.depth_synchronized
        ):
            return
        arm = self._senses.state_at(stamp, self._now())
        if arm is not None:
            assert self._thinker is not None
            images = dict(self._senses.images)
            pose = self._pose(arm.joints)
            seen = Observation(images, pose, arm.opening, said.text, arm.joints, stamp)
            stamps = dict(self._senses.stamps)
            self._thinker.submit(InferenceRequest(seen, stamp, said.number, stamps))

    def _on_chunk(self, question: InferenceRequest, chunk: ActionChunk, took: float) -> None:
        """Take a plan, in the policy's thread."""
        self._state.record_inference(took)
        stamp, said = to_stamp(question.stamp), self._pilot.said
        plan = chunk_message(chunk, self._robot, stamp, said, took)
        with self._lock:  # not for long: the arm waits
            if not self._active:
                return
            first, begun = self._first, self._policy.begun
            # The next one comes to a policy that has forgotten everything.
            self._first, self._begun = begun != self._begun, begun
            meant = question.number == said.number == self._pilot.said.number
            if meant:
                self._pilot.set_chunk(chunk, said.number, question.stamp, self._now())
        if meant:
            self._chunks.publish(plan)
            self._labels.publish(label_message(chunk, self._robot, stamp, said))
        self._inputs.publish(input_message(question, self._robot, first))
        if meant:
            self._show.on_chunk(chunk, said.text, stamp)

    # -- Out -------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._ticks += 1
        if self._active:
            with self._lock:
                self._step(self._beat.due_time(self._now()))

    def _step(self, now: float, reason: str = "", between: bool = False) -> bool:
        """Publish the command of this moment; returns whether the arm has yet to come to a stand.

        Args:
            now: When it is due [s].
            reason: Why to hold, if there is a reason.
            between: Whether it is between two ticks; the sinks are told at the next.
        """
        arm = self._senses.robot_state
        if arm is None:  # nothing true can be said about where to hold
            self._reason = self._senses.robot_state_problem(now)
            return False
        assert self._thinker is not None
        pose, reason = self._pose(arm.joints), reason or self._output.blocked
        reason = reason or self._thinker.problem
        timing = self._senses.timing_problem(now) if self._output.by_trajectory else ""
        if timing:
            self._output.release()
        command = self._pilot.step(
            now, arm.joints, pose, arm.opening, reason, timing or self._output.stop_problem
        )
        self._senses.expect_opening(command.gripper)
        moving = False
        if self._output.drives and not between:
            ahead = self._pilot.preview(now, self._output.preview_ticks)
            moving = self._output.send(now, command, ahead, arm)
        self._reason = command.hold_reason
        self._actions.publish(action_message(command, self._robot))
        if not self._reason:
            self._state.record_action(command.stamp, self._now())
        if self._reason != self._reported:
            self._reported = self._reason
            text = f"holding: {escape_unprintable(self._reason)}" if self._reason else "acting"
            self._node.get_logger().info(text)
        return moving

    def _on_gate_changed(self) -> None:
        """Wait for a new instruction after the arm was enabled, disabled, stopped or reset."""
        with self._lock:
            self._pilot.reset()
            if self._active and self._output.blocked:
                self._step(self._now(), between=True)  # the hold does not wait for the next tick
        if self._active:
            self._current.publish(String())

    def _publish_diagnostics(self) -> None:
        said = self._pilot.said
        if self._active and self._ticks == self._ticks_reported:
            self._reason = "time stands still; with use_sim_time, is /clock published?"
        self._ticks_reported = self._ticks
        facts = {"instruction": said.text, "instruction_id": said.number,
                 **self._facts, "robot": self._robot.name, "version": __version__,
                 "output": "dry" if self._output.dry_run else "live",
                 "output_stops": self._output.stops,
                 "late_trajectories": self._output.late}  # fmt: skip
        state = "acting" if self._active else "inactive"
        now, watches = self._now(), self._senses.monitors
        message = self._state.status(self._reason, state, facts, watches, now)
        message.header.stamp = to_stamp(now)
        self._health.publish(message)
        held, self._held = self._held, self._reason
        if self._active and self._reason and self._reason == held:  # not while the arm brakes
            eyes = [camera.name for camera in self._robot.colour_cameras]
            seen = next((self._senses.images[n] for n in eyes if n in self._senses.images), None)
            self._show.on_hold(said.text, self._reason, message.header.stamp, seen)
        latency = self._state.latency()
        if latency:
            latency.header.stamp = message.header.stamp
            self._latencies.publish(latency)

    # -- Small things ----------------------------------------------------------------------------

    def _now(self) -> float:
        return self._node.get_clock().now().nanoseconds * 1e-9

    def _pose(self, joints: np.ndarray) -> np.ndarray:
        return transform_to_pose7(self._kinematics.forward(joints))
