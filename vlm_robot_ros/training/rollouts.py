"""Record what a policy comes to see when it acts itself (DAgger; Ross et al., 2011).

The expert labels these frames as it labels its own: when they are drawn for training.
"""

from pathlib import Path

import numpy as np
import torch

from vlm_robot_ros.contract.robot import Robot
from vlm_robot_ros.evaluation.playing import Player
from vlm_robot_ros.policy.fusion_policy import FusionPolicy
from vlm_robot_ros.sim.collect import Demonstrator, Given
from vlm_robot_ros.sim.expert import STEP_DT
from vlm_robot_ros.sim.language import meaning_of, say


class PolicyDemonstrator(Demonstrator):
    """Lets a policy act on what it is told, and now and then the expert."""

    def __init__(self, robot: Robot, checkpoint: Path) -> None:
        super().__init__(robot)
        torch.set_num_threads(1)
        self._policy = FusionPolicy(checkpoint)
        self._player: Player | None = None

    def give(self, given: Given, rng: np.random.Generator) -> None:
        """Say the new task."""
        super().give(given, rng)
        assert self.sim.scene is not None
        self._player = Player(self.sim, self._policy) if rng.random() < 0.8 else None
        if self._player:
            self._player.say(say(rng, meaning_of(rng, given.task, self.sim.scene)))

    def act(self, given: Given, rng: np.random.Generator) -> None:
        """Let `STEP_DT` pass."""
        if self._player:
            self._player.play(STEP_DT)
        else:
            super().act(given, rng)
