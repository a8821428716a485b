"""What the policy node does while it is configured: observe, infer, control, report."""

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode

from vlm_robot_ros import __version__
from vlm_robot_ros.inference.subprocess_policy import SubprocessPolicy
from vlm_robot_ros.inference.worker import InferenceRequest, InferenceSchedule, InferenceWorker
from vlm_robot_ros.interfaces.action import ActionChunk, chunk_of_arm
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason
from vlm_robot_ros.interfaces.instruction import Instruction, InstructionKind
from vlm_robot_ros.nodes.policy_arm import (
    PolicyArm,
    all_monitors,
    brake_to_stop,
    common_loop,
    create_arms,
    output_facts,
    reason_of_others,
    stop_moving,
    subscribe,
    wait_for_acks,
    with_other_arms,
)
from vlm_robot_ros.realtime import raise_dds_receiver_priority, set_thread_priority
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.ros.command_publisher import is_dry_run
from vlm_robot_ros.ros.diagnostics import DiagnosticsReporter, loop_facts
from vlm_robot_ros.ros.execute_server import ExecuteServer
from vlm_robot_ros.ros.gate_services import GateServices
from vlm_robot_ros.ros.instruction_input import InstructionInput
from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.ros.message_conversions import to_stamp
from vlm_robot_ros.ros.policy_parameters import (
    describe_checkpoint,
    worker_thread_priority,
)
from vlm_robot_ros.ros.policy_publishers import PolicyPublishers
from vlm_robot_ros.ros.policy_visualizer import PolicyVisualizer
from vlm_robot_ros.ros.takeover_input import TakeoverInput
from vlm_robot_ros.runtime.control_loop import MotionGate
from vlm_robot_ros.runtime.tick_schedule import TickSchedule
from vlm_robot_ros.terminal_text import escape_unprintable


class PolicyRuntime:
    """Runs the control loop on the newest image, joint states and instruction."""

    def __init__(
        self,
        node: LifecycleNode,
        entities: LifecycleEntities,
        robot: RobotConfig,
        policy: SubprocessPolicy,
        values: Mapping[str, Any],
        gates: Sequence[MotionGate],
    ) -> None:
        """Create publishers, subscriptions and services; the arm moves after `activate` only.

        Args:
            node: Whose clock and log are used.
            entities: Of the node, which destroys them.
            robot: The contract.
            policy: What decides; the caller closes it.
            values: Of the node's parameters.
            gates: Whether each arm may move; outlive this object.
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
        self._arms = create_arms(node, entities, robot, policy, values, gates, self._now)
        self._observations, self._loop = self._arms[0].observations, common_loop(self._arms)
        self._dry_run = is_dry_run(values["output"], robot)
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
        GateServices(entities, self._loop, self._dry_run, self._lock, self._on_gate_changed)
        subscribe(self._arms, entities, values["image_transport"], self._request_inference)
        logger = self._node.get_logger()
        self._instructions = InstructionInput(
            entities, self._loop, self._lock, logger, self._node.get_clock(), self._on_instruction
        )
        self._takeover = TakeoverInput(
            entities, self._robot, self._arms[0].loop, self._lock, logger, self._now, self._period,
            0.0 if self._robot.others else values["takeover_timeout"],
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
                first = max(self._schedule.next, self._schedule.due_time(self._now()))
                brake_to_stop(self._arms, first, self._period, partial(self._step, hold=inactive))
            except Exception as error:  # as probably before: there is no setpoint to brake to
                self._node.get_logger().error(f"no last hold could be found: {error!r}")
            stop_moving(self._arms)
        self._takeover.deactivate()
        self._execute.deactivate(inactive)
        self._publish_diagnostics()
        self._publishers.wait_for_acks(0.5)
        wait_for_acks(self._arms, 0.5)
        assert self._worker is not None
        self._worker.stop()

    # -- In --------------------------------------------------------------------------------------

    def _on_instruction(self, instruction: Instruction, is_new: bool) -> None:
        """Act on what was said, while the lock is held."""
        if instruction.kind is not InstructionKind.TASK:
            self._step(self._now(), between_ticks=True)
        elif is_new:
            self._resend_grippers()
        self._publishers.publish_instruction(instruction.text)

    def _request_inference(self, stamp: float) -> None:
        """Ask the policy about the image of time `stamp` [s], if there is an instruction."""
        instruction, now = self._loop.instruction, self._now()
        if not self._active or instruction.kind is not InstructionKind.TASK:
            return
        has_chunk = self._loop.has_chunk(now)
        if not self._inferences.is_due(stamp, instruction.number, has_chunk):
            return
        observation = self._observations.observation(
            stamp, now, self._arms[0].loop.kinematics, instruction.text
        )
        if observation is not None and self._robot.others:
            observation = with_other_arms(observation, self._arms[1:], stamp, now)
        if observation is not None and self._worker is not None:
            self._inferences.on_request(instruction.number)
            stamps = dict(self._observations.stamps)
            self._worker.submit(InferenceRequest(observation, stamp, instruction.number, stamps))

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
            for arm in self._arms if current else ():
                own = chunk if arm is self._arms[0] else chunk_of_arm(chunk, arm.robot.arm)
                arm.loop.set_chunk(own, instruction.number, request.stamp, self._now())
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
        moves, failure = False, None
        for arm in self._arms:
            others = MAY_MOVE
            if self._robot.others:
                others = reason_of_others(self._arms, arm, self._loop, now)
            try:
                moves |= self._step_arm(arm, now, hold, others, between_ticks)
            except Exception as error:  # the other arms brake first
                failure = failure or error
        if failure is not None:
            raise failure
        own = [arm.reason for arm in self._arms if arm.reason.code is not HoldCode.OTHER_ARM]
        self._reason = next(filter(None, own), self._arms[0].reason)
        if self._reason != self._reported:
            self._reported = self._reason
            text = f"holding: {escape_unprintable(self._reason)}" if self._reason else "acting"
            self._node.get_logger().info(text)
        return moves

    def _step_arm(
        self, arm: PolicyArm, now: float, hold: HoldReason, others: HoldReason, between_ticks: bool
    ) -> bool:
        """Publish action and commands of one arm; `others` is why it holds with other arms."""
        state = arm.observations.robot_state
        if state is None:  # there is no position to hold
            arm.reason = arm.observations.robot_state_problem(now)
            return False
        assert self._worker is not None
        timing, motion = MAY_MOVE, arm.loop.motion
        if motion is not None and motion.sends_trajectories:
            timing = arm.observations.timing_problem(now)
            if timing:
                motion.release()
        hold = hold or arm.loop.blocked
        if others and self._loop.blocked:  # the gripper stops, too
            hold = hold or others
        wait = timing or arm.commands.problem or others
        step = arm.loop.step(now, state, hold, wait, between_ticks, self._worker.problem)
        arm.observations.expect_opening(step.action.gripper)
        moves = not between_ticks and arm.commands.publish(step, now)
        arm.reason = step.action.hold_reason
        self._publishers.publish_action(step.action, arm.robot)
        if not arm.reason and not arm.loop.is_taken_over and arm is self._arms[0]:
            self._diagnostics.record_action(step.action.stamp, self._now())
        return moves

    def _resend_grippers(self) -> None:
        for arm in self._arms:
            arm.commands.resend_gripper()

    def _on_gate_changed(self, allowed: bool) -> None:
        """Wait for a new instruction after the arm was enabled, disabled, stopped or reset."""
        if self._worker is not None:
            self._worker.interrupt()
        with self._lock:
            if allowed:
                self._resend_grippers()
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
        facts = {**self._facts, **loop_facts(self._loop), **output_facts(self._arms)}
        state = "acting" if self._active else "inactive"
        self._diagnostics.publish(self._reason, state, facts, all_monitors(self._arms), now)
        held, self._held = self._held, self._reason
        if self._active and self._reason and self._reason == held:  # not while the arm brakes
            image = self._observations.colour_image
            self._visualizer.on_hold(instruction.text, self._reason, to_stamp(now), image)

    def _now(self) -> float:
        return self._node.get_clock().now().nanoseconds * 1e-9
