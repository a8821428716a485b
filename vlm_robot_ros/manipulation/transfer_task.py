"""What is known of a thing that is carried: where it is, whether it is held, or let go of."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.kinematics.kinematics import downward_pose, tool_yaw
from vlm_robot_ros.manipulation.geometry import (
    Grasp,
    GraspError,
    ObjectGeometry,
    Place,
    half_turn,
    hanging,
    plan_grasp,
    tool_goal,
    travel_height,
)
from vlm_robot_ros.manipulation.transfer import STEP_DT, TransferAction, TransferState, is_there
from vlm_robot_ros.robot.config import Workspace

_LIFT_M = 0.15
"""How high a thing is lifted that is not put anywhere."""
_EMPTY_OPENING, _STILL_OPENING = 0.015, 0.03
"""Opening at which nothing is between the fingers; what it changes when something is."""
_STOPPED_M, _STOPPED_TIMES = 0.004, 4
"""How little the tool moves, and how often, before it counts as stopped."""
_PUT_M = 0.02
"""How near its place a thing is seen that was put there [m]."""
_STUCK_TIMES = 12
"""How often the tool has stopped before what it reaches for when another grasp is tried."""
_MOST_FAILED = 5
"""How many grasps are tried that the tool does not reach."""
_MISSED_TIMES = 4
"""How often it must be seen elsewhere to be fetched again."""
_STILL_M, _TRUST = 0.02, 0.3
"""What seems to have moved by less stands still, and is only a little better known [m]."""
_RETRY_M = 0.1
"""How high the tool goes above where it has missed a thing [m]."""
_MOST_YAW_RAD = 1.8
"""How far the tool is turned from straight at most; two fingers need no more than pi / 2."""
_SHOWN = 0.8
"""Part of its area, seen from above, below which a thing is partly hidden."""
_SMALLER_TIMES = 8
"""After so many such sights in a row it was taken for larger than it is."""
_CLEAR_M = 0.12
"""How far the hand must be from a thing not to hide it [m]."""


@dataclass
class TransferTask:
    """One thing to be carried, or lifted."""

    target: ObjectGeometry
    """Where it is; while it is held, where it was."""
    place: Place | None
    """Where it is put; None: it is lifted, and kept."""
    others: Sequence[ObjectGeometry] = ()
    """What stands around it."""
    workspace: Workspace | None = None
    """Of the tool."""
    held: bool = False
    placed: bool = False
    _missed: bool = field(default=False, init=False)
    """Whether the fingers have closed on nothing, and are still there."""
    _leaves: np.ndarray | None = field(default=None, init=False)
    """Where the tool was stuck, if it was."""
    _smaller: int = field(default=0, init=False)
    """How often in a row it was seen smaller than it is."""
    _unreachable: str = field(default="", init=False)
    """Why it cannot be taken where it was seen last."""
    _askew: float = field(default=0.0, init=False)
    """How far the tool is from the grasp's yaw [rad]."""
    _before: float = field(default=1.0, init=False)
    """Opening when the fingers began to close."""
    _away: int = field(default=0, init=False)
    _lost: bool = field(default=False, init=False)
    """Whether it was lost, and the fingers have not been opened since."""
    _failed: list[Grasp] = field(default_factory=list, init=False)
    _left: int = field(default=0, init=False)
    """How often it was seen where it was, though it counts as held."""
    _closing: int = field(default=0, init=False)
    _stopped: int = field(default=0, init=False)
    _tool: np.ndarray | None = field(default=None, init=False)
    _opening: float = field(default=1.0, init=False)
    _commanded: float = field(default=1.0, init=False)

    def __post_init__(self) -> None:
        """Plan how it is gripped; raises GraspError where it cannot be."""
        self.grasp = self._plan_grasp()

    @property
    def expected(self) -> np.ndarray:
        """Where the thing stands, as far as is known. Shape (3,), [m]."""
        put = self.placed and self.place is not None
        return self.place.point if put and self.place else self.target.base

    @property
    def goal(self) -> np.ndarray:
        """Where the tool is to be when it lets go. Shape (3,), [m]."""
        return tool_goal(self.target, self.grasp, self._place())

    @property
    def aim(self) -> np.ndarray:
        """Where the tool goes to take it. Shape (3,), [m]."""
        return self.grasp.point

    @property
    def travel(self) -> float:
        """How high the tool is on its way there [m]."""
        return travel_height(self.target, self.grasp, self._place())

    @property
    def pace(self) -> float:
        """What part of a planned way the tool goes."""
        return 1.0

    @property
    def keeps(self) -> bool:
        """Whether it is not let go of."""
        return self.place is None

    def see(self, target: ObjectGeometry, tool: np.ndarray) -> None:
        """Take note of where the thing is seen, unless the hand may hide it."""
        upright = np.array([*target.base[:2], np.clip(tool[2], target.base[2], target.top)])
        if np.linalg.norm(tool - upright) < _CLEAR_M:
            return
        is_smaller = target.size[:2].prod() < _SHOWN * self.target.size[:2].prod()
        self._smaller = self._smaller + 1 if is_smaller else 0
        if is_smaller and self._smaller < _SMALLER_TIMES:
            return  # it is partly hidden
        if self.held:
            # What is seen where it was, and the hand is far from there, is not in the hand.
            away = np.linalg.norm(target.base - self.target.base)
            self._left = self._left + 1 if away < _STILL_M else 0
            if self._left < _MISSED_TIMES:
                return
            self.held, self._left, self._lost = False, 0, True
            self._failed.append(self.grasp)
            self.grasp = self._plan_grasp()
        if self.placed:
            # It stands where it was put, or is fetched again.
            away = np.linalg.norm((target.base - self.expected)[:2])
            self._away = 0 if away < _PUT_M else self._away + 1
            if self._away < _MISSED_TIMES:
                return
            self.placed, self._away = False, 0
        if not self.placed and self.target.size[:2].prod() < _SHOWN * target.size[:2].prod():
            self._retarget(target)  # it was partly hidden before
            return
        moved = target.base - self.target.base
        if np.linalg.norm(moved) < _STILL_M:
            moved, self._unreachable = moved * _TRUST, ""
            self.grasp = replace(self.grasp, point=self.grasp.point + moved)
            self.target = replace(self.target, base=self.target.base + moved)
            return
        self._retarget(replace(self.target, base=target.base))

    def _retarget(self, target: ObjectGeometry) -> None:
        """Plan anew for where a thing is; what cannot be taken there is not taken elsewhere."""
        before, self.target = self.target, target
        try:
            self.grasp, self._unreachable = self._plan_grasp(), ""
        except GraspError as error:
            self.target, self._unreachable = before, str(error)
            raise

    def state(self, observation: Observation) -> TransferState:
        """Return what to decide on; a batch of one."""
        tool, opening = observation.pose[:3], observation.opening
        self._update_grip(opening)
        moved = np.inf if self._tool is None else float(np.linalg.norm(tool - self._tool))
        self._stopped = self._stopped + 1 if moved < _STOPPED_M else 0
        self._tool, self._opening = tool.copy(), opening
        if self._stopped >= _STUCK_TIMES and not (self.held or self.placed):
            self._leave_grasp(tool)
        low = self.grasp.point if self._leaves is None else self._leaves
        if self._unreachable:
            raise GraspError(self._unreachable)
        if self._missed and tool[2] > low[2] + _RETRY_M:
            self._missed, self._leaves = False, None
        # After a grasp that missed it leaves what it missed, as it would leave what it has put.
        goal = self.goal
        if self._missed:
            goal = self.grasp.point if self._leaves is None else self._leaves
        turn = _turn(tool_yaw(observation.pose), self.grasp.yaw)
        self._askew = abs(turn)
        item = self.aim
        aim = goal if self.held else item
        if self._stopped >= _STOPPED_TIMES and is_there(tool, aim):
            tool = aim  # it gets no nearer
        flags = (self.held, self._stopped >= _STOPPED_TIMES, self.keeps,
                 self.placed or self._missed)  # fmt: skip
        held, stopped, keep, placed = (np.array([float(flag)]) for flag in flags)
        return TransferState(
            tool[None], np.array([turn]), held, stopped, item[None], goal[None],
            np.array([self.travel]), keep, placed,
        )  # fmt: skip

    def _leave_grasp(self, tool: np.ndarray) -> None:
        """Try another grasp than the one that the tool cannot reach; first it rises.

        Raises:
            GraspError: several were tried.
        """
        if self._missed:  # it cannot rise: it goes on from where it is
            self._missed, self._leaves, self._stopped = False, None, 0
            return
        if len(self._failed) >= _MOST_FAILED:
            raise GraspError(f"I have tried {_MOST_FAILED} times to reach it")
        self._failed.append(self.grasp)
        self.grasp = self._plan_grasp()
        self._missed, self._stopped, self._leaves = True, 0, tool.copy()

    def commanded(self, action: TransferAction) -> None:
        """Take note of what is done; a batch of one, with steps or without."""
        self._commanded = float(np.ravel(action.grip)[0])

    def _place(self) -> Place:
        lift = _LIFT_M + hanging(self.target)
        return self.place or Place(self.target.base + np.array([0.0, 0.0, lift]))

    def _plan_grasp(self) -> Grasp:
        return plan_grasp(self.target, self.others, self.place, self.workspace, self._failed)

    def _has_closed(self, opening: float) -> bool:
        """Tell whether fingers that close have come to rest."""
        return abs(opening - self._opening) < _STILL_OPENING and self._closing > 1

    def _update_grip(self, opening: float) -> None:
        if self._commanded > 0.5:
            self._closing, self._before, self._lost = 0, opening, False
            if self.held:  # they have let go of it
                self.held, self.placed = False, self.place is not None
            return
        self._closing += 1
        if self._has_closed(opening) and not self.held and not self.placed and not self._lost:
            # Fingers that have not moved yet are stopped by nothing.
            self.held, self._left = _EMPTY_OPENING < opening < self._before - _STILL_OPENING, 0
            self._missed = opening <= _EMPTY_OPENING
        elif self.held and opening < _EMPTY_OPENING / 2:
            self.held = False  # it was lost


def _turn(tool: float, grasp: float) -> float:
    """Return how far to turn next to grip at a yaw, without turning the wrist too far [rad]."""
    nearest = tool + half_turn(grasp - tool)
    aim = nearest if abs(nearest) < _MOST_YAW_RAD else half_turn(grasp)
    return float(np.clip(aim - tool, -np.pi / 2, np.pi / 2))


def transfer_chunk(
    observation: Observation, plan: TransferAction, label: str, confidence: float = 1.0
) -> ActionChunk:
    """Return steps of the expert, or of what learned from it, as poses of the tool.

    Args:
        observation: From which they were planned.
        plan: A batch of one: shapes (1, H, 3) and (1, H).
        label: Task label.
        confidence: How sure it is that this is meant, 0 to 1.
    """
    places = observation.pose[:3] + plan.move[0]
    yaws = tool_yaw(observation.pose) + plan.turn[0]
    return ActionChunk(
        ActionMode.END_EFFECTOR_POSE,
        np.stack([downward_pose(place, yaw) for place, yaw in zip(places, yaws, strict=True)]),
        plan.grip[0].astype(float),
        STEP_DT,
        label,
        {label: 1.0},
        confidence,
        "",
        gripper_at_once=True,
    )
