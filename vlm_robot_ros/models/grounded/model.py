"""The vision-language-action model: an image tower, words, their fusion, and heads.

Words become slots (what to do, to what, in relation to what), an image becomes tokens that know
their colour, their shape and the point in space they show. Where both words of a slot agree with a
token the heatmap is hot: colour and shape evidence are learned apart and multiply, so that pairs
that training never showed together work. The action head acts on the points that the heatmaps lead
to and on nothing else of the image: it cannot do anything the words did not point it to.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm_robot_ros.models.encoders.base import Encoder
from vlm_robot_ros.models.encoders.encoder_backbone import EncoderTower
from vlm_robot_ros.models.grounded.action_head import ActionHead, ActionHeadInput, RelativeChunk
from vlm_robot_ros.models.grounded.config import GroundedModelConfig
from vlm_robot_ros.models.grounded.crop_refiner import CropRefiner, gather_token, sample_crops
from vlm_robot_ros.models.grounded.fusion import Fusion, PooledFusion, make_fusion
from vlm_robot_ros.models.grounded.image import (
    AuxiliaryInputs,
    ColourTower,
    ImageTower,
    TokenHeads,
    TokenPredictions,
    stem_features,
)
from vlm_robot_ros.models.grounded.text import SLOT_COUNT, InstructionSlots, TextTower

_VOTERS, _AGREED = 64, 0.015
"""How many of the surest tokens vote for a place, and how near votes that agree are [m]."""


_ELSEWHERE_M = 0.06
"""How far votes for another thing are from those for the one that is meant [m]."""


class Grounding(NamedTuple):
    """What the words of target and reference lead to in the image."""

    heatmap: Tensor
    """Probability over the tokens. Shape (B, 2, n)."""
    point: Tensor
    """Shape (B, 2, 3), base frame [m]."""
    present: Tensor
    """Probability that the thing is there at all. Shape (B, 2)."""
    elsewhere: Tensor
    """Probability that there is another such thing; 0 where the fusion cannot tell. (B, 2)."""


class VisionLanguageRobotModel(nn.Module):
    """Words, image and arm state in; slots, grounding and a chunk of actions out."""

    goal_of_start: Tensor
    goal_of_reference: Tensor
    goal_offset: Tensor

    def __init__(self, config: GroundedModelConfig) -> None:
        super().__init__()
        self.config = config
        colours, nouns = len(config.colours), len(config.nouns)
        words = len(config.vocabulary) + 2
        self.text = TextTower(
            config.readers, words, config.text_width, len(config.skills), colours, nouns
        )
        self.image = _image_tower(config)
        self.colour = ColourTower(colours)
        self.points = TokenHeads(
            config.width, nouns - 1, _table_points(config), bool(config.depth)
        )
        width = config.width
        self.recall = nn.Conv2d(width * (1 + config.history), width, 1) if config.history else None
        self.close_up = CropRefiner(width, nouns - 1) if config.close_up else None
        self.fusion = make_fusion(config.fusion, config.width, config.text_width, SLOT_COUNT)
        self.action = ActionHead(len(config.skills), config.hidden, config.horizon)
        for name in ("goal_of_start", "goal_of_reference", "goal_offset"):
            self.register_buffer(name, torch.tensor(getattr(config, name)), persistent=False)

    @property
    def encoder(self) -> Encoder | None:
        """The pretrained encoder, where there is one."""
        return self.image.encoder if isinstance(self.image, EncoderTower) else None

    def ground(
        self,
        image: Tensor,
        tool: Tensor,
        opening: Tensor,
        slots: InstructionSlots,
        beside: AuxiliaryInputs = AuxiliaryInputs(),  # noqa: B008, which holds nothing
    ) -> Grounding:
        """Find what the words mean in an image.

        Args:
            image: Shape (B, 3, H, W) of the crop, float in 0..1.
            tool: Shape (B, 3), base frame [m].
            opening: Shape (B,), 0 closed to 1 open.
            slots: What the words say.
            beside: What else is seen, where the configuration has a use for it.
        """
        features = self.features(image, slots.read, beside.past)
        if isinstance(self.fusion, PooledFusion):
            flat = features.flatten(2)
            point, logit = self.fusion(flat, slots.read, self.points.mesh)
            even = flat.new_full((len(flat), 2, flat.shape[2]), 1 / flat.shape[2])
            return Grounding(even, point, logit.sigmoid(), torch.zeros_like(logit))
        noun, points = self.points(features, tool, opening, surface=beside.surface)
        if self.fusion is None:
            colour = self.colour(image * 2 - 1)
            tokens = TokenPredictions(colour.log_softmax(1), noun.log_softmax(1), points)
            agreement = self.agreement(slots, tokens)
            heatmap = agreement / agreement.sum(-1, keepdim=True).clamp(min=1e-9)
            # Where two things meet, a token may have the colour of one and the shape of the other.
            present = agreement.topk(2, -1).values[..., 1]
        else:
            heatmap = self.fusion(features.flatten(2), slots.read).softmax(-1)
            heatmap, present = heatmap[..., :-1], 1 - heatmap[..., -1]
        point = _vote_position(heatmap, points)
        elsewhere = torch.zeros_like(present)
        if self.fusion is None:
            apart = (points[:, None, :2] - point[..., :2, None]).norm(dim=2)
            elsewhere = (agreement * (apart > _ELSEWHERE_M)).topk(2, -1).values[..., 1]
        found = Grounding(heatmap, point, present, elsewhere)
        if self.close_up is None or beside.whole is None:
            return found
        return self._refine_from_crop(found, features, slots, beside)

    def _refine_from_crop(
        self, found: Grounding, features: Tensor, slots: InstructionSlots, beside: AuxiliaryInputs
    ) -> Grounding:
        """Look again at the hottest tokens: where they lead, and whether the thing is there."""
        assert self.close_up is not None
        assert beside.whole is not None
        best = found.heatmap.argmax(-1)
        (top, left, _, _), (height, width) = self.config.crop, self.config.image
        rows = (top + 4 * (best // self.config.grid[1]) + 2.5) / height
        columns = (left + 4 * (best % self.config.grid[1]) + 2.5) / width
        flat, (places, _) = features.flatten(2), self.points.points_of(beside.surface, len(best))
        points, present = [], []
        for which in range(best.shape[1]):
            cut = sample_crops(
                beside.whole, rows[:, which], columns[:, which], self.config.close_up / height
            )
            at = [gather_token(part, best[:, which]) for part in (flat, places)]
            noun, point = self.close_up(cut * 2 - 1, *at)
            asked = slots.noun[:, which : which + 1].softmax(-1)
            agrees = (asked @ self._noun_scores(noun.softmax(-1)[..., None]))[:, 0, 0]
            points.append(point)
            present.append((found.present[:, which] * agrees).sqrt())
        point, there = torch.stack(points, 1), torch.stack(present, 1)
        return found._replace(point=point, present=there)

    def features(self, image: Tensor, read: Tensor, past: Tensor | None = None) -> Tensor:
        """Return features of shape (B, width, H / 4, W / 4); words change them in early fusion."""
        before = None if past is None else past * 2 - 1
        near = stem_features(self.image.stem, self.recall, image * 2 - 1, before)
        if isinstance(self.fusion, Fusion):
            near = self.fusion.fuse_early(near, read)
        return self.image.finish(near)

    def agreement(self, slots: InstructionSlots, tokens: TokenPredictions) -> Tensor:
        """Return how well each token agrees with what is said of target and reference.

        Shape (B, 2, n), in 0..1: the probability that it shows the colour times that of the noun.
        """
        colour, noun = slots.colour.softmax(-1), slots.noun.softmax(-1)
        of_colour = tokens.colour.exp()
        # Any colour agrees with all tokens.
        of_colour = torch.cat([torch.ones_like(of_colour[:, :1]), of_colour[:, 1:]], 1)
        return (colour @ of_colour) * (noun @ self._noun_scores(tokens.noun.exp()))

    def _noun_scores(self, shown: Tensor) -> Tensor:
        """Return how well what is shown agrees with each noun that can be said. Shape (B, N, n).

        Any object agrees with all that show something movable.
        """
        objects = shown[:, 1 : 1 + self.config.movable].sum(1, keepdim=True)
        return torch.cat([torch.zeros_like(objects), objects, shown[:, 1:]], 1)

    def goal(self, skill: Tensor, start: Tensor, reference: Tensor) -> Tensor:
        """Return where the target shall be, the mean over the skills' probabilities.

        Args:
            skill: Shape (B, K).
            start: Where the target was when the instruction came. Shape (B, 3), [m].
            reference: Shape (B, 3), [m].
        """
        of_start, of_reference = skill @ self.goal_of_start, skill @ self.goal_of_reference
        return of_start * start + of_reference * reference + skill @ self.goal_offset

    def predict_actions(self, state: ActionHeadInput) -> RelativeChunk:
        """Plan a chunk of actions."""
        return self.action(state)

    def label(self, slots: InstructionSlots) -> Tensor:
        """Return the probability of each task label, from those of its parts. Shape (B, L)."""
        parts = torch.tensor(self.config.label_parts, device=slots.skill.device)
        logs = [slots.skill, slots.noun[:, 0], slots.noun[:, 1]]
        total = slots.skill.new_zeros(len(slots.skill), len(parts))
        for column, logits in enumerate(logs):
            chosen = parts[:, column]
            log = F.pad(logits.log_softmax(-1), (0, 1))  # -1 takes the last: no evidence
            total = total + log[:, chosen]
        return total.softmax(-1)


def _vote_position(heatmap: Tensor, points: Tensor) -> Tensor:
    """Return the mean of the surest tokens' votes where these are densest. Shape (B, S, 3), [m].

    Half hidden things have votes for two places, between which nothing is.

    Args:
        heatmap: Shape (B, S, n).
        points: The votes. Shape (B, 3, n), [m].
    """
    weight, tokens = heatmap.topk(min(_VOTERS, heatmap.shape[-1]), -1)
    weight = (weight / weight[..., :1].clamp(min=1e-9)).square() + 1e-9
    votes = points.transpose(1, 2)[torch.arange(len(points))[:, None, None], tokens]
    apart = (votes[:, :, :, None, :2] - votes[:, :, None, :, :2]).norm(dim=-1)
    close = (apart < _AGREED).to(weight)
    best = (close @ weight[..., None])[..., 0].argmax(-1)
    row = best[..., None, None].expand(-1, -1, 1, close.shape[-1])
    weight = weight * close.gather(2, row)[:, :, 0]
    return torch.einsum("bsk,bskc->bsc", weight / weight.sum(-1, keepdim=True), votes)


def _image_tower(config: GroundedModelConfig) -> ImageTower | EncoderTower:
    if not config.encoder:
        return ImageTower(config.width)
    from vlm_robot_ros.models.encoders.registry import load_encoder  # it loads slowly

    return EncoderTower(load_encoder(config.encoder), config.width)


def _table_points(config: GroundedModelConfig) -> Tensor:
    """Return where the tokens' lines of sight meet the table. Shape (2, rows, columns), [m]."""
    top, left, height, width = config.crop
    rows = top + 4 * torch.arange(height // 4) + 1.5
    columns = left + 4 * torch.arange(width // 4) + 1.5
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    seen = torch.einsum(
        "ij,jrc->irc", torch.tensor(config.homography), torch.stack([u, v, u * 0 + 1])
    )
    return seen[:2] / seen[2:]
