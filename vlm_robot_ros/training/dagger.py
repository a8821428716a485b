"""Record what a policy comes to see when it acts itself (DAgger; Ross et al., 2011).

The expert labels these frames as it labels its own: when they are drawn for training.
"""

from pathlib import Path

import numpy as np
import torch

from vlm_robot_ros.evaluation.closed_loop import ClosedLoopRunner
from vlm_robot_ros.language.generator import generate_sentence
from vlm_robot_ros.language.task_spec import describe_task
from vlm_robot_ros.policies.grounded.policy import GroundedPolicy
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sim.demonstrations import AssignedTask, DemonstrationRecorder
from vlm_robot_ros.sim.expert import STEP_DT


class DaggerRecorder(DemonstrationRecorder):
    """Lets a policy act on what it is told, and now and then the expert."""

    def __init__(self, robot: RobotConfig, checkpoint: Path) -> None:
        super().__init__(robot)
        torch.set_num_threads(1)
        self._policy = GroundedPolicy(checkpoint)
        self._player: ClosedLoopRunner | None = None

    def assign_task(self, given: AssignedTask, rng: np.random.Generator) -> None:
        """Say the new task."""
        super().assign_task(given, rng)
        assert self.sim.scene is not None
        self._player = ClosedLoopRunner(self.sim, self._policy) if rng.random() < 0.8 else None
        if self._player:
            self._player.set_instruction(
                generate_sentence(rng, describe_task(rng, given.task, self.sim.scene))
            )

    def step(self, given: AssignedTask, rng: np.random.Generator) -> None:
        """Let `STEP_DT` pass."""
        if self._player:
            self._player.run(STEP_DT)
        else:
            super().step(given, rng)
