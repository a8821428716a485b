"""Recorded images with sentences about them: what the other fusions learn from."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vlm_robot_ros.data.sim_episode import SimEpisode
from vlm_robot_ros.language.generator import generate_sentence, vocabulary
from vlm_robot_ros.language.task_spec import ObjectReference, TaskSpec, sample_meaning
from vlm_robot_ros.models.tokenizer import Tokenizer
from vlm_robot_ros.tasks.objects import RECEPTACLES, SEEN_PAIRS, UNNAMED_PAIRS
from vlm_robot_ros.training.grounding_dataset import GroundingBatch, GroundingDataset

_ABSENT = 0.15


class InstructionImageBatch(NamedTuple):
    """Images, a sentence for each, and which tokens show what it speaks of."""

    images: GroundingBatch
    words: Tensor
    """Shape (B, MAX_WORDS)."""
    meant: Tensor
    """Share of each token in target and reference; the last place: not there. (B, 2, n + 1)."""
    place: Tensor
    """Where target and reference are, if they are there. Shape (B, 2, 3), base frame [m]."""
    spoken: Tensor
    """1 where the sentence speaks of a target, of a reference. Shape (B, 2)."""


class InstructionImageSampler:
    """Draws images with sentences about what they show, or about what they do not."""

    def __init__(self, frames: GroundingDataset, seed: int) -> None:
        self._frames = frames
        self._rng = np.random.default_rng([seed, 4])
        self._tokenizer = Tokenizer(vocabulary())

    def draw(self, size: int) -> InstructionImageBatch:
        """Return `size` questions."""
        at = self._rng.integers(0, len(self._frames), size)
        words, meant, places, spoken = [], [], [], []
        for number in at:
            episode, row = self._frames.frame(int(number))
            sentence, things = self._sample_question(episode)
            shown = episode.shown[row].ravel()
            shares = [_share(shown, thing) for thing in things]
            words.append(self._tokenizer(sentence))
            meant.append(np.stack(shares))
            places.append([episode.things[row][thing or 0] for thing in things])
            spoken.append([thing is not None for thing in things])
        return InstructionImageBatch(
            self._frames.images(at),
            torch.tensor(words),
            torch.from_numpy(np.stack(meant).astype(np.float32)),
            torch.from_numpy(np.array(places, np.float32)),
            torch.tensor(spoken, dtype=torch.float32),
        )

    def _sample_question(self, episode: SimEpisode) -> tuple[str, list[int | None]]:
        """Return a sentence, and for target and reference the thing's index, -1 if absent."""
        rng = self._rng
        meaning = sample_meaning(rng)
        while meaning.target.noun == "none":
            meaning = sample_meaning(rng)
        names = [tuple(name) for name in episode.names.tolist()]
        objects = [i for i, name in enumerate(names) if name[0] and name not in UNNAMED_PAIRS]
        missing = [pair for pair in SEEN_PAIRS if pair not in names]
        chosen = [objects[int(i)] for i in rng.permutation(len(objects))[:2]]
        found: list[int | None] = []
        things = []
        for which, asked in enumerate((meaning.target, meaning.reference)):
            if asked.noun == "none":
                found.append(None)
                things.append(ObjectReference())
            elif asked.noun in RECEPTACLES:
                there = [i for i, name in enumerate(names) if name[1] == asked.noun]
                found.append(there[0] if there else -1)
                things.append(asked)
            elif rng.random() < _ABSENT or which >= len(chosen):
                found.append(-1)
                things.append(ObjectReference(*missing[int(rng.integers(len(missing)))]))
            else:
                found.append(chosen[which])
                things.append(ObjectReference(*names[chosen[which]]))
        return generate_sentence(rng, TaskSpec(meaning.skill, things[0], things[1])), found


def _share(shown: np.ndarray, thing: int | None) -> np.ndarray:
    """Return the share of each token, and of "not there", in a thing. Shape (n + 1,)."""
    share = np.append(shown == -1 if thing is None else shown == thing + 1, False).astype(float)
    if thing is not None and thing < 0:
        share[:] = 0.0
    if share.sum() == 0:
        share[-1] = 1.0
    return share / share.sum()
