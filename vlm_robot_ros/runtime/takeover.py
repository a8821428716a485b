"""A person moves the arm in place of the policy: by twists, or by the joints of a leader arm."""

from dataclasses import dataclass

import numpy as np
import pinocchio

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason
from vlm_robot_ros.interfaces.instruction import Instruction
from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
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
        """The last action of this takeover."""
        self._stopped = False
        """Whether the arm was stopped since the person began."""

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
        if twist.shape != (6,) or not np.all(np.isfinite(twist)):
            raise ValueError(f"a twist is {twist.tolist()}; valid: six finite numbers")
        self._wish = _Wish(now, twist, in_tool_frame, None)

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
        self._wish = _Wish(now, None, False, joints)

    def set_opening(self, opening: float) -> None:
        """Take an opening of the gripper, 0 closed to 1 open, from now on.

        Raises:
            ValueError: It is not between 0 and 1.
        """
        if not 0.0 <= opening <= 1.0:
            raise ValueError(f"a gripper opening is {opening}; valid: 0 (closed) to 1 (open)")
        self._opening = float(opening)

    def is_active(self, now: float) -> bool:
        """Tell whether a person has the arm at `now` [s]."""
        active = self._wish is not None and 0.0 <= now - self._wish.time <= self._timeout
        if not active:
            self._wish = self._opening = self._last = None
            self._stopped = False
        return active

    def stop(self) -> None:
        """Note that the arm is stopped: the person has to let go before taking it over again."""
        self._stopped = True

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
            return HoldReason(HoldCode.NO_INSTRUCTION, text)
        if self._wish is None or self._wish.joints is None or self._is_led:
            return MAY_MOVE
        wanted = self._robot.unwrap_continuous_joints(self._wish.joints, state.joints)
        apart = np.abs(wanted - state.joints)
        worst = int(np.argmax(apart))
        if apart[worst] <= _MAX_LEADER_DISTANCE_RAD:
            return MAY_MOVE
        return HoldReason(
            HoldCode.INPUT_INVALID,
            f"takeover: {self._robot.joint_names[worst]} of the leader arm is {apart[worst]:.2f} "
            f"rad from the arm's; at most {_MAX_LEADER_DISTANCE_RAD} rad to take over",
        )

    @property
    def _is_led(self) -> bool:
        return self._last is not None and self._last.mode == ActionMode.JOINT_POSITION

    def step(
        self,
        now: float,
        state: RobotState,
        before: tuple[ActionMode, np.ndarray | None, float | None],
        said: Instruction,
    ) -> ActionCommand:
        """Return the action of this control step, within the limits of the contract.

        Args:
            now: [s]
            state: Measured.
            before: What the arm was told last: mode, values of shape (7,), gripper opening.
            said: The instruction that counts meanwhile.
        """
        assert self._wish is not None
        mode = (
            ActionMode.JOINT_POSITION
            if self._wish.joints is not None
            else ActionMode.END_EFFECTOR_POSE
        )
        pose = transform_to_pose7(self._kinematics.forward(state.joints))
        measured = pose
        if mode == ActionMode.JOINT_POSITION:
            measured = np.pad(state.joints, (0, len(pose) - len(state.joints)))
        mode_before, values_before, opening_before = before
        last = measured if values_before is None or mode_before != mode else values_before
        if mode == ActionMode.END_EFFECTOR_POSE:
            last = _leashed(last, measured)
        values, reason = self._next(now, mode, last, self._period)
        opening = next(
            each for each in (self._opening, opening_before, state.opening) if each is not None
        )
        sure = 0.0 if reason else 1.0
        self._last = ActionCommand(mode, values, opening, now, sure, reason, said)
        return self._last

    def preview(self, now: float, ticks: int) -> list[np.ndarray]:
        """Return the values of the next actions if the person sends nothing else.

        Values of shape (7,) each. To be asked after `step`.
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
        """Return what is commanded after `last`, and why it stays there, if it does."""
        assert self._wish is not None
        wanted = last
        if self._wish.joints is not None:
            wanted = np.pad(self._wish.joints, (0, len(last) - len(self._wish.joints)))
        elif self._wish.twist is not None and now - self._wish.time <= _MOVES_S:
            wanted = _moved(last, self._wish.twist * dt, self._wish.in_tool_frame)
        values = clamp_action(self._robot, self._kinematics, mode, wanted, last, dt)
        count = len(self._robot.joints)
        if mode == ActionMode.JOINT_POSITION and exits_workspace(
            self._robot, self._kinematics, values[:count], last[:count]
        ):
            text = "the leader arm would take the tool out of its workspace"
            return last, HoldReason(HoldCode.WORKSPACE, text)
        return values, MAY_MOVE


def _moved(pose: np.ndarray, change: np.ndarray, in_tool_frame: bool) -> np.ndarray:
    """Return a pose, shape (7,), after a small motion of it, shape (6,)."""
    if in_tool_frame:
        rotation = pinocchio.Quaternion(pose[3:]).normalized()
        change = np.concatenate([rotation * change[:3], rotation * change[3:]])
    turn = pinocchio.Quaternion(pinocchio.exp3_quat(change[3:]))
    turned = (turn * pinocchio.Quaternion(pose[3:])).normalized()
    return np.concatenate([pose[:3] + change[:3], turned.coeffs()])


def _leashed(pose: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Return a pose no farther than the leash from where the tool is. Shape (7,) each."""
    away = pose[:3] - measured[:3]
    away = away * min(1.0, _LEASH_M / max(float(np.linalg.norm(away)), 1e-9))
    here, there = pinocchio.Quaternion(measured[3:]), pinocchio.Quaternion(pose[3:])
    turn = pinocchio.log3((there * here.inverse()).matrix())
    turn = turn * min(1.0, _LEASH_RAD / max(float(np.linalg.norm(turn)), 1e-9))
    turned = (pinocchio.Quaternion(pinocchio.exp3_quat(turn)) * here).coeffs()
    if turned @ pose[3:] < 0:
        turned = -turned
    return np.concatenate([measured[:3] + away, turned])
