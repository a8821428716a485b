"""What training draws: sentences with their slots, states with what the expert would do."""

import numpy as np
import torch

from vlm_robot_ros.data.sim_episode import SimEpisode
from vlm_robot_ros.language.task_spec import NOUN_SLOT
from vlm_robot_ros.tasks.tasks import SKILLS
from vlm_robot_ros.training.expert_dataset import ExpertStateSampler
from vlm_robot_ros.training.instruction_dataset import InstructionSampler


def test_useless_sentences_teach_the_slots_only_what_they_say():
    drawn = InstructionSampler(0).draw(4000)
    assert drawn.words.shape[0] == 4000
    useful = drawn.useless == 0
    assert 0.6 < float(useful.float().mean()) < 0.8
    assert bool((drawn.skill[useful] >= 0).all() & (drawn.noun[useful] >= 0).all())
    # Of useless ones only incomplete commands say something, and some not even the skill.
    told = ~useful & (drawn.noun[:, 0] >= 0)
    assert 0.02 < float(told.float().mean()) < 0.08
    assert {-1, SKILLS.index("put")} <= set(drawn.skill[told].tolist())
    nothing = NOUN_SLOT.index("none")
    places = torch.tensor([skill.split()[0] in ("put", "place", "stack") for skill in SKILLS])
    sure = told & (drawn.skill >= 0) & places[drawn.skill]
    assert bool((drawn.noun[sure] == nothing).any(1).all())
    assert not bool(((drawn.noun == -1) ^ (drawn.colour == -1)).any())


def test_pushes_are_drawn_with_the_hand_turned_any_way():
    frames, things = 8, np.tile([[[0.5, 0.0, 0.02]]], (8, 1, 1)).astype(np.float32)
    episode = SimEpisode(
        np.zeros((frames, 1, 1, 3), np.uint8), np.zeros((frames, 1, 1), np.int8),
        np.tile([0.5, 0.0, 0.3], (frames, 1)).astype(np.float32),
        np.zeros(frames, np.float32), np.ones(frames, np.float32), things,
        np.array([["red", "cube"]]),
    )  # fmt: skip
    state, _, yaw, _ = ExpertStateSampler([episode], 8, 0).draw(20000)
    for skill, most in (("push away", 0.15), ("push left", 0.95)):
        chosen = state.skill.argmax(1) == SKILLS.index(skill)
        turned = (state.yaw[chosen].abs() > 1).float().mean()
        assert 0.02 < float(turned) < most
    # From any of them the hand goes to where its flat side pushes.
    left = state.skill.argmax(1) == SKILLS.index("push left")
    after = (state.yaw + yaw[:, -1])[left & (state.opening < 0.1)]
    assert float((after.abs() - np.pi / 2).abs().median()) < 0.1
