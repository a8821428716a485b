"""What is fitted: three parts that share no weights, each with its losses."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm_robot_ros.models.autocast import autocast_bfloat16
from vlm_robot_ros.models.grounded.crop_refiner import CropRefiner, gather_token
from vlm_robot_ros.models.grounded.fusion import PooledFusion
from vlm_robot_ros.models.grounded.image import TokenHeads, stem_features
from vlm_robot_ros.models.grounded.model import VisionLanguageRobotModel
from vlm_robot_ros.models.grounded.text import InstructionSlots
from vlm_robot_ros.training.expert_dataset import ExpertBatch
from vlm_robot_ros.training.grounding_dataset import GroundingBatch
from vlm_robot_ros.training.instruction_dataset import InstructionBatch
from vlm_robot_ros.training.instruction_image_dataset import InstructionImageBatch

Losses = dict[str, Tensor]


class SlotLoss(nn.Module):
    """Sentences to slots."""

    def __init__(self, model: VisionLanguageRobotModel) -> None:
        super().__init__()
        self.text = model.text

    def forward(self, batch: InstructionBatch) -> Losses:
        """Return the losses of a batch, the mean over the readers."""
        with autocast_bfloat16(batch.words.device):
            each = [_slot_error(slots, batch) for slots in self.text.each(batch.words)]
        return {term: torch.stack([losses[term] for losses in each]).mean() for term in each[0]}


def _slot_error(slots: InstructionSlots, batch: InstructionBatch) -> Losses:
    def chosen(logits: Tensor, classes: Tensor) -> Tensor:
        return F.cross_entropy(logits, classes, ignore_index=-1)

    def both(logits: Tensor, classes: Tensor) -> Tensor:
        return chosen(logits[:, 0], classes[:, 0]) + chosen(logits[:, 1], classes[:, 1])

    owner = batch.owner[:, : slots.owner.shape[1]]
    return {
        "skill": chosen(slots.skill, batch.skill),
        "colour": both(slots.colour, batch.colour),
        "noun": both(slots.noun, batch.noun),
        "reject": F.binary_cross_entropy_with_logits(slots.reject, batch.useless),
        "owner": chosen(slots.owner.flatten(0, 1), owner.flatten()),
    }


class TokenLoss(nn.Module):
    """Images to what their tokens show.

    Shapes and places are learned from images in any hue, colours from next to nothing around a
    token: neither can lean on the other, so that pairs that were never seen work.
    """

    def __init__(self, model: VisionLanguageRobotModel) -> None:
        super().__init__()
        self.image, self.points, self.colour = model.image, model.points, model.colour
        self.recall, self.close_up = model.recall, model.close_up

    def forward(self, batch: GroundingBatch) -> Losses:
        """Return the losses of a batch."""
        image, past = _visible(batch)
        with autocast_bfloat16(image.device):
            hued, hued_past = _sum_losses(_jitter_hue, image, past)
            before = None if hued_past is None else hued_past * 2 - 1
            near = stem_features(self.image.stem, self.recall, hued * 2 - 1, before)
            features = self.image.finish(near)
            colour = self.colour(image * 2 - 1)
        features = features.float()
        arm = batch.tool, batch.opening
        noun, points = self.points(features, *arm, batch.chosen, batch.surface)
        losses = _crop_loss(self.close_up, self.points, features, batch)
        chosen = batch.chosen[:, None].expand(-1, colour.shape[1], -1)
        return {
            "colour": F.cross_entropy(
                colour.float().gather(2, chosen), batch.colour, ignore_index=-1
            ),
            "noun": F.cross_entropy(noun, batch.noun, ignore_index=-1),
            "point": _point_l1(points, batch),
            **losses,
        }


class GroundingLoss(nn.Module):
    """Images and sentences to what is meant, for the fusions other than slots."""

    def __init__(self, model: VisionLanguageRobotModel) -> None:
        super().__init__()
        self.model = model
        model.text.requires_grad_(False)
        model.action.requires_grad_(False)

    def forward(self, batch: InstructionImageBatch) -> Losses:
        """Return the losses of a batch."""
        model, images = self.model, batch.images
        with torch.no_grad():
            read = model.text.eval()(batch.words).read
        assert model.fusion is not None
        image, past = _visible(images)
        with autocast_bfloat16(image.device):
            features = model.features(image, read, past)
        features = features.float()
        if isinstance(model.fusion, PooledFusion):
            point, there = model.fusion(features.flatten(2), read, model.points.mesh)
            present = (batch.meant[..., -1] == 0).float()
            miss = (point - batch.place).abs().mean(-1) * present * batch.spoken
            wrong = F.binary_cross_entropy_with_logits(there, present, reduction="none")
            return {
                "present": (wrong * batch.spoken).sum() / batch.spoken.sum().clamp(min=1),
                "point": miss.sum() / batch.spoken.sum().clamp(min=1) * 60,
            }
        heat = model.fusion(features.flatten(2), read).log_softmax(-1)
        arm = images.tool, images.opening
        _, points = model.points(features, *arm, images.chosen, images.surface)
        losses = _crop_loss(model.close_up, model.points, features, images)
        missed = -(batch.meant * heat).sum(-1) * batch.spoken
        return {
            "heat": missed.sum() / batch.spoken.sum().clamp(min=1),
            "point": _point_l1(points, images),
            **losses,
        }


def _crop_loss(
    close_up: CropRefiner | None, heads: TokenHeads, features: Tensor, batch: GroundingBatch
) -> Losses:
    """Return the losses of a second look, if there is one."""
    if close_up is None:
        return {}
    close, (places, _) = batch.close, heads.points_of(batch.surface, len(features))
    assert close is not None
    at = [gather_token(part, close.at) for part in (features.flatten(2), places)]
    with autocast_bfloat16(features.device):
        cut = _jitter_hue(jitter_brightness(close.cut))
        noun, point = close_up(cut * 2 - 1, *at)
    on = (close.noun > 0).float()
    miss = (point.float() - close.point).abs().mean(1) * on
    return {
        "close noun": F.cross_entropy(noun.float(), close.noun, ignore_index=-1),
        "close point": miss.sum() / on.sum().clamp(min=1) * 60,
    }


def _visible(batch: GroundingBatch) -> tuple[Tensor, Tensor | None]:
    """Return images, shape (B, 3, H, W), and those of before, (B, P, 3, H, W), in another light.

    It is the same light for what belongs together.
    """
    if batch.past is None:
        return jitter_brightness(batch.image), None
    every = torch.cat([batch.image[:, None], batch.past], 1)
    light = jitter_brightness(every.flatten(1, 2)).unflatten(2, every.shape[1:3])
    return light[:, :, 0].contiguous(memory_format=torch.channels_last), light[:, :, 1:].transpose(
        1, 2
    )


def _sum_losses(
    change: Callable[[Tensor], Tensor], image: Tensor, past: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Change images and those of before in the same way; shapes as of `_visible`."""
    if past is None:
        return change(image), None
    every = torch.cat([image[:, None], past], 1).transpose(1, 2)
    changed = change(every.flatten(2, 3)).unflatten(2, every.shape[2:4]).transpose(1, 2)
    return changed[:, 0].contiguous(memory_format=torch.channels_last), changed[:, 1:]


def jitter_brightness(image: Tensor) -> Tensor:
    """Return images of shape (B, H, W, 3), uint8, in another light, shape (B, 3, H, W)."""
    light = image.permute(0, 3, 1, 2).float() / 255
    # Brighter or darker, warmer or colder.
    tone = light.new_empty(len(light), 3, 1, 1).uniform_(0.94, 1.06)
    tone = tone * light.new_empty(len(light), 1, 1, 1).uniform_(0.8, 1.2)
    return (light * tone).clamp(0, 1).contiguous(memory_format=torch.channels_last)


def _jitter_hue(image: Tensor) -> Tensor:
    """Turn the colours of each image, shape (B, 3, H, W), and make them stronger or weaker."""
    count = len(image)
    angle = torch.rand(count, device=image.device) * 2 * torch.pi
    angle = torch.where(torch.rand_like(angle) < 0.2, torch.zeros_like(angle), angle)
    strength = torch.empty_like(angle).uniform_(0.5, 1.1)
    # A rotation about the grey axis: c I + (1 - c) g g^T + s [g]x.
    grey = torch.full((3, 3), 1 / 3, device=image.device)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=image.device) / 3**0.5
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    colours = cosine * (torch.eye(3, device=image.device) - grey) + sine * cross
    turn = grey + strength[:, None, None] * colours
    mixed = torch.einsum("bij,bjhw->bihw", turn, image).clamp(0, 1)
    return mixed.contiguous(memory_format=torch.channels_last)


def _point_l1(points: Tensor, batch: GroundingBatch) -> Tensor:
    """Return how far the tokens' points are from what they show."""
    on = (batch.noun > 0).float()
    miss = (points - batch.point.transpose(1, 2)).abs().mean(1)
    return (miss * on).sum() / on.sum().clamp(min=1) * 60


class ActionLoss(nn.Module):
    """States to what the expert does."""

    def __init__(self, model: VisionLanguageRobotModel) -> None:
        super().__init__()
        self.action = model.action

    def forward(self, batch: ExpertBatch) -> Losses:
        """Return the losses of a batch."""
        chunk = self.action(batch.state)
        steps = torch.arange(1, chunk.yaw.shape[1] + 1, device=chunk.yaw.device)
        return {
            "moves": ((chunk.tool - batch.tool).abs() / steps[:, None]).mean() * 300,
            "turns": ((chunk.yaw - batch.yaw).abs() / steps).mean() * 30,
            "grips": F.binary_cross_entropy_with_logits(chunk.grip, batch.grip),
        }
