"""The scripted expert on LIBERO: it knows from the simulator where everything is.

It shows that the environments can be solved, and demonstrates; it reads no instruction.
"""

from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.evaluation.libero.things import geometries, kind_of, region_geometry
from vlm_robot_ros.interfaces.action import ActionChunk
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import hold_chunk
from vlm_robot_ros.manipulation.geometry import place_on
from vlm_robot_ros.manipulation.transfer import STEP_DT, rollout
from vlm_robot_ros.manipulation.transfer_task import TransferTask, transfer_chunk
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sim.libero.environment import LiberoEnvironment

_HORIZON = 4
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
    known = all((kind := kind_of(move.thing)) and kind.movable for move in moves)
    drawers = ("cabinet_1_top_region", "cabinet_1_middle_region", "cabinet_1_bottom_region")
    return moves if known and not any(move.place.endswith(drawers) for move in moves) else None


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
        move = self._moves[0]
        place = place_on(region_geometry(move.place, truth))
        if self._task is None:
            others = [thing for name, thing in things.items() if name != move.thing]
            self._task = TransferTask(things[move.thing], place, others, self._workspace)
        task = self._task
        task.see(things[move.thing], observation.pose[:3])
        plan = rollout(task.state(observation), _HORIZON)
        task.commanded(plan)
        return transfer_chunk(observation, plan, "expert")

    def draw(self) -> np.ndarray | None:
        """Return nothing: it looks at nothing."""
        return None
