"""The control loop: instructions, action chunks and measured states in, one action per tick out.

The policy node, the evaluation and the tests run this loop. It knows no ROS, no threads and no
clock: all times are in seconds of the caller's clock. It is not thread-safe.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vlm_robot_ros.interfaces.action import ActionChunk, StepInfo
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason
from vlm_robot_ros.interfaces.instruction import Instruction, InstructionKind
from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.motion.motion_controller import MotionController
from vlm_robot_ros.plugins import command_sinks
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.runtime.chunk_executor import ChunkExecutor
from vlm_robot_ros.runtime.execution_settings import ExecutionSettings
from vlm_robot_ros.runtime.stream_monitor import StreamMonitor
from vlm_robot_ros.runtime.takeover import Takeover

_WITHOUT_INSTRUCTION = (HoldCode.NO_INSTRUCTION, HoldCode.EMPTY_INSTRUCTION)
"""What is not in the way of a person, who needs no instruction."""


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


@dataclass(frozen=True)
class Step:
    """The result of one control step."""

    action: ActionCommand
    """What the policy or a person wants, within the limits of the contract; on a hold, where the
    arm stays."""
    motion: MotionCommand | None
    """What the controllers are sent; None while the arm stands still and needs no command."""
    gripper_motion: MotionCommand | None = None
    """At a stop of an arm that stands still: what the gripper's controllers are sent."""


class ControlLoop:
    """Executes action chunks within the limits of a robot, or holds it and says why."""

    def __init__(
        self,
        robot: RobotConfig,
        period: float,
        monitors: Sequence[StreamMonitor] = (),
        settings: ExecutionSettings | None = None,
        sinks: Sequence[str] = (),
        is_commanded: bool = True,
        gate: MotionGate | None = None,
    ) -> None:
        """Make a loop that is stepped every `period` seconds.

        Args:
            robot: The contract.
            period: [s]
            monitors: Of the inputs; the arm holds while one of them has a problem.
            settings: How action chunks are executed.
            sinks: Kinds of the command sinks that move the arm, of `plugins.command_sinks`.
                Empty: the loop makes actions and no motion commands.
            is_commanded: Whether the sinks are sent what the loop makes; not in a dry run.
            gate: Whether the arm may move; the loop keeps it up to date.
        """
        self.kinematics, self._period = Kinematics(robot), period
        self.gate = gate or MotionGate()
        self.motion: MotionController | None = None
        """None where the loop makes no motion commands."""
        if sinks:
            kinds = [command_sinks()[kind] for kind in sinks]
            self.motion = MotionController(
                robot,
                period,
                tool_commands=not any(kind.commands_joints for kind in kinds),
                trajectories=any(k.executes_trajectories and k.commands_arm for k in kinds),
                is_commanded=is_commanded,
                kinematics=self.kinematics,
            )
            self.motion.tripped = self.gate.tripped
        self._executor = ChunkExecutor(robot, monitors, period, settings, self.kinematics)
        self.takeover: Takeover | None = None
        """What a person wants the arm to do in place of the policy, where a person can."""
        self.is_taken_over, self.taken_over = False, (0.0, 0.0)
        """Whether a person moved the arm at the last step; first and last step of that [s]."""

    # -- Instructions and chunks -----------------------------------------------------------------

    @property
    def instruction(self) -> Instruction:
        """The instruction that counts."""
        return self._executor.instruction

    @property
    def ignored_instruction(self) -> str:
        """Why the last text did not become the instruction; empty when it did."""
        return self._executor.ignored

    @property
    def step_info(self) -> StepInfo:
        """Which step of the instruction is done, where the policy says so."""
        return self._executor.step_info

    @property
    def min_confidence(self) -> float:
        """The arm holds for an action chunk of less confidence: 0..1."""
        return self._executor.min_confidence

    @min_confidence.setter
    def min_confidence(self, value: float) -> None:
        self._executor.min_confidence = value

    def set_instruction(self, text: str, now: float) -> Instruction:
        """Take a text of time `now` [s]; returns the instruction that counts from now on."""
        return self._executor.set_instruction(text, now)

    def forget_instruction(self) -> None:
        """Take the instruction back: the arm comes to rest and waits for another one."""
        self._executor.reset()

    def set_chunk(self, chunk: ActionChunk, number: int, stamp: float, now: float) -> None:
        """Take an answer, about an image of time `stamp` [s]; none while a person has the arm."""
        if not self.is_taken_over:
            self._executor.set_chunk(chunk, number, stamp, now)

    def clear_chunk(self, now: float) -> None:
        """Execute nothing that was planned before `now` [s]."""
        self._executor.clear_chunk(now)

    def has_chunk(self, now: float) -> bool:
        """Tell whether there is a chunk to execute at `now` [s]."""
        return self._executor.has_chunk(now)

    # -- Who may stop the arm, and who may start it again ----------------------------------------

    @property
    def blocked(self) -> HoldReason:
        """Why the arm may not move until somebody allows it; empty when it may."""
        if self.motion is not None:
            self.gate.tripped = self.motion.tripped
        return self.gate.problem

    def stop(self) -> None:
        """Stop the arm until `reset`."""
        self.gate.stopped = True
        self._forget()

    def enable(self, enabled: bool) -> None:
        """Allow or forbid motion; the arm waits for a new instruction after both."""
        self.gate.enabled = enabled
        self._forget()

    def reset(self) -> str:
        """End a trip and a stop; returns what was ended, empty when there was none."""
        ended = self.blocked.code in (HoldCode.TRIPPED, HoldCode.STOP_SERVICE)
        text = (self.gate.tripped or "it was stopped by ~/stop") if ended else ""
        if self.motion is not None:
            self.motion.reset()
        self.gate.tripped, self.gate.stopped = "", False
        self._forget()
        return text

    def _forget(self) -> None:
        """Wait for a new instruction, or for a person who takes the arm over anew."""
        self._executor.reset()
        if self.takeover is not None:
            self.takeover.stop()

    def restart(self) -> None:
        """Begin after a time without steps: earlier instructions do not count."""
        self._executor.reset()
        self.takeover = None
        if self.motion is not None:
            self.motion.restart()

    # -- Time ------------------------------------------------------------------------------------

    def step(
        self,
        now: float,
        state: RobotState,
        hold: HoldReason = MAY_MOVE,
        wait: HoldReason = MAY_MOVE,
        between_ticks: bool = False,
        no_chunk: HoldReason = MAY_MOVE,
    ) -> Step:
        """Return what is commanded now.

        Args:
            now: When the step is due [s].
            state: The measured state of the robot.
            hold: Why the caller holds the arm, if it does: the gripper stops, too.
            wait: Why the arm cannot move for a moment, if so: the gripper finishes its motion.
            between_ticks: Whether to make an action only, between two control ticks.
            no_chunk: Why no action chunk comes, if that is known; one that is there goes on.
        """
        if self.motion is not None and self.motion.waiting:
            wait = wait or HoldReason(HoldCode.WAITING_FOR_MOTION_START, self.motion.waiting)
        hold = hold or self.blocked
        action = self._step_takeover(now, state, hold or wait)
        if action is None:
            asked = self._takeover_problem(now, state, wait)
            pose = transform_to_pose7(self.kinematics.forward(state.joints))
            action = self._executor.step(
                now, state.joints, pose, state.opening, hold, wait or asked, no_chunk
            )
            if asked and action.hold_reason.code in _WITHOUT_INSTRUCTION:
                action = replace(action, hold_reason=asked)
        if self.motion is None or between_ticks:
            return Step(action, None)
        source = self.takeover if self.is_taken_over and self.takeover else self._executor
        return self.execute(now, action, state, source.preview(now, self.motion.ahead))

    def _step_takeover(
        self, now: float, state: RobotState, hold: HoldReason
    ) -> ActionCommand | None:
        """Return the action that a person wants; None where no person has the arm.

        Args:
            now: [s]
            state: Measured.
            hold: Why the arm holds, if it does.
        """
        takeover, self.is_taken_over = self.takeover, False
        if takeover is None or not takeover.is_active(now):
            return None
        if (stopped := self.instruction.kind is InstructionKind.STOP) or self.blocked:
            takeover.stop()
        if hold or stopped or takeover.problem(state) or self._executor.input_problem(now):
            takeover.release()
            return None
        action = takeover.step(now, state, self._executor.last_command, self.instruction)
        self.continue_from(now, action, state)
        return action

    def _takeover_problem(self, now: float, state: RobotState, wait: HoldReason) -> HoldReason:
        """Return why a person who wants the arm does not have it; empty where nobody wants it."""
        if self.takeover is None or not self.takeover.is_active(now):
            return MAY_MOVE
        return self.takeover.problem(state) or wait

    def continue_from(self, now: float, action: ActionCommand, state: RobotState) -> None:
        """Note that the arm was told an action of somebody else's at `now` [s]."""
        begin, last = self.taken_over
        self.taken_over = (begin if now - last <= 2 * self._period else now, now)
        self.is_taken_over = True
        pose = transform_to_pose7(self.kinematics.forward(state.joints))
        self._executor.continue_from(action, now, state.joints, pose)

    def execute(
        self, now: float, action: ActionCommand, state: RobotState, preview: Sequence[np.ndarray]
    ) -> Step:
        """Return an action with the motion command for it.

        Args:
            now: When the step is due [s].
            action: What is wanted now.
            state: The measured state of the robot.
            preview: Values of the actions of the next ticks, of the shape of an action each.
        """
        assert self.motion is not None
        try:
            motion = self.motion.update(now, action, preview, state.joints, state.time)
        except Exception as error:  # whatever it is: the last trajectory ends at a standstill
            self.motion.trip(f"no setpoint could be found: {error!r}")
            if self.motion.sends_trajectories:
                self.motion.release()
            motion = None
        self.gate.tripped = self.motion.tripped
        if motion is not None or not action.is_stop:
            return Step(action, motion)
        still = self.motion.stationary_command(now, state.joints, action.gripper)
        return Step(action, None, still)
