"""From commands to what joints are told, past the last gate before an arm.

What a pilot commands becomes setpoints that the joints can follow, and nothing passes that is not
finite or outside a limit. What should never be trips: the arm is brought to a stand and stays
there until somebody has looked and says so. All times in seconds of one clock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.contract.action import ActionMode
from vlm_robot_ros.contract.robot import Robot
from vlm_robot_ros.control.following import Following
from vlm_robot_ros.control.limits import leaves, outside
from vlm_robot_ros.control.motion import Setpoint
from vlm_robot_ros.control.pilot import Command
from vlm_robot_ros.control.stream import JointStream, Path

AHEAD = 5
"""How many ticks a path looks ahead before it comes to a stand."""
QUIET_AFTER = 0.2
"""An arm that stands still is told so for so long, and then nothing [s]."""
_NEAR = 0.05
"""An arm this close to where it was told to be stands there, and droops a little [rad]."""
_MOVED, _SETTLED = 0.01, 0.5
"""By so much others have moved an arm that stands [rad]; it has come to it after so long [s]."""
_LOST = 0.1
"""An arm that was told nothing for so long stands, or nobody knows where it is [s]."""
_TOO_FAST = 1.2
"""Part of its speed that a tool shall never have."""
_STRAYED, _OUTSIDE = 0.05, 0.02
"""How far a measured joint may be outside its limits [rad], a told tool outside the box [m]."""
_EDGE = 0.005
"""How far outside the box a tool may come to a stand that has to brake [m]."""
_AGAIN, _INSISTS = 0.3, 1.0
"""A tool that has to brake for the edge so soon again [s] for so long [s] is sent there."""
_STANDS = 0.5
"""How long a path goes on after the arm has come to a stand [s]."""
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Drive:
    """What an arm is told at one tick."""

    time: float
    """Now; the first setpoint of the path is due one period later [s]."""
    period: float
    """Between setpoints [s]."""
    path: Path
    pose: np.ndarray
    """Of the tool at the first setpoint: a transform in the base frame. Shape (4, 4), [m]."""
    twist: np.ndarray
    """That takes the tool there, in the base frame. Shape (6,): linear [m/s], angular [rad/s]."""
    gripper: float
    """0 closed, 1 open."""

    def points(self) -> list[tuple[float, Setpoint]]:
        """Return the path and the stand at its end: seconds after `time`, and where then.

        The stand lasts a while: a trajectory that is over when it comes is refused.
        """
        path, count = self.path, len(self.path.setpoints)
        times = [(number + 1) * self.period for number in range(count)]
        stand = times[-1] + max(path.stopping, self.period)
        ends = [(stand, path.stand), (stand + _STANDS, path.stand)]
        return [*zip(times, path.setpoints, strict=True), *ends]


class Driver:
    """Knows where the arm has been told to be, and whether it may be told anything at all."""

    def __init__(
        self,
        robot: Robot,
        period: float,
        by_tool: bool = False,
        by_path: bool = False,
        heard: bool = True,
    ) -> None:
        """Make a driver that is called every `period` seconds.

        Args:
            robot: The contract.
            period: [s]
            by_tool: The arm is told where its tool shall be, and chooses its joints itself.
            by_path: The arm is told whole paths, and goes on along the last when no other comes.
                One tick of it always stands: a path that comes late by less than that leaves
                nothing to catch up with.
            heard: Somebody is told; else an arm that stays behind is none that does not follow.
        """
        self._robot, self._period, self._by_path, self._heard = robot, period, by_path, heard
        self._stream = JointStream(robot, period)
        self._following = Following(robot, self._stream.kinematics, by_tool)
        self._last: Setpoint | None = None
        self._stand: Setpoint | None = None
        self._still_since: float | None = None
        self._settles: float | None = None
        self._found: np.ndarray | None = None
        self._time = 0.0
        self._edge = (-np.inf, -np.inf)
        self.tripped = ""
        """Why nothing may move until `reset`; empty when it may."""
        self.lose()

    def lose(self) -> None:
        """Expect that others move the arm: it goes on from where it is found."""
        self._driving = False
        self._following.forget()
        self._still_since = None
        self._settles = self._found = None

    def reset(self) -> None:
        """Let it move again after a trip: from where the arm is, or where it is braking."""
        self.tripped = ""
        if not self._driving:
            self._last = None
            self.lose()

    def trip(self, reason: str) -> None:
        """Stop, and stay stopped until `reset`; the first reason is kept."""
        self.tripped = self.tripped or reason

    def drive(
        self, now: float, command: Command, ahead: Sequence[np.ndarray], joints: np.ndarray
    ) -> Drive | None:
        """Return what the arm is to be told; None when it stands still and knows it.

        Args:
            now: When this tick is due: periods after the one before, as of `Beat` [s].
            command: What it is told by the pilot; on a hold it comes to a stand.
            ahead: What it will be told at the next ticks, in the command's mode. Shape (7,) each.
            joints: Measured positions. Shape (J,), [rad].
        """
        self._catch_up(now)
        if not np.all(np.isfinite([*command.values, *np.ravel(ahead)])):
            self.trip("a command is not finite")
        self._watch(now, joints)
        holds = bool(command.hold_reason or self.tripped)
        poses = command.mode == ActionMode.END_EFFECTOR_POSE
        if not self._driving:
            self._notice(now, joints)
            if holds:  # it stands already, where we or others have left it
                return None
            self._begin(joints)
        before, targets = self._stream.now, [command.values, *ahead]
        if self._by_path and ahead:  # what is due next has been told already
            targets = targets[1:]
        setpoint, problem = self._stream.brake() if holds else self._towards(targets[0], poses), ""
        if not holds and self._leaves(self._stream.rest()[1], before.position):
            # From where it was it can still come to a stand in time; so it does.
            problem = self._at_the_edge(now, setpoint)
            self._stream.go_on_from(before)
            setpoint = self._stream.brake()
        elif not holds:
            problem = self._problem(setpoint, joints)
        if problem:
            self.trip(problem)
            holds = True
            self._stream.go_on_from(before)
            setpoint = self._stream.brake()
        path = self._stream.ahead([] if holds else self._joints_of(targets[1:], poses), poses)
        if self._leaves(
            [each.position for each in (*path.setpoints, path.stand)], before.position
        ):
            path = self._stream.ahead([], poses)
        told = (before, setpoint) if self._by_path else (setpoint,)
        drive = Drive(
            now,
            self._period,
            Path((*told, *path.setpoints), path.stopping, path.stand),
            self._stream.tool_at(told[0].position),
            self._stream.twist_to(told[0], joints),
            command.gripper,
        )
        self._last, self._stand = told[0], path.stand
        self._rest_after(now, holds and not np.any(setpoint.velocity))
        return drive

    def standing(self, now: float, joints: np.ndarray, gripper: float) -> Drive:
        """Return a drive of an arm that stays where it is. See `drive`."""
        here, still = self._where(joints), np.zeros(len(joints))
        stand = Setpoint(here, still, still)
        path = Path((stand,), self._period, stand)
        return Drive(now, self._period, path, self._stream.tool_at(here), np.zeros(6), gripper)

    def _catch_up(self, now: float) -> None:
        """Take into account that ticks may have been missed, or the clock been set back."""
        late, self._time = now - self._time, now
        missed = round(late / self._period) - 1
        if late < 0:  # nobody knows how long anything has lasted
            self._following.forget()
            self._still_since = None
        elif missed > 1 and missed * self._period >= _LOST - _ROUNDING and not self._by_path:
            self.lose()
        elif self._by_path and self._driving and missed > 0 and not self._stream.skip(missed):
            self._last = self._stand  # the path has come to its end meanwhile
            self.lose()

    def _notice(self, now: float, joints: np.ndarray) -> None:
        """Notice when others move an arm that stands: it is no longer where it was told to be."""
        if self._settles is None or now < self._settles:
            self._settles = now
        if self._found is None or now - self._settles < _SETTLED:
            self._found = joints
        elif np.max(np.abs(joints - self._found)) > _MOVED:
            self._last = None

    def _begin(self, joints: np.ndarray) -> None:
        """Go on from where the arm stands."""
        self._stream.start(self._where(joints))
        self._driving = True

    def _where(self, joints: np.ndarray) -> np.ndarray:
        """Return where the arm was told to be, if it is there; else where it is."""
        there = self._last and np.max(np.abs(self._last.position - joints)) < _NEAR
        return self._last.position if there and self._last else joints

    def _rest_after(self, now: float, still: bool) -> None:
        if not still:
            self._still_since = None
        elif self._still_since is None:
            self._still_since = now
        elif self.tripped or now - self._still_since > QUIET_AFTER:
            # After a trip at once: an arm that did not hear would leap to where it should be.
            self._last = self._stand
            self.lose()

    def _towards(self, values: np.ndarray, poses: bool) -> Setpoint:
        (target,) = self._joints_of([values], poses)
        return self._stream.to_pose(target) if poses else self._stream.to_joints(target)

    def _joints_of(self, values: Sequence[np.ndarray], poses: bool) -> list[np.ndarray]:
        """Return poses as they are, and of joint actions what is not the gripper's."""
        return [value if poses else value[: len(self._robot.joints)] for value in values]

    def _watch(self, now: float, joints: np.ndarray) -> None:
        """Trip when the arm is not where it was told to be, or where it cannot be."""
        robot = self._robot
        strayed = outside(joints, robot.lower, robot.upper)
        worst = int(strayed.argmax())
        if strayed[worst] > _STRAYED:
            self.trip(
                f"{robot.joint_names[worst]} is at {joints[worst]:.2f} rad, outside its limits "
                f"{robot.lower[worst]:.2f} to {robot.upper[worst]:.2f}"
            )
        if self._last is None or not self._driving or not self._heard:
            return
        # Servos are a little late, and farther behind the faster they go.
        told = self._stream.nearest(joints, self._last.position)
        if problem := self._following.problem(now, joints, told):
            self.trip(problem)

    def _problem(self, setpoint: Setpoint, joints: np.ndarray) -> str:
        """Return what is wrong with a setpoint; empty when nothing is."""
        robot = self._robot
        # What was outside before may come back.
        was = np.maximum(outside(joints, robot.lower, robot.upper), 0.0)
        for name, over in (
            ("position", outside(setpoint.position, robot.lower, robot.upper) - was),
            ("velocity", np.abs(setpoint.velocity) - robot.velocity),
            ("acceleration", np.abs(setpoint.acceleration) - robot.acceleration),
        ):
            worst = int(over.argmax())
            if over[worst] > _ROUNDING:
                return f"the {name} of {robot.joint_names[worst]} would pass its limit"
        if self._stream.tool_speed(setpoint) > _TOO_FAST * robot.workspace.speed:
            return f"the tool would be faster than {robot.workspace.speed} m/s"
        if self._leaves([setpoint.position], joints, _OUTSIDE):
            tool = self._stream.tool_at(setpoint.position)[:3, 3]
            return f"the tool would go to {tool.round(3).tolist()}, outside its workspace"
        return ""

    def _at_the_edge(self, now: float, setpoint: Setpoint) -> str:
        """Return what is wrong when the tool has to be kept from leaving again and again."""
        if now - self._edge[1] > _AGAIN:
            self._edge = (now, now)
        self._edge = (self._edge[0], now)
        if now - self._edge[0] < _INSISTS:
            return ""
        tool = self._stream.tool_at(setpoint.position)[:3, 3].round(3)
        return f"the tool would go on from {tool.tolist()} and leave its workspace"

    def _leaves(self, places: Iterable[np.ndarray], here: np.ndarray, most: float = _EDGE) -> bool:
        kinematics = self._stream.kinematics
        return any(leaves(self._robot, kinematics, place, here, most) for place in places)
