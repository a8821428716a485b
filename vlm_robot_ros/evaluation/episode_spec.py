"""An episode of the obedience suite: a scene, what is said, what shall come of it."""

from dataclasses import dataclass, field

import numpy as np

from vlm_robot_ros.tasks.scene import Scene
from vlm_robot_ros.tasks.skill import Task


@dataclass(frozen=True)
class InstructionStep:
    """One thing that is said, and what shall come of it."""

    text: str
    task: Task | None
    """What shall be done; None where the arm shall stay where it is."""


@dataclass(frozen=True)
class EpisodeSpec:
    """One episode of the suite."""

    scene: Scene
    family: str
    instructions: tuple[InstructionStep, ...]
    """Each in a fresh copy of the scene, or one after the other where `change` is given."""
    change: float | None = None
    """Seconds after which the second order is given."""
    correction: str = ""
    """What the second order is when it is said after the first is done: "undo" or a direction."""
    fault: str = ""
    """What becomes of the camera after `change` seconds: "blank" or "frozen"."""
    jitter: np.ndarray = field(default_factory=lambda: np.zeros(7))
    """Of the arm's first joint positions. Shape (7,), [rad]."""
    closed: bool = False
    """Whether the gripper is closed at first."""
    program: tuple[frozenset[Task], ...] = ()
    """Of each step that is to be done, the tasks any of which does it; without any, the tasks of
    `instructions` count. Of several instructions the arm asks after all but the last one."""
    through: str = "action"
    """How the arm is told: one of `playing.THROUGH`."""
