"""The scripted expert on LIBERO: it knows from the simulator where everything is.

It shows that the environments can be solved, and demonstrates; it reads no instruction.
"""

from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.evaluation.libero.things import geometries, kind_of, region_geometry
from vlm_robot_ros.interfaces.action import ActionChunk
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import hold_chunk
from vlm_robot_ros.manipulation.geometry import GraspError, place_on
from vlm_robot_ros.manipulation.transfer import STEP_DT, rollout
from vlm_robot_ros.manipulation.transfer_task import TransferTask, transfer_chunk
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sim.libero.environment import LiberoEnvironment

_HORIZON = 4
_LEFT_M = 0.08
"""How far above what it has put down the tool is when it goes on [m]."""
_CARRIED = ("on", "in")
"""Goals of a task's file that carrying fulfils."""


@dataclass(frozen=True)
class Move:
    """A thing to be carried somewhere; names of the task's file."""

    thing: str
    place: str


def moves_of(goal: list[list[str]]) -> list[Move] | None:
    """Return what is to be carried for a goal; None where it asks for something else.

    Args:
        goal: Conditions of a task's file, such as `["on", "plate_1", "flat_stove_1_cook_region"]`.
    """
    if not all(part[0] in _CARRIED and len(part) == 3 for part in goal):
        return None
    moves = [Move(part[1], part[2]) for part in goal]
    known = all(
        (kind := kind_of(move.thing)) and kind.movable and _is_known_place(move.place)
        for move in moves
    )
    drawers = ("cabinet_1_top_region", "cabinet_1_middle_region", "cabinet_1_bottom_region")
    return moves if known and not any(move.place.endswith(drawers) for move in moves) else None


def _is_known_place(name: str) -> bool:
    """Tell whether a place is a known thing, a region on one, or one of the table or floor."""
    parts = name.split("_")
    owners = ("_".join(parts[:count]) for count in range(2, len(parts) + 1))
    return name.startswith(("main_table_", "floor_")) or any(map(kind_of, owners))


class LiberoExpert:
    """Carries one thing after the other to where the task's file says."""

    cameras: tuple[str, ...] = ()
    replan_steps = 2

    def __init__(self, robot: RobotConfig) -> None:
        self._env: LiberoEnvironment | None = None
        self._workspace = robot.workspace
        self.reset()

    def reset(self) -> None:
        """Forget the episode."""
        self._moves: list[Move] | None = None
        self._task: TransferTask | None = None

    def watch(self, env: LiberoEnvironment) -> None:
        """Act in this environment from now on."""
        self._env = env

    def next_instruction(self) -> None:
        """Nothing: it reads no instruction."""

    def infer(self, observation: Observation) -> ActionChunk:
        """Return what to do next."""
        if self._env is not None and self._moves is None:
            self._moves = moves_of(self._env.goal()) or []
        if self._env is None or not self._moves:
            return hold_chunk(observation, STEP_DT, "the task's goal is not one of carrying")
        truth = self._env.scene()
        things = geometries(truth)
        if (
            len(self._moves) > 1 and self._task is not None and self._task.placed
            and observation.pose[2] > self._task.goal[2] + _LEFT_M
        ):  # fmt: skip
            self._moves, self._task = self._moves[1:], None
        move = self._moves[0]
        try:
            place = place_on(region_geometry(move.place, truth))
            others = [thing for name, thing in things.items() if name != move.thing]
            task = self._task = self._task or TransferTask(
                things[move.thing], place, others, self._workspace
            )
        except (KeyError, GraspError) as error:
            return hold_chunk(observation, STEP_DT, f"{move.thing}: {error}")
        task.see(things[move.thing], observation.pose[:3])
        plan = rollout(task.state(observation), _HORIZON)
        task.commanded(plan)
        return transfer_chunk(observation, plan, "expert")

    def draw(self) -> np.ndarray | None:
        """Return nothing: it looks at nothing."""
        return None
