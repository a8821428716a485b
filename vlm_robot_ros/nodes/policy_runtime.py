"""What the policy node does while it is configured: observe, infer, control, report."""

import math
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode

from vlm_robot_ros import __version__
from vlm_robot_ros.inference.subprocess_policy import SubprocessPolicy
from vlm_robot_ros.inference.worker import InferenceRequest, InferenceSchedule, InferenceWorker
from vlm_robot_ros.interfaces.action import ActionChunk
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason
from vlm_robot_ros.interfaces.instruction import Instruction, InstructionKind
from vlm_robot_ros.realtime import raise_dds_receiver_priority, set_thread_priority
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.ros.command_publisher import CommandPublisher, create_sink, is_dry_run
from vlm_robot_ros.ros.diagnostics import DiagnosticsReporter, loop_facts
from vlm_robot_ros.ros.execute_server import ExecuteServer
from vlm_robot_ros.ros.gate_services import GateServices
from vlm_robot_ros.ros.instruction_input import InstructionInput
from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.ros.message_conversions import to_stamp
from vlm_robot_ros.ros.observation_buffer import ObservationBuffer
from vlm_robot_ros.ros.policy_parameters import (
    describe_checkpoint,
    execution_settings,
    worker_thread_priority,
)
from vlm_robot_ros.ros.policy_publishers import PolicyPublishers
from vlm_robot_ros.ros.policy_visualizer import PolicyVisualizer
from vlm_robot_ros.ros.takeover_input import TakeoverInput
from vlm_robot_ros.runtime.control_loop import ControlLoop, MotionGate
from vlm_robot_ros.runtime.tick_schedule import TickSchedule
from vlm_robot_ros.terminal_text import escape_unprintable

_EXTRA_STOP_TIME_S = 1.0
"""How much longer than by its limits an arm may take to come to a stand [s]."""


class PolicyRuntime:
    """Runs the control loop on the newest image, joint states and instruction."""

    def __init__(
        self,
        node: LifecycleNode,
        entities: LifecycleEntities,
        robot: RobotConfig,
        policy: SubprocessPolicy,
        values: Mapping[str, Any],
        gate: MotionGate,
    ) -> None:
        """Create publishers, subscriptions and services; the arm moves after `activate` only.

        Args:
            node: Whose clock and log are used.
            entities: Of the node, which destroys them.
            robot: The contract.
            policy: What decides; the caller closes it.
            values: Of the node's parameters.
            gate: Whether the arm may move; outlives this object.
        """
        self._node, self._robot, self._policy = node, robot, policy
        self._lock = threading.Lock()
        self._worker: InferenceWorker | None = None
        self._active = False
        self._worker_priority = worker_thread_priority(values)
        # This thread executes the control loop.
        if refused := set_thread_priority(int(values["thread_priority"])):
            node.get_logger().info(f"{refused}; see docs/how-to/real_time.md")
        raise_dds_receiver_priority(self._worker_priority)
        self._period = 1.0 / values["control_rate"]
        self._schedule = TickSchedule(self._period)
        self._inferences = InferenceSchedule(values["replan_steps"], policy.replan_steps)
        self._observations = ObservationBuffer(
            robot,
            [robot.camera(name) for name in policy.cameras],
            values["image_timeout"] or robot.image_timeout,
            values["joint_state_timeout"] or robot.joint_state_timeout,
            node.get_clock(),
            node.get_logger().warning,
        )
        self._dry_run = is_dry_run(values["output"], robot)
        self._loop = ControlLoop(
            robot,
            self._period,
            self._observations.monitors,
            execution_settings(values, policy),
            [sink.kind for sink in robot.sinks],
            not self._dry_run and any(sink.traits.commands_arm for sink in robot.sinks),
            gate,
        )
        self._facts = {"policy": values["policy"], "checkpoint": describe_checkpoint(values),
                       "robot": robot.name, "version": __version__,
                       "output": "dry" if self._dry_run else "live"}  # fmt: skip
        self._reported, self._held, self._reason = "", "", MAY_MOVE
        name = node.get_fully_qualified_name().lstrip("/")
        self._diagnostics = DiagnosticsReporter(name, entities)
        self._ticks = self._ticks_reported = 0
        self._create_entities(entities, values)

    def _create_entities(self, entities: LifecycleEntities, values: Mapping[str, Any]) -> None:
        self._publishers = PolicyPublishers(entities, self._robot)
        self._visualizer = PolicyVisualizer(entities, self._robot, self._policy)
        create = partial(create_sink, entities)
        self._commands = CommandPublisher(
            self._robot, self._period, create, self._dry_run, self._loop, self._now
        )
        entities.on_destroy(self._commands.close)
        GateServices(entities, self._loop, self._dry_run, self._lock, self._on_gate_changed)
        self._observations.create_subscriptions(
            entities, values["image_transport"], self._request_inference
        )
        logger = self._node.get_logger()
        self._instructions = InstructionInput(
            entities, self._loop, self._lock, logger, self._node.get_clock(), self._on_instruction
        )
        self._takeover = TakeoverInput(
            entities, self._robot, self._loop, self._lock, logger, self._now, self._period,
            values["takeover_timeout"],
        )  # fmt: skip
        self._execute = ExecuteServer(
            entities, self._loop, self._lock, self._instructions.take, self._now
        )
        entities.create_timer(self._period, self._tick)
        entities.create_timer(
            0.5, self._publish_diagnostics, Clock(clock_type=ClockType.STEADY_TIME)
        )

    def set_min_confidence(self, min_confidence: float) -> None:
        """Change what may be changed at any time; see `ExecutionSettings`."""
        self._loop.min_confidence = min_confidence

    def activate(self) -> None:
        """Begin to act; earlier instructions do not count."""
        self._loop.restart()
        self._inferences.reset()
        self._first, self._policy_starts = True, self._policy.begun
        self._worker = InferenceWorker(
            self._policy, self._on_chunk, partial(set_thread_priority, self._worker_priority)
        )
        self._active = self._instructions.active = True
        self._execute.active = self._takeover.active = True
        self._publishers.publish_instruction()

    def deactivate(self, reason: str) -> None:
        """Brake the arm and stop; the last action is a hold."""
        if not self._active:
            return
        inactive = HoldReason(HoldCode.NODE_INACTIVE, reason)
        with self._lock:
            self._active = self._instructions.active = self._takeover.active = False
            try:
                self._brake_to_stop(inactive)
            except Exception as error:  # as probably before: there is no setpoint to brake to
                self._node.get_logger().error(f"no last hold could be found: {error!r}")
            if self._commands.moving:
                self._commands.stop()
        self._takeover.deactivate()
        self._execute.deactivate(inactive)
        self._publish_diagnostics()
        self._publishers.wait_for_acks(0.5)
        self._commands.wait_for_acks(0.5)
        assert self._worker is not None
        self._worker.stop()

    def _brake_to_stop(self, reason: HoldReason) -> None:
        """Brake, setpoint by setpoint, until the arm stands still."""
        began, due = time.monotonic(), self._schedule.next
        first = moment = max(due, self._schedule.due_time(self._now()))
        longest = self._robot.max_stop_time + _EXTRA_STOP_TIME_S
        # The setpoints that brake are due one a period. Simulated time is not received meanwhile.
        while self._step(moment, reason) and moment - first < longest:
            ticks = math.floor((time.monotonic() - began) / self._period) + 1
            moment = first + ticks * self._period
            time.sleep(max(0.0, began + moment - first - time.monotonic()))

    # -- In --------------------------------------------------------------------------------------

    def _on_instruction(self, instruction: Instruction, is_new: bool) -> None:
        """Act on what was said, while the lock is held."""
        if instruction.kind is not InstructionKind.TASK:
            self._step(self._now(), between_ticks=True)
        elif is_new:
            self._commands.resend_gripper()
        self._publishers.publish_instruction(instruction.text)

    def _request_inference(self, stamp: float) -> None:
        """Ask the policy about the image of time `stamp` [s], if there is an instruction."""
        instruction, observed = self._loop.instruction, self._observations
        if not self._active or instruction.kind is not InstructionKind.TASK:
            return
        has_chunk = self._loop.has_chunk(self._now())
        if not self._inferences.is_due(stamp, instruction.number, has_chunk):
            return
        observation = observed.observation(
            stamp, self._now(), self._loop.kinematics, instruction.text
        )
        if observation is not None and self._worker is not None:
            self._inferences.on_request(instruction.number)
            self._worker.submit(
                InferenceRequest(observation, stamp, instruction.number, dict(observed.stamps))
            )

    def _on_chunk(self, request: InferenceRequest, chunk: ActionChunk, seconds: float) -> None:
        """Take the policy's answer, in the worker's thread."""
        instruction = self._loop.instruction
        with self._lock:  # not for long: the control loop waits
            if not self._active:
                return
            first, starts = self._first, self._policy.begun
            self._first, self._policy_starts = starts != self._policy_starts, starts
            current = request.number == instruction.number == self._loop.instruction.number
            self._inferences.on_chunk(chunk, request.number, request.stamp)
            if current:
                self._loop.set_chunk(chunk, instruction.number, request.stamp, self._now())
        self._diagnostics.record_inference(seconds)
        if current:
            self._execute.chunk = chunk
            self._publishers.publish_chunk(request, chunk, instruction, seconds)
        self._publishers.publish_request(request, first)
        if current:
            self._visualizer.on_chunk(chunk, instruction.text, to_stamp(request.stamp))

    # -- Out -------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._ticks += 1
        if self._active:
            with self._lock:
                moves = self._step(self._schedule.due_time(self._now()))
            self._execute.update(self._reason, moves)

    def _step(self, now: float, hold: HoldReason = MAY_MOVE, between_ticks: bool = False) -> bool:
        """Publish the action and commands of a step; returns whether the arm moves.

        Args:
            now: When the step is due [s].
            hold: Why the arm holds, if the caller holds it.
            between_ticks: Whether the sinks are sent nothing before the next tick.
        """
        state = self._observations.robot_state
        if state is None:  # there is no position to hold
            self._reason = self._observations.robot_state_problem(now)
            return False
        assert self._worker is not None
        timing, motion = MAY_MOVE, self._loop.motion
        if motion is not None and motion.sends_trajectories:
            timing = self._observations.timing_problem(now)
            if timing:
                motion.release()
        hold, wait = hold or self._loop.blocked, timing or self._commands.problem
        step = self._loop.step(now, state, hold, wait, between_ticks, self._worker.problem)
        self._observations.expect_opening(step.action.gripper)
        moves = not between_ticks and self._commands.publish(step, now)
        self._reason = step.action.hold_reason
        self._publishers.publish_action(step.action)
        if not self._reason and not self._loop.is_taken_over:
            self._diagnostics.record_action(step.action.stamp, self._now())
        if self._reason != self._reported:
            self._reported = self._reason
            text = f"holding: {escape_unprintable(self._reason)}" if self._reason else "acting"
            self._node.get_logger().info(text)
        return moves

    def _on_gate_changed(self, allowed: bool) -> None:
        """Wait for a new instruction after the arm was enabled, disabled, stopped or reset."""
        with self._lock:
            if allowed:
                self._commands.resend_gripper()
            if self._active and self._loop.blocked:
                # The hold does not wait for the next tick.
                self._step(self._now(), between_ticks=True)
        if self._active:
            self._publishers.publish_instruction()

    def _publish_diagnostics(self) -> None:
        if self._active and self._ticks == self._ticks_reported:
            text = "time stands still; with use_sim_time, is /clock published?"
            self._reason = HoldReason(HoldCode.TIME_STOPPED, text)
        self._ticks_reported = self._ticks
        instruction, now = self._loop.instruction, self._now()
        facts = {**self._facts, **loop_facts(self._loop), "output_stops": self._commands.stops,
                 "late_trajectories": self._commands.late}  # fmt: skip
        state = "acting" if self._active else "inactive"
        self._diagnostics.publish(self._reason, state, facts, self._observations.monitors, now)
        held, self._held = self._held, self._reason
        if self._active and self._reason and self._reason == held:  # not while the arm brakes
            image = self._observations.colour_image
            self._visualizer.on_hold(instruction.text, self._reason, to_stamp(now), image)

    def _now(self) -> float:
        return self._node.get_clock().now().nanoseconds * 1e-9
