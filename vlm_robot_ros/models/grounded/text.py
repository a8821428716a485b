"""Sentences to slots: what is asked, of which thing, in relation to which other."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vlm_robot_ros.models.tokenizer import MAX_WORDS, PAD

SLOT_COUNT = 6
"""Skill, colour and noun of the target, of the reference, and reject."""


class InstructionSlots(NamedTuple):
    """Logits of what a sentence says."""

    skill: Tensor
    """Shape (B, K)."""
    colour: Tensor
    """Of the target and of the reference. Shape (B, 2, C); the first class is "any"."""
    noun: Tensor
    """As `colour`. Shape (B, 2, N); the first classes are "none" and "any object"."""
    reject: Tensor
    """That the sentence asks for nothing the arm can do. Shape (B,)."""
    read: Tensor
    """What each slot has read. Shape (B, SLOTS_READ, text_width)."""
    owner: Tensor
    """Whose each word is: neither's, the target's, the reference's. Shape (B, L, 3)."""


class TextTower(nn.Module):
    """Some readers, each fitted by itself, whose logits are averaged."""

    def __init__(
        self, readers: int, words: int, width: int, skills: int, colours: int, nouns: int
    ) -> None:
        super().__init__()
        self.readers = nn.ModuleList(
            SlotEncoder(words, width, skills, colours, nouns) for _ in range(readers)
        )

    def forward(self, words: Tensor) -> InstructionSlots:
        """Read sentences: token ids, shape (B, MAX_WORDS)."""
        slots = self.each(words)
        return InstructionSlots(
            *(torch.stack(logits).mean(0) for logits in zip(*slots, strict=True))
        )

    def each(self, words: Tensor) -> list[InstructionSlots]:
        """Return what each reader reads."""
        return [reader(words) for reader in self.readers]


class SlotEncoder(nn.Module):
    """A small transformer over words; each slot attends to the words it needs.

    Whose a word is, the target's or the reference's, is told first and learned by itself: slots
    then find their words in sentences that are built in new ways.
    """

    def __init__(self, words: int, width: int, skills: int, colours: int, nouns: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=PAD)
        self.position = nn.Parameter(torch.randn(1, MAX_WORDS, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, dropout=0.1, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.owner = nn.Linear(width, 3)
        self.owned = nn.Parameter(torch.randn(3, width) * 0.2)
        self.queries = nn.Parameter(torch.randn(1, SLOT_COUNT, width) * 0.5)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.skill = nn.Linear(width, skills)
        self.colour = nn.Linear(width, colours)
        self.noun = nn.Linear(width, nouns)
        self.reject = nn.Linear(width, 1)

    def forward(self, words: Tensor) -> InstructionSlots:
        """Read sentences: token ids, shape (B, MAX_WORDS)."""
        empty = words == PAD
        longest = int((~empty).sum(1).max())
        empty, words = empty[:, :longest], words[:, :longest]
        encoded = self.embedding(words) + self.position[:, :longest]
        encoded = self.norm(self.layers(encoded, src_key_padding_mask=empty))
        owner = self.owner(encoded)
        encoded = encoded + owner.softmax(-1) @ self.owned
        queries = self.queries.expand(len(words), -1, -1)
        read, _ = self.attention(queries, encoded, encoded, key_padding_mask=empty)
        read = read + queries
        return InstructionSlots(
            self.skill(read[:, 0]),
            self.colour(read[:, [1, 3]]),
            self.noun(read[:, [2, 4]]),
            self.reject(read[:, 5])[:, 0],
            read,
            owner,
        )
