"""Executes action chunks, or holds the arm and says why. All times in seconds of one clock."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vlm_robot_ros.interfaces.action import NO_STEP, ActionChunk, ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION, Instruction, InstructionKind
from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.motion.limits import clamp_action, exits_workspace, implausibility, unwrap_chunk
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.runtime.chunk_interpolator import ChunkInterpolator
from vlm_robot_ros.runtime.execution_settings import ExecutionSettings
from vlm_robot_ros.runtime.instructions import InstructionFilter, next_instruction
from vlm_robot_ros.runtime.stream_monitor import StreamMonitor
from vlm_robot_ros.runtime.takeover import LastCommand

WAITING_FOR_CHUNK = HoldReason(HoldCode.WAITING_FOR_CHUNK, "waiting for a plan")
"""Hold of an arm that has an instruction, but no action chunk for this time."""
_EXTERNAL_MOTION = 0.04  # distance from the held position at which the arm is released [m or rad]
_SETTLED_AFTER_S = 0.5  # time after which an arm that holds stands still [s]
_GRIPPER_DELAY_S = 0.5  # time in which fingers may still start a motion [s]
_MOVING_OPENING_CHANGE, _RECENT_S = 0.02, 0.3  # change of the opening within this time [s]
_MAX_OPENINGS = 300  # measured openings that are kept: a clock may stand still


class ChunkExecutor:
    """The instruction, the chunk that is executed for it, and the last action."""

    def __init__(
        self,
        robot: RobotConfig,
        monitors: Sequence[StreamMonitor],
        period: float,
        settings: ExecutionSettings | None = None,
        kinematics: Kinematics | None = None,
    ) -> None:
        """Make an executor that is stepped every `period` seconds.

        Args:
            robot: The contract.
            monitors: Of the inputs; the arm holds while one of them has a problem.
            period: [s]
            settings: How chunks are executed.
            kinematics: Of the robot; shared with others of the same thread.
        """
        settings = settings or ExecutionSettings()
        self._robot, self._kinematics = robot, kinematics or Kinematics(robot)
        self._period = period
        self._monitors = monitors
        self.min_confidence = settings.min_confidence
        self._instruction_timeout = settings.instruction_timeout
        self._interpolator = ChunkInterpolator(
            settings.blend, settings.ensemble, settings.joined_steps, len(robot.joints)
        )
        self.instruction, self._filter = EMPTY_INSTRUCTION, InstructionFilter()
        self.ignored = ""
        """Why the last words did not count; empty when they did."""
        self._gripper: float | None = None
        self._openings: deque[tuple[float, float]] = deque(maxlen=_MAX_OPENINGS)
        self._joints: np.ndarray | None = None
        self._pose: np.ndarray | None = None
        self._instruction_time = 0.0
        self.reset()

    def reset(self) -> None:
        """Forget chunk, instruction and actions; the count of instructions goes on."""
        self.instruction = Instruction("", self.instruction.number, InstructionKind.EMPTY)
        self._interpolator.clear()
        self._refusal = MAY_MOVE
        self._filter.reset()
        self._mode = ActionMode.END_EFFECTOR_POSE
        self._last: np.ndarray | None = None
        self._held_since: float | None = None
        self._stopped_since: float | None = None
        self._time = 0.0
        self._stamp = self._confidence = 0.0
        self._pace = 1.0
        self.step_info = NO_STEP
        """Which step of the instruction is done."""

    def set_instruction(self, text: str, now: float) -> Instruction:
        """Take a text of time `now` [s]; a new instruction discards the last one's chunk.

        Returns:
            The instruction from now on: the last one where `InstructionFilter` rejects the text.
        """
        instruction = next_instruction(self.instruction, text)
        self.ignored = self._filter.rejection_reason(self.instruction, instruction, now)
        if instruction.text == self.instruction.text or not self.ignored:
            self._instruction_time = now
        if not self.ignored:
            if instruction.number != self.instruction.number:
                self._interpolator.clear()
                self._refusal, self.step_info = MAY_MOVE, NO_STEP
            self.instruction = instruction
        return self.instruction

    def set_chunk(self, chunk: ActionChunk, number: int, stamp: float, now: float) -> None:
        """Take the answer to instruction `number`, computed from an image of time `stamp` [s]."""
        if number != self.instruction.number or self.instruction.kind is not InstructionKind.TASK:
            return
        if self._interpolator.is_older(stamp):
            return
        if self._joints is not None and self._pose is not None:
            problem = implausibility(self._robot, chunk, self._joints, self._pose)
            if problem and not chunk.hold:
                chunk = replace(chunk, hold=HoldReason(HoldCode.INVALID_CHUNK, problem))
            near = self._joints
            if self._last is not None and chunk.mode == self._mode:
                near = self._last
            chunk = unwrap_chunk(self._robot, chunk, near)
        self.step_info, self._pace = chunk.step, chunk.pace
        self._refusal = HoldReason.of(chunk.hold, HoldCode.POLICY_HOLD)
        if not chunk.hold and not chunk.confidence >= self.min_confidence:
            self._refusal = HoldReason(
                HoldCode.LOW_CONFIDENCE,
                f"not sure enough what '{self.instruction.text}' asks for: confidence "
                f"{chunk.confidence:.2f}, at least {self.min_confidence:.2f} wanted",
            )
        if not self._refusal:
            try:
                # Until the next command is to be reached the older plan goes on.
                if not self._interpolator.set_chunk(chunk, stamp, now + self._period):
                    return
            except ValueError as error:
                self._refusal = HoldReason(HoldCode.INVALID_CHUNK, str(error))
        if self._refusal:
            self._interpolator.clear()
            return
        self._stamp, self._confidence = stamp, chunk.confidence
        if chunk.mode != self._mode:
            self._mode, self._last = chunk.mode, None

    def input_problem(self, now: float) -> HoldReason:
        """Return which input cannot be relied on, and why; empty where all can."""
        return next(filter(None, (monitor.problem(now) for monitor in self._monitors)), MAY_MOVE)

    @property
    def last_command(self) -> LastCommand:
        """What the arm was told last."""
        return LastCommand(self._mode, self._last, self._gripper, self._held_since is not None)

    def continue_from(
        self, action: ActionCommand, now: float, joints: np.ndarray, pose: np.ndarray
    ) -> None:
        """Note what the arm was told in place of a chunk; arguments as of `step`.

        The next chunk goes on from there, and none that came before.
        """
        self._mode, self._last, self._gripper = action.mode, action.values, action.gripper
        self._joints, self._pose, self._time = joints, pose, now
        self._held_since = self._stopped_since = None
        self._interpolator.clear(now)

    def clear_chunk(self, now: float) -> None:
        """Play nothing that was planned before `now` [s]."""
        self._interpolator.clear(now)

    def has_chunk(self, now: float) -> bool:
        """Tell whether there is a chunk to execute at `now` [s]."""
        return self._interpolator.covers(now)

    def step(
        self,
        now: float,
        joints: np.ndarray,
        pose: np.ndarray,
        opening: float,
        hold: HoldReason = MAY_MOVE,
        wait: HoldReason = MAY_MOVE,
        no_chunk: HoldReason = MAY_MOVE,
    ) -> ActionCommand:
        """Return the action of this control step.

        Args:
            now: [s]
            joints: Measured joint positions. Shape (J,), [rad].
            pose: Measured tool pose, base frame. Shape (7,): x, y, z [m], quaternion.
            opening: Measured gripper opening: 0 closed, 1 open.
            hold: A reason of the caller's to hold, if any. As where no task is asked for any
                more, fingers in motion stop, too; at other holds they do what they were told last.
            wait: Why the arm holds for a moment, if it does: see `MotionController.waiting`.
            no_chunk: Why no chunk comes, if that is known. As at `hold`, fingers stop, too.
        """
        self._joints, self._pose = joints, pose
        self._openings.append((now, opening))
        while abs(now - self._openings[0][0]) > _RECENT_S:
            self._openings.popleft()
        measured = pose if self._is_pose() else joints
        dt, self._time = now - self._time, now
        if dt < 0:
            self._interpolator.clear(now)  # planned for another time
            self._instruction_time = now
        if self._last is None:
            self._last, dt = measured.copy(), 0.0
        problem = self.input_problem(now)
        if problem:
            self._interpolator.clear(now)
        reason = hold or self._hold_reason(problem) or wait
        # What is commanded now is to be reached when the next command comes.
        sample = None if reason else self._interpolator.sample(now + self._period)
        if sample is None:
            stop = bool(hold) or bool(no_chunk and not reason)
            reason = reason or no_chunk or WAITING_FOR_CHUNK
            stop = stop or self.instruction.kind is not InstructionKind.TASK
            return self._hold(now, measured, opening, reason, bool(problem), stop)
        # After a pause too, no more than what can be followed until the next command.
        dt = min(max(dt, 0.0), 2 * self._period) * self.instruction.pace_with(self._pace)
        values = clamp_action(self._robot, self._kinematics, self._mode, sample[0], self._last, dt)
        if not self._is_pose() and exits_workspace(
            self._robot, self._kinematics, values, self._last
        ):
            text = "the plan would take the tool out of its workspace"
            reason = HoldReason(HoldCode.WORKSPACE, text)
            return self._hold(now, measured, opening, reason, False)
        self._last = values
        self._held_since = self._stopped_since = None
        self._gripper = float(np.clip(sample[1], 0.0, 1.0))
        said, sure = (self.instruction, False, self.step_info), self._confidence
        return ActionCommand(
            self._mode, self._last, self._gripper, self._stamp, sure, MAY_MOVE, *said
        )

    def preview(self, now: float, ticks: int) -> list[np.ndarray]:
        """Return the values of the actions at the next `ticks`, if no other chunk comes.

        Fewer where the plan is over before. To be asked after `step`.
        """
        values: list[np.ndarray] = []
        last, dt = self._last, self._period * self.instruction.pace_with(self._pace)
        for number in range(ticks if self._held_since is None else 0):
            sample = self._interpolator.sample(now + (number + 2) * self._period)
            if sample is None or last is None:
                break
            last = clamp_action(self._robot, self._kinematics, self._mode, sample[0], last, dt)
            values.append(last)
        return values

    def _hold(
        self,
        now: float,
        measured: np.ndarray,
        opening: float,
        reason: HoldReason,
        blind: bool,
        stop: bool = False,
    ) -> ActionCommand:
        """Return an action that keeps the arm at the last one; arguments as of `step`.

        Args:
            now: [s]
            measured: Positions or pose, as the mode is.
            opening: Measured.
            reason: Why.
            blind: What is measured cannot be relied on.
            stop: Fingers in motion shall stop, too.
        """
        assert self._last is not None
        if self._gripper is None:
            self._gripper = opening  # and later as told last: what is gripped stays gripped
        self._stopped_since = (self._stopped_since or now) if stop else None
        if self._stopped_since is not None and now - self._stopped_since < _GRIPPER_DELAY_S:
            lately = [each for _, each in self._openings]
            if max(lately) - min(lately) > _MOVING_OPENING_CHANGE:
                self._gripper = opening
        if self._held_since is None:
            self._held_since = now
        gone = float(np.max(np.abs(self._last - measured)[: 3 if self._is_pose() else None]))
        if gone > _EXTERNAL_MOTION and now - self._held_since > _SETTLED_AFTER_S and not blind:
            self._last = measured.copy()
        said = (self.instruction, stop, self.step_info)
        return ActionCommand(self._mode, self._last, self._gripper, now, 0.0, reason, *said)

    def _is_pose(self) -> bool:
        return self._mode == ActionMode.END_EFFECTOR_POSE

    def _hold_reason(self, problem: HoldReason) -> HoldReason:
        """Return why the arm may not move; empty when it may."""
        if self.instruction.kind is InstructionKind.STOP:
            return HoldReason(HoldCode.STOP_WORD, f"stopped by '{self.instruction.text}'")
        if problem:
            return problem
        if self.instruction.number == 0:
            return HoldReason(HoldCode.NO_INSTRUCTION, "no instruction yet")
        if self.instruction.kind is InstructionKind.EMPTY:
            if self.instruction.text:
                return HoldReason(HoldCode.EMPTY_INSTRUCTION, "the instruction is empty")
            return HoldReason(HoldCode.NO_INSTRUCTION, "waiting for an instruction")
        age, allowed = self._time - self._instruction_time, self._instruction_timeout
        if allowed and age > allowed:
            return HoldReason(
                HoldCode.INSTRUCTION_EXPIRED,
                f"the instruction is {age:.0f} s old, at most {allowed:.0f} s allowed",
            )
        return self._refusal
