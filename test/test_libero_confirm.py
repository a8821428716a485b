"""Who answers "yes" to a policy in an episode of LIBERO, and how often."""

from dataclasses import replace

import numpy as np
import pytest

from vlm_robot_ros.evaluation.libero.episode import run_episode
from vlm_robot_ros.interfaces.hold import HoldCode, HoldReason
from vlm_robot_ros.interfaces.policy import HoldPolicy
from vlm_robot_ros.sim.libero.environment import ArmState

POSE = np.array([0.5, 0.0, 0.3, 0.0, 1.0, 0.0, 0.0])
STATE = ArmState(np.zeros(7), POSE, 1.0, False)


class Standstill:
    """An environment in which nothing moves: only what is said counts here."""

    def step(self, actions, cameras):
        """Return the same state."""
        return replace(STATE, steps=len(actions))


class Asks(HoldPolicy):
    """Holds for a reason with a code, whatever it is told."""

    def __init__(self, code):
        self.code, self.heard = code, []

    def infer(self, observation):
        """Note what is said."""
        if observation.instruction not in self.heard:
            self.heard.append(observation.instruction)
        return replace(super().infer(observation), hold=HoldReason(self.code, "Shall I?"))


@pytest.mark.parametrize(
    ("code", "answers_yes", "heard"),
    [
        (HoldCode.POLICY_PROPOSES, True, ["is it there yet?", "yes"]),
        (HoldCode.POLICY_PROPOSES, False, ["is it there yet?"]),
        (HoldCode.POLICY_ASKS, True, ["is it there yet?"]),
        (HoldCode.POLICY_HOLD, True, ["is it there yet?"]),
    ],
)
def test_only_a_proposal_is_answered_and_only_where_this_is_asked_for(code, answers_yes, heard):
    policy = Asks(code)
    result = run_episode(Standstill(), policy, "is it there yet?", STATE, 60, 0, answers_yes)
    assert policy.heard == heard
    assert result.confirmed == ("yes" in heard)
    assert not result.success
