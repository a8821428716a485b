"""What a policy of transfers asks of what it looks with."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np

from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.manipulation.geometry import ObjectGeometry
from vlm_robot_ros.policies.transfer.scene import SeenThing
from vlm_robot_ros.policies.transfer.thing_steps import ReadSentence


class PerceptionError(Exception):
    """Nothing can be said of what is seen: says why. The arm holds, and looks again."""


class Sight(NamedTuple):
    """What was seen at one moment."""

    things: Sequence[SeenThing]
    time: float
    """When the image was taken [s]."""
    tool: np.ndarray
    """Where the tool was. Shape (3,), [m]."""
    problems: Mapping[str, str] = MappingProxyType({})
    """Of nouns that are seen, why the shape of one of them is not known."""


class ScenePerception(Protocol):
    """Reads sentences, and finds what they name in images."""

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras that it looks through."""
        ...

    def reset(self) -> None:
        """Forget what was seen."""
        ...

    def read(self, text: str, observation: Observation) -> ReadSentence:
        """Return what a sentence says of things, where this is seen."""
        ...

    def look(self, observation: Observation, nouns: Sequence[str]) -> Sight:
        """Return what is seen; the same object again where nothing new is.

        Args:
            observation: With the images of `cameras`.
            nouns: What is looked for at least, by the nouns of `read`.

        Raises:
            PerceptionError: it cannot look now.
        """
        ...

    def draw(self) -> np.ndarray | None:
        """Return the image that was looked at last with what was seen in it; None before."""
        ...

    def place_beside(
        self, thing: SeenThing, target: ObjectGeometry, way: np.ndarray
    ) -> np.ndarray:
        """Return where the base of a target comes to be that is put beside a thing. Shape (3,).

        Args:
            thing: That is seen.
            target: What is put.
            way: Unit vector in the base frame. Shape (2,).
        """
        ...
