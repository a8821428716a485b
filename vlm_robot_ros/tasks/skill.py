"""A family of skills: what it is called, where it leads, how it is done and when it is done."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from vlm_robot_ros.tasks.paraphrases import Paraphrases
from vlm_robot_ros.tasks.scene import Scene

DIRECTIONS = {
    "left": np.array([0.0, 1.0]),
    "right": np.array([0.0, -1.0]),
    "away": np.array([1.0, 0.0]),
    "closer": np.array([-1.0, 0.0]),
    "in front": np.array([-1.0, 0.0]),
    "behind": np.array([1.0, 0.0]),
}
"""Unit vectors, the robot's own: left is +y, away is +x (REP 103); in front of an object is where
the robot is. Shape (2,), base frame."""


@dataclass(frozen=True)
class Task:
    """One thing to do in a scene; indices into its things, None where the skill needs none."""

    skill: str
    target: int | None = None
    reference: int | None = None


class WorldState(NamedTuple):
    """What is true at one moment; the order of things is the scene's."""

    positions: np.ndarray
    """Of all things. Shape (N, 3), base frame [m]."""
    yaws: np.ndarray
    """Their turns about the vertical. Shape (N,), [rad]."""
    tool: np.ndarray
    """Shape (3,), [m]."""
    opening: float
    """Of the gripper, 0 closed to 1 open."""


class ExpertInput(NamedTuple):
    """What the expert decides on; a batch of states."""

    skill: np.ndarray
    """Index into `tasks.SKILLS`. Shape (B,)."""
    tool: np.ndarray
    """Tool positions. Shape (B, 3), base frame [m]."""
    yaw: np.ndarray
    """Turn of the tool about the vertical from pointing down straight. Shape (B,), [rad]."""
    opening: np.ndarray
    """Gripper openings, 0 closed to 1 open. Shape (B,)."""
    item: np.ndarray
    """The target's middle. Shape (B, 3), [m]."""
    goal: np.ndarray
    """Where the target, or for "home" the tool, shall be: `goal_positions`. Shape (B, 3), [m]."""
    turned: np.ndarray
    """How far the target was turned since the task was given. Shape (B,), [rad]."""


class ExpertAction(NamedTuple):
    """What the expert does; a batch."""

    tool: np.ndarray
    """Displacement. Shape (B, 3), [m]."""
    yaw: np.ndarray
    """Turn. Shape (B,), [rad]."""
    grip: np.ndarray
    """Gripper opening to command. Shape (B,)."""


class Goal(NamedTuple):
    """Where a skill's target shall be: weighted positions and an offset. Shape (3,) each."""

    of_start: Sequence[float] = (0.0, 0.0, 0.0)
    """Weight of the target's position when the task was given."""
    of_reference: Sequence[float] = (0.0, 0.0, 0.0)
    """Weight of the reference's position. Its height is that of a receptacle's rim, but of an
    object's middle."""
    offset: Sequence[float] = (0.0, 0.0, 0.0)
    """[m]"""


class Skill(ABC):
    """A family of skills.

    A module of the folder `tasks/skills` defines one class, which `tasks.tasks` finds. Packages
    outside register theirs in the group `plugins.SKILLS`. Models know the skills that they were
    trained for; the scripted expert, scenes, sentences and the success of a task need no training.
    """

    family: ClassVar[str]
    names: ClassVar[tuple[str, ...]]
    """Its skills, such as "push left"."""
    order: ClassVar[int] = 100
    """Place among the families: their order numbers the outputs of trained models."""
    reference: ClassVar[str] = ""
    """What its tasks refer to besides their target: "object", "receptacle" or nothing."""
    has_target: ClassVar[bool] = True
    sentences: ClassVar[Paraphrases]
    """What `templates` returns for each of its skills."""
    verb_phrases: ClassVar[Paraphrases | None] = None
    """What `verbs` returns for each of its skills."""
    time_limit_s: ClassVar[float] = 12.0
    """Time that a task may take [s]."""
    pushes: ClassVar[bool] = False
    """Whether it moves its target by contact, along `direction`, instead of in the gripper."""
    training_weight: ClassVar[float] = 1.0
    """How often its states are drawn to train the action head, relative to other families."""

    # -- Words -----------------------------------------------------------------------------------

    def templates(self, name: str) -> Paraphrases:
        """Return sentences: {v} is the verb, {o} the object, {d} the direction or place."""
        return self.sentences

    def verbs(self, name: str) -> Paraphrases | None:
        """Return the verbs; None where the sentences have none."""
        return self.verb_phrases

    def places(self, name: str, preposition: str = "in") -> Paraphrases | None:
        """Return directions or, with {r} for the reference, places; None where there are none.

        Args:
            name: Of the skill.
            preposition: Of the receptacle that the task refers to.
        """
        return None

    @abstractmethod
    def label(self, name: str, shape: str, receptacle: str = "") -> str:
        """Return the task label of a skill done to a shape."""

    # -- Scenes and goals ------------------------------------------------------------------------

    @abstractmethod
    def is_feasible(self, task: Task, scene: Scene) -> bool:
        """Tell whether a task can be done and is not done yet.

        The target is movable, and target and reference differ.
        """

    @abstractmethod
    def goal(self, name: str) -> Goal:
        """Return where the target, or for skills without one the tool, shall be."""

    def direction(self, name: str) -> np.ndarray | None:
        """Return the unit vector of a push or a placing, shape (2,), or None."""
        return None

    def turn(self, name: str) -> float:
        """Return the turn of the target, counterclockwise seen from above [rad]."""
        return 0.0

    @abstractmethod
    def is_done(self, task: Task, scene: Scene, start: WorldState, now: WorldState) -> bool:
        """Tell whether a task that was given at `start` is done."""

    # -- The scripted expert ---------------------------------------------------------------------

    @abstractmethod
    def expert_action(
        self, states: ExpertInput, along: np.ndarray, turn: np.ndarray
    ) -> ExpertAction:
        """Return what to do over the next 0.1 s, from what can be seen and nothing else.

        Args:
            states: Of this family only.
            along: `direction` of each state's skill, zero where it has none. Shape (B, 3).
            turn: `turn` of each state's skill. Shape (B,), [rad].
        """
