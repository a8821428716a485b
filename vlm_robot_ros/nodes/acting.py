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
from vlm_robot_ros.contract.action import ActionChunk
from vlm_robot_ros.contract.kinematics import Kinematics, to_vector
from vlm_robot_ros.contract.robot import Robot
from vlm_robot_ros.control.beat import Beat
from vlm_robot_ros.control.instruction import Kind
from vlm_robot_ros.control.pilot import Pilot
from vlm_robot_ros.msg import ActionChunk as ChunkMessage
from vlm_robot_ros.msg import Latency, PolicyInput, TaskLabel, VlmAction
from vlm_robot_ros.nodes.arm_output import ArmOutput, Permit
from vlm_robot_ros.nodes.health import Health
from vlm_robot_ros.nodes.messages import (
    action_message,
    chunk_message,
    input_message,
    label_message,
    to_stamp,
)
from vlm_robot_ros.nodes.policy_settings import describe_checkpoint, second_priority
from vlm_robot_ros.nodes.senses import Senses
from vlm_robot_ros.nodes.show import Show
from vlm_robot_ros.nodes.wires import Wires
from vlm_robot_ros.policy.apart import PolicyApart
from vlm_robot_ros.policy.base import Observation
from vlm_robot_ros.policy.thinker import Question, Thinker
from vlm_robot_ros.printable import printable
from vlm_robot_ros.priority import hasten_receivers, take_priority

_SPARE = 1.0
"""How much longer than by its limits an arm may take to come to a stand [s]."""
_SAID = 2000
"""Words that may wait; of more at once the oldest are lost, a stop among them."""
_LISTENS = 2e-3
"""How long it listens at a time to words that come all at once [s]."""
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Acting:
    """Plays what a policy plans for the newest picture and the last words, or holds."""

    def __init__(
        self,
        node: LifecycleNode,
        wires: Wires,
        robot: Robot,
        policy: PolicyApart,
        values: Mapping[str, Any],
        permit: Permit,
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
        self._thinker: Thinker | None = None
        self._active = False
        self._behind = second_priority(values)
        if refused := take_priority(int(values["thread_priority"])):  # this thread is the tick's
            node.get_logger().info(f"{refused}; how to have it is in the README")
        hasten_receivers(self._behind)
        self._period = 1.0 / values["control_rate"]
        self._beat = Beat(self._period)
        self._kinematics = Kinematics(robot)
        self._senses = Senses(
            robot,
            [robot.camera(name) for name in policy.cameras],
            values["image_timeout"] or robot.image_timeout,
            values["joint_state_timeout"] or robot.joint_state_timeout,
            node.get_clock(),
            node.get_logger().warning,
        )
        self._pilot = Pilot(
            robot,
            self._senses.watches,
            self._period,
            values["blend"],
            values["min_confidence"],
            values["ensemble"],
            values["joined_steps"],
            values["instruction_timeout"],
        )
        self._facts = {"policy": values["policy"], "checkpoint": describe_checkpoint(values)}
        self._reported = self._reason = self._held = ""
        self._state = Health(node.get_fully_qualified_name().lstrip("/"))
        self._ticks = self._ticks_reported = 0
        self._connect(wires, values, permit)

    def _connect(self, wires: Wires, values: Mapping[str, Any], permit: Permit) -> None:
        self._actions = wires.publish(VlmAction, "action")
        self._chunks = wires.publish(ChunkMessage, "action_chunk")
        self._inputs = wires.publish(PolicyInput, "policy_input")
        self._labels = wires.publish(TaskLabel, "task_label")
        self._show = Show(wires, self._robot, self._policy)
        self._current = wires.publish(String, "current_instruction", _LATCHED)
        self._latencies = wires.publish(Latency, "latency")
        self._health = wires.publish_always(DiagnosticArray, "/diagnostics")
        sink, output, changed = wires.sink, values["output"], self._on_output_changed
        self._output = ArmOutput(
            self._robot, self._period, sink, output, changed, permit, self._now
        )
        wires.before_cut(self._output.close)
        wires.serve(SetBool, "~/enable", self._output.on_enable)
        wires.serve(Trigger, "~/reset", self._output.on_reset)
        wires.serve(Trigger, "~/stop", self._output.on_stop)
        self._senses.listen(wires, values["image_transport"], self._consider)
        self._next_instruction = wires.subscribe(
            String, "instruction", self._on_instruction, _SAID
        )
        wires.repeat(self._period, self._tick)
        wires.repeat(0.5, self._report, Clock(clock_type=ClockType.STEADY_TIME))

    def adjust(self, min_confidence: float) -> None:
        """Take what may be changed at any time; see `Pilot`."""
        self._pilot.min_confidence = min_confidence

    def begin(self) -> None:
        """Begin to act; words said before do not count."""
        self._pilot.rest()
        self._output.restart()
        self._first, self._begun = True, self._policy.begun
        behind = partial(take_priority, self._behind)
        self._thinker = Thinker(self._policy, self._on_plan, behind)
        self._active = True
        self._current.publish(String())

    def finish(self, reason: str) -> None:
        """Stop acting; the last word on the wire is a hold."""
        if not self._active:
            return
        with self._lock:
            self._active = False
            try:
                self._come_to_a_stand(reason)
            except Exception as error:  # as probably before: there is no setpoint to brake to
                self._node.get_logger().error(f"no last hold could be found: {error!r}")
            if self._output.moving:
                self._output.stop()
        self._report()
        self._actions.wait_for_all_acked(Duration(seconds=0.5))
        self._output.wait(0.5)
        assert self._thinker is not None
        self._thinker.stop()

    def _come_to_a_stand(self, reason: str) -> None:
        """Brake, setpoint by setpoint, until the arm stands."""
        began, due = time.monotonic(), self._beat.next
        first = moment = max(due, self._beat.at(self._now()))
        longest = self._robot.stopping + _SPARE
        # The setpoints that brake are due one a period. Of simulated time nothing is heard
        # meanwhile.
        while self._act(moment, reason) and moment - first < longest:
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
        before, until = self._pilot.said.number, time.monotonic() + _LISTENS
        following: String | None = message
        with self._lock:
            while following is not None:
                said = self._pilot.hear(following.data, self._now())
                following = self._next_instruction() if time.monotonic() < until else None
            if said.kind is not Kind.TASK:
                self._act(self._now(), between=True)
            elif said.number != before:
                self._output.forget()
        self._current.publish(String(data=said.text))
        if ignored := self._pilot.ignored:
            text = f"an instruction does not count: {printable(ignored)}"
            self._node.get_logger().warning(text, throttle_duration_sec=1.0)
        if said.number != before:
            self._node.get_logger().info(f"instruction {said.number}: '{printable(said.text)}'")

    def _consider(self, stamp: float) -> None:
        """Let the policy think about what was seen then, if there is something to think about."""
        said = self._pilot.said
        if not self._active or said.kind is not Kind.TASK or not self._senses.matched:
            return
        arm = self._senses.arm_at(stamp, self._now())
        if arm is not None:
            assert self._thinker is not None
            pictures = dict(self._senses.pictures)
            pose = self._pose(arm.joints)
            seen = Observation(pictures, pose, arm.opening, said.text, arm.joints, stamp)
            stamps = dict(self._senses.stamps)
            self._thinker.ask(Question(seen, stamp, said.number, stamps))

    def _on_plan(self, question: Question, chunk: ActionChunk, took: float) -> None:
        """Take a plan, in the policy's thread."""
        self._state.thought(took)
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
                self._pilot.take(chunk, said.number, question.stamp, self._now())
        if meant:
            self._chunks.publish(plan)
            self._labels.publish(label_message(chunk, self._robot, stamp, said))
        self._inputs.publish(input_message(question, self._robot, first))
        if meant:
            self._show.plan(chunk, said.text, stamp)

    # -- Out -------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._ticks += 1
        if self._active:
            with self._lock:
                self._act(self._beat.at(self._now()))

    def _act(self, now: float, reason: str = "", between: bool = False) -> bool:
        """Publish the command of this moment; returns whether the arm has yet to come to a stand.

        Args:
            now: When it is due [s].
            reason: Why to hold, if there is a reason.
            between: Whether it is between two ticks; the sinks are told at the next.
        """
        arm = self._senses.arm
        if arm is None:  # nothing true can be said about where to hold
            self._reason = self._senses.arm_problem(now)
            return False
        assert self._thinker is not None
        pose, reason = self._pose(arm.joints), reason or self._output.blocked
        reason = reason or self._thinker.problem
        timing = self._senses.timing_problem(now) if self._output.by_trajectory else ""
        if timing:
            self._output.release()
        command = self._pilot.tick(
            now, arm.joints, pose, arm.opening, reason, timing or self._output.waiting
        )
        self._senses.expect_opening(command.gripper)
        moving = False
        if self._output.drives and not between:
            ahead = self._pilot.ahead(now, self._output.ahead)
            moving = self._output.send(now, command, ahead, arm)
        self._reason = command.hold_reason
        self._actions.publish(action_message(command, self._robot))
        if not self._reason:
            self._state.acted(command.stamp, self._now())
        if self._reason != self._reported:
            self._reported = self._reason
            text = f"holding: {printable(self._reason)}" if self._reason else "acting"
            self._node.get_logger().info(text)
        return moving

    def _on_output_changed(self) -> None:
        """Wait for a new instruction after the arm was enabled, disabled, stopped or reset."""
        with self._lock:
            self._pilot.rest()
            if self._active and self._output.blocked:
                self._act(self._now(), between=True)  # the hold does not wait for the next tick
        if self._active:
            self._current.publish(String())

    def _report(self) -> None:
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
        now, watches = self._now(), self._senses.watches
        message = self._state.status(self._reason, state, facts, watches, now)
        message.header.stamp = to_stamp(now)
        self._health.publish(message)
        held, self._held = self._held, self._reason
        if self._active and self._reason and self._reason == held:  # not while the arm brakes
            eyes = [camera.name for camera in self._robot.colour_cameras]
            seen = next(
                (self._senses.pictures[n] for n in eyes if n in self._senses.pictures), None
            )
            self._show.hold(said.text, self._reason, message.header.stamp, seen)
        latency = self._state.latency()
        if latency:
            latency.header.stamp = message.header.stamp
            self._latencies.publish(latency)

    # -- Small things ----------------------------------------------------------------------------

    def _now(self) -> float:
        return self._node.get_clock().now().nanoseconds * 1e-9

    def _pose(self, joints: np.ndarray) -> np.ndarray:
        return to_vector(self._kinematics.forward(joints))
