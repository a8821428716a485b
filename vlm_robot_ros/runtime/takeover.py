"""A person moves the arm in place of the policy: by twists, or by the joints of a leader arm."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason
from vlm_robot_ros.interfaces.instruction import Instruction
from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.kinematics.pose_steps import (
    limit_distance,
    limit_length,
    pose_difference,
    step_pose,
)
from vlm_robot_ros.motion.limits import clamp_action, exits_workspace
from vlm_robot_ros.robot.config import RobotConfig

TAKEOVER_TIMEOUT_S = 0.5
"""The arm goes back to the policy when a person has sent nothing for this time [s]."""
_MOVES_S = 0.2
"""A twist moves the arm for this time at most, if no other comes [s]."""
_MAX_LEADER_DISTANCE_RAD = 0.3
"""A leader arm takes over where none of its joints is farther from the arm's [rad]."""
_LEASH_M, _LEASH_RAD = 0.08, 0.4
"""How far the tool may be told to be from where it is [m, rad]: an arm that cannot follow a twist
does not go on when the person turns back."""
_MOVED_BY_HAND_M, _MOVED_BY_HAND_RAD = 0.04, 0.1
"""A tool that is farther from where it is held was moved by others [m, rad]; a joint, too, by the
first number."""
_MAX_TWIST, _MAX_ROTATION_RAD_S = 1e3, 3.0
"""A larger twist is none [m/s, rad/s]; a faster rotation than the second could turn the other way
before it is limited."""
_EARLY_TICKS = 2
"""A tick is due a little before it is called: what arrived meanwhile is not of the future."""


class LastCommand(NamedTuple):
    """What the arm was told last."""

    mode: ActionMode
    values: np.ndarray | None
    """Shape (7,); None where it was told nothing."""
    opening: float | None
    """Of the gripper: 0 closed, 1 open."""
    is_held: bool
    """Whether the arm holds."""


@dataclass(frozen=True)
class _Wish:
    """What the person sent last."""

    time: float
    twist: np.ndarray | None
    """Shape (6,), [m/s, rad/s]."""
    in_tool_frame: bool
    """Whether the twist is in the tool's frame, else in the base frame."""
    joints: np.ndarray | None
    """Shape (J,), [rad]."""


class Takeover:
    """What a person wants the arm to do. All times in seconds of the loop's clock."""

    def __init__(
        self,
        robot: RobotConfig,
        kinematics: Kinematics,
        period: float,
        timeout: float = TAKEOVER_TIMEOUT_S,
    ) -> None:
        """Begin with nobody.

        Args:
            robot: The contract.
            kinematics: Of the robot.
            period: Of the control loop [s].
            timeout: The arm goes back to the policy when nothing was sent for this time [s].
        """
        self._robot, self._kinematics = robot, kinematics
        self._period, self._timeout = period, timeout
        self._wish: _Wish | None = None
        self._opening: float | None = None
        self._last: ActionCommand | None = None
        """The last action, while the person has the arm."""
        self._time = 0.0
        """Of that action [s]."""
        self._stopped = False
        """Whether the arm was stopped since the person began to send."""
        self._heard = -np.inf
        """Since when the person has been silent [s]."""
        self._is_led = False
        """Whether the arm follows a leader arm."""

    def set_twist(self, twist: np.ndarray, now: float, in_tool_frame: bool = False) -> None:
        """Take a velocity of the tool.

        Args:
            twist: Linear, then angular. Shape (6,), [m/s, rad/s].
            now: [s]
            in_tool_frame: Whether it is in the tool's frame, else in the base frame.

        Raises:
            ValueError: It is not of six finite numbers.
        """
        twist = np.asarray(twist, float)
        # Written so that NaN fails, too.
        if twist.shape != (6,) or not np.all(np.abs(twist) <= _MAX_TWIST):
            raise ValueError(
                f"a twist is {twist.tolist()}; valid: six finite numbers up to {_MAX_TWIST:g}"
            )
        twist = np.concatenate([
            limit_length(twist[:3], self._robot.workspace.speed),
            limit_length(twist[3:], _MAX_ROTATION_RAD_S),
        ])  # fmt: skip
        self._wish, self._heard = _Wish(now, twist, in_tool_frame, None), now

    def set_joints(self, joints: np.ndarray, now: float) -> None:
        """Take where a leader arm is. Shape (J,), [rad].

        Raises:
            ValueError: These are not as many finite numbers as the robot has joints.
        """
        joints, count = np.asarray(joints, float), len(self._robot.joints)
        if joints.shape != (count,) or not np.all(np.isfinite(joints)):
            raise ValueError(
                f"joint positions are {joints.tolist()}; valid: {count} finite numbers"
            )
        before = None if self._wish is None else self._wish.joints
        if before is not None and np.max(np.abs(joints - before)) > _MAX_LEADER_DISTANCE_RAD:
            self.release()  # it has jumped, and must be near the arm again
        self._wish, self._heard = _Wish(now, None, False, joints), now

    def set_opening(self, opening: float) -> None:
        """Take an opening of the gripper, 0 closed to 1 open; it counts while the person sends.

        Raises:
            ValueError: It is not between 0 and 1.
        """
        if not 0.0 <= opening <= 1.0:
            raise ValueError(f"a gripper opening is {opening}; valid: 0 (closed) to 1 (open)")
        self._opening = float(opening)

    def is_active(self, now: float) -> bool:
        """Tell whether a person wants the arm at `now` [s]; one who does not has let it go."""
        if now < self._heard - _EARLY_TICKS * self._period:  # the clock was set back
            self._wish, self._heard = None, now
        silent = now - self._heard > self._timeout
        if silent:
            self._stopped = False
        if silent or self._wish is None:
            self._wish = self._opening = None
            self.release()
            return False
        return True

    def stop(self) -> None:
        """Note that the arm is stopped: a person who sends has to let go before taking it over."""
        self._stopped = self._wish is not None

    def release(self) -> None:
        """Note that the arm does not do what the person wants: it holds, or the policy has it."""
        self._last, self._is_led = None, False

    @property
    def source(self) -> str:
        """What the person sends: "twist" or "joint positions"; empty where nobody sends any."""
        if self._wish is None:
            return ""
        return "twist" if self._wish.joints is None else "joint positions"

    def problem(self, state: RobotState) -> HoldReason:
        """Return why a person cannot have the arm yet; empty where the person can."""
        if self._stopped:
            text = f"takeover: the arm was stopped; let go for {self._timeout:g} s to take it over"
            return HoldReason(HoldCode.TAKEOVER, text)
        if self._wish is None or self._wish.joints is None or self._is_led:
            return MAY_MOVE
        wanted = self._robot.unwrap_continuous_joints(self._wish.joints, state.joints)
        apart = np.abs(wanted - state.joints)
        worst = int(np.argmax(apart))
        if apart[worst] <= _MAX_LEADER_DISTANCE_RAD:
            return MAY_MOVE
        return HoldReason(
            HoldCode.TAKEOVER,
            f"takeover: {self._robot.joint_names[worst]} of the leader arm is {apart[worst]:.2f} "
            f"rad from the arm's; at most {_MAX_LEADER_DISTANCE_RAD} rad to take over",
        )

    def step(
        self, now: float, state: RobotState, before: LastCommand, said: Instruction
    ) -> ActionCommand:
        """Return the action of this control step, within the limits of the contract.

        Args:
            now: [s]
            state: Measured.
            before: What the arm was told last, before the person had it.
            said: The instruction that counts meanwhile.
        """
        assert self._wish is not None
        leads = self._wish.joints is not None
        mode = ActionMode.JOINT_POSITION if leads else ActionMode.END_EFFECTOR_POSE
        pose = transform_to_pose7(self._kinematics.forward(state.joints))
        measured = state.joints if leads else pose
        dt = self._period
        if self._last is None:
            opening, last = before.opening, self._first(mode, measured, before)
        else:
            opening = self._last.gripper
            last = self._last.values if self._last.mode == mode else measured
            dt = min(max(now - self._time, 0.0), 2 * self._period)
        if not leads:
            last = limit_distance(last, measured, _LEASH_M, _LEASH_RAD)
        values, reason = self._next(now, mode, last, dt)
        self._is_led = leads and not reason
        openings = (self._opening, opening, state.opening)
        gripper = next(each for each in openings if each is not None)
        sure = 0.0 if reason else 1.0
        self._last = ActionCommand(mode, values, gripper, now, sure, reason, said)
        self._time = now
        return self._last

    @staticmethod
    def _first(mode: ActionMode, measured: np.ndarray, before: LastCommand) -> np.ndarray:
        """Return where the motion begins, in that mode."""
        if before.values is None or before.mode != mode:
            return measured
        if before.is_held:  # others may have moved the arm meanwhile
            if mode == ActionMode.JOINT_POSITION:
                is_moved = np.max(np.abs(before.values - measured)) > _MOVED_BY_HAND_M
            else:
                apart = pose_difference(measured, before.values)
                is_moved = bool(np.linalg.norm(apart[:3]) > _MOVED_BY_HAND_M)
                is_moved |= bool(np.linalg.norm(apart[3:]) > _MOVED_BY_HAND_RAD)
            if is_moved:
                return measured
        return before.values

    def preview(self, now: float, ticks: int) -> list[np.ndarray]:
        """Return the values of the next actions if the person sends nothing else.

        Values of the shape of an action each. To be asked after `step`.
        """
        assert self._last is not None
        values, last = list[np.ndarray](), self._last.values
        for number in range(ticks):
            at = now + (number + 1) * self._period
            last, _ = self._next(at, self._last.mode, last, self._period)
            values.append(last)
        return values

    def _next(
        self, now: float, mode: ActionMode, last: np.ndarray, dt: float
    ) -> tuple[np.ndarray, HoldReason]:
        """Return what is commanded `dt` after `last`, and why it stays there, if it does."""
        assert self._wish is not None
        wanted = last
        if self._wish.joints is not None:
            wanted = self._wish.joints
        elif self._is_moving(now) and self._wish.twist is not None:
            wanted = step_pose(last, self._wish.twist * dt, self._wish.in_tool_frame)
        if wanted is last:
            return last, MAY_MOVE  # where it stands, even outside of the workspace
        values = clamp_action(self._robot, self._kinematics, mode, wanted, last, dt, True)
        if mode == ActionMode.JOINT_POSITION and exits_workspace(
            self._robot, self._kinematics, values, last
        ):
            text = "the leader arm would take the tool out of its workspace"
            return last, HoldReason(HoldCode.WORKSPACE, text)
        return values, MAY_MOVE

    def _is_moving(self, now: float) -> bool:
        """Tell whether there is a twist that moves the arm at `now` [s]."""
        wish = self._wish
        return wish is not None and bool(np.any(wish.twist)) and now - wish.time <= _MOVES_S
