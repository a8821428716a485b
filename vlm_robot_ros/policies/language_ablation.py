"""A policy that does not listen, to show that a measurement of obedience can fail."""

from dataclasses import replace

import numpy as np

from vlm_robot_ros.interfaces.action import ActionChunk
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import Policy

_FIXED_INSTRUCTION = "pick up the object"


class LanguageBlindPolicy:
    """Hears the same sentence whatever is said: it sees and acts as well as the policy within."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @property
    def cameras(self) -> tuple[str, ...]:
        """Those of the policy within."""
        return self._policy.cameras

    def reset(self) -> None:
        """Let the policy within forget."""
        self._policy.reset()

    def next_instruction(self) -> None:
        """Tell the policy within."""
        self._policy.next_instruction()

    def infer(self, observation: Observation) -> ActionChunk:
        """Return what the policy within does for the one sentence."""
        return self._policy.infer(replace(observation, instruction=_FIXED_INSTRUCTION))

    def draw(self) -> np.ndarray | None:
        """Return what the policy within looks at."""
        return self._policy.draw()
