"""Decides what the arm is told at every tick: what is planned, or to hold, and why.

The node around it moves messages. All times in seconds of one clock.
"""

from collections import deque
from dataclasses import replace

import numpy as np

from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION, Instruction, InstructionKind
from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.motion.limits import clamp_action, exits_workspace
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.runtime.chunk_interpolator import ChunkInterpolator
from vlm_robot_ros.runtime.instructions import InstructionFilter, next_instruction
from vlm_robot_ros.runtime.stream_monitor import StreamMonitor

BLEND_S = 0.15
"""Time to pass from one plan to the next [s]: shorter jerks, longer lags."""
JOINED_STEPS = 1
"""In so many steps a plan goes over from the one before to its own; see `ChunkInterpolator`."""
MIN_CONFIDENCE = 0.5
WAITING_FOR_CHUNK = "waiting for a plan"
"""Why an arm holds that has been told what to do, and has no plan yet or no longer."""
_EXTERNAL_MOTION = 0.04  # from where it is held, by someone else: do not fight it [m or rad]
_SETTLED_AFTER_S = 0.5  # an arm that was told to hold stands still after so long [s]
_GRIPPER_DELAY_S = 0.5  # what fingers were told lately they may only begin to do [s]
_MOVING_OPENING_CHANGE, _RECENT_S = 0.02, 0.3  # by so much of their way within so long [s]
_MAX_OPENINGS = 300  # are kept of so long at most: a clock may stand


class ChunkExecutor:
    """The instruction, the plan that is played for it, and the last command."""

    def __init__(
        self,
        robot: RobotConfig,
        watches: list[StreamMonitor],
        period: float,
        blend: float = BLEND_S,
        min_confidence: float = MIN_CONFIDENCE,
        ensemble: float = 0.0,
        joined_steps: int = JOINED_STEPS,
        instruction_timeout: float = 0.0,
    ) -> None:
        """Make a pilot that is asked every `period` seconds; see `ChunkInterpolator`.

        Words older than `instruction_timeout` [s] are obeyed no longer; 0: they always are.
        """
        self._robot, self._kinematics = robot, Kinematics(robot)
        self._period = period
        self._watches = watches
        self.min_confidence, self._instruction_timeout = min_confidence, instruction_timeout
        self._timeline = ChunkInterpolator(blend, ensemble, joined_steps)
        self.said, self._ear = EMPTY_INSTRUCTION, InstructionFilter()
        self.ignored = ""
        """Why the last words did not count; empty when they did."""
        self._gripper: float | None = None
        self._openings: deque[tuple[float, float]] = deque(maxlen=_MAX_OPENINGS)
        self._joints: np.ndarray | None = None
        self._heard = 0.0
        self.reset()

    def reset(self) -> None:
        """Forget plan, words and commands; the count of instructions goes on."""
        self.said = Instruction("", self.said.number, InstructionKind.EMPTY)
        self._timeline.clear()
        self._refusal = ""
        self._ear.reset()
        self._mode = ActionMode.END_EFFECTOR_POSE
        self._last: np.ndarray | None = None
        self._held_since: float | None = None
        self._stopped_since: float | None = None
        self._time = 0.0
        self._stamp = self._confidence = 0.0

    def set_instruction(self, text: str, now: float) -> Instruction:
        """Take words of time `now` [s]; what was planned for those before is flushed at once.

        Returns:
            The instruction from now on: the last one where `InstructionFilter` rejects the text.
        """
        said = next_instruction(self.said, text)
        self.ignored = self._ear.rejection_reason(self.said, said, now)
        if said.text == self.said.text or not self.ignored:
            self._heard = now
        if not self.ignored:
            if said.number != self.said.number:
                self._timeline.clear()
                self._refusal = ""
            self.said = said
        return self.said

    def set_chunk(self, chunk: ActionChunk, number: int, stamp: float, now: float) -> None:
        """Take a plan that answers instruction `number` from a camera frame of time `stamp`."""
        if number != self.said.number or self.said.kind is not InstructionKind.TASK:
            return
        chunk = self._unwrap_continuous(chunk)
        self._refusal = chunk.hold
        if not chunk.hold and not chunk.confidence >= self.min_confidence:
            self._refusal = (
                f"not sure enough what '{self.said.text}' asks for: confidence "
                f"{chunk.confidence:.2f}, at least {self.min_confidence:.2f} wanted"
            )
        if not self._refusal:
            try:
                # Until the next command is to be reached the older plan goes on.
                if not self._timeline.set_chunk(chunk, stamp, now + self._period):
                    return
            except ValueError as error:
                self._refusal = str(error)
        if self._refusal:
            self._timeline.clear()
            return
        self._stamp, self._confidence = stamp, chunk.confidence
        if chunk.mode != self._mode:
            self._mode, self._last = chunk.mode, None

    def _unwrap_continuous(self, chunk: ActionChunk) -> ActionChunk:
        """Return a plan of joints with continuous ones in the turn that they are in."""
        if chunk.mode != ActionMode.JOINT_POSITION or self._joints is None:
            return chunk
        values, count = np.array(chunk.values, float), len(self._robot.joints)
        if values.ndim != 2 or values.shape[1] < count or not np.all(np.isfinite(values)):
            return chunk  # it is no plan, as is told by who plays it
        near = self._joints
        if self._last is not None and chunk.mode == self._mode:
            near = self._last[:count]
        for row in values:
            row[:count] = near = self._robot.unwrap_continuous_joints(row[:count], near)
        return replace(chunk, values=values)

    def step(
        self,
        now: float,
        joints: np.ndarray,
        pose: np.ndarray,
        opening: float,
        hold: str = "",
        wait: str = "",
    ) -> ActionCommand:
        """Return what to tell the arm now.

        Args:
            now: [s]
            joints: Measured joint positions. Shape (J,), [rad].
            pose: Measured tool pose, base frame. Shape (7,): x, y, z [m], quaternion.
            opening: Measured gripper opening: 0 closed, 1 open.
            hold: A reason of the caller's to hold, if any. As where no task is asked for any
                more, fingers in motion stop, too; at other holds they do what they were told last.
            wait: Why the arm holds for a moment, if it does: see `MotionController.waiting`.
        """
        self._joints = joints
        self._openings.append((now, opening))
        while abs(now - self._openings[0][0]) > _RECENT_S:
            self._openings.popleft()
        measured = pose if self._is_pose() else np.pad(joints, (0, len(pose) - len(joints)))
        dt, self._time = now - self._time, now
        if dt < 0:
            self._timeline.clear()  # planned for another time
            self._heard = now
        if self._last is None:
            self._last, dt = measured.copy(), 0.0
        problem = next(filter(None, (watch.problem(now) for watch in self._watches)), "")
        if problem:
            self._timeline.clear()
        reason = hold or self._hold_reason(problem) or wait
        # What is commanded now is to be reached when the next command comes.
        sample = None if reason else self._timeline.sample(now + self._period)
        if sample is None:
            reason = reason or WAITING_FOR_CHUNK
            stop = bool(hold) or self.said.kind is not InstructionKind.TASK
            return self._hold(now, measured, opening, reason, bool(problem), stop)
        # After a pause too, no more than what can be followed until the next command.
        dt = min(max(dt, 0.0), 2 * self._period) * self.said.pace
        values = clamp_action(self._robot, self._kinematics, self._mode, sample[0], self._last, dt)
        if not self._is_pose() and self._exits_workspace(values):
            reason = "the plan would take the tool out of its workspace"
            return self._hold(now, measured, opening, reason, False)
        self._last = values
        self._held_since = None
        self._stopped_since = None
        self._gripper = float(np.clip(sample[1], 0.0, 1.0))
        return ActionCommand(
            self._mode, self._last, self._gripper, self._stamp, self._confidence, "", self.said
        )

    def preview(self, now: float, ticks: int) -> list[np.ndarray]:
        """Return what will be commanded at the next `ticks` if nothing else comes.

        Values of shape (7,) each; fewer where the plan is over before. To be asked after `tick`
        at the same time.
        """
        values: list[np.ndarray] = []
        last, dt = self._last, self._period * self.said.pace
        for number in range(ticks if self._held_since is None else 0):
            sample = self._timeline.sample(now + (number + 2) * self._period)
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
        reason: str,
        blind: bool,
        stop: bool = False,
    ) -> ActionCommand:
        """Stay at the last command.

        Args:
            now: [s]
            measured: See `tick`.
            opening: See `tick`.
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
        return ActionCommand(
            self._mode, self._last, self._gripper, now, 0.0, reason, self.said, stop
        )

    def _exits_workspace(self, values: np.ndarray) -> bool:
        assert self._last is not None
        count = len(self._robot.joints)
        return exits_workspace(self._robot, self._kinematics, values[:count], self._last[:count])

    def _is_pose(self) -> bool:
        return self._mode == ActionMode.END_EFFECTOR_POSE

    def _hold_reason(self, problem: str) -> str:
        """Return why the arm may not move; empty when it may."""
        if self.said.kind is InstructionKind.STOP:
            return f"stopped by '{self.said.text}'"
        if problem:
            return problem
        if self.said.number == 0:
            return "no instruction yet"
        if self.said.kind is InstructionKind.EMPTY:
            return "the instruction is empty" if self.said.text else "waiting for an instruction"
        age, allowed = self._time - self._heard, self._instruction_timeout
        if allowed and age > allowed:
            return f"the instruction is {age:.0f} s old, at most {allowed:.0f} s allowed"
        return self._refusal
