"""What is fitted: three parts that share no weights, each with its losses."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm_robot_ros.models.fusion_model import FusionModel
from vlm_robot_ros.models.image import Tokens
from vlm_robot_ros.training.frames import Pictures
from vlm_robot_ros.training.questions import Questions
from vlm_robot_ros.training.sentences import Sentences
from vlm_robot_ros.training.states import Labelled

Losses = dict[str, Tensor]


class TextFit(nn.Module):
    """Sentences to slots."""

    def __init__(self, model: FusionModel) -> None:
        super().__init__()
        self.text = model.text

    def forward(self, batch: Sentences) -> Losses:
        """Return the losses of a batch."""
        slots = self.text(batch.words)
        useful = 1 - batch.useless
        share = useful / useful.sum().clamp(min=1)

        def chosen(logits: Tensor, classes: Tensor) -> Tensor:
            return F.cross_entropy(logits, classes, reduction="none") @ share

        def both(logits: Tensor, classes: Tensor) -> Tensor:
            return chosen(logits[:, 0], classes[:, 0]) + chosen(logits[:, 1], classes[:, 1])

        return {
            "skill": chosen(slots.skill, batch.skill),
            "colour": both(slots.colour, batch.colour),
            "noun": both(slots.noun, batch.noun),
            "reject": F.binary_cross_entropy_with_logits(slots.reject, batch.useless),
        }


class ImageFit(nn.Module):
    """Pictures to what their tokens show."""

    def __init__(self, model: FusionModel) -> None:
        super().__init__()
        self.image, self.tokens = model.image, model.tokens

    def forward(self, batch: Pictures) -> Losses:
        """Return the losses of a batch."""
        image = _as_it_may_be(batch.image)
        # Convolutions are three times as fast in bfloat16 where the processor has it.
        with torch.autocast(image.device.type, torch.bfloat16):
            features = self.image(image * 2 - 1)
        seen = self.tokens(features.float(), batch.tool, batch.opening, batch.chosen)
        return {
            "colour": F.nll_loss(seen.colour, batch.colour, ignore_index=-1),
            "noun": F.nll_loss(seen.noun, batch.noun, ignore_index=-1),
            "point": _miss(seen, batch),
        }


class FusionFit(nn.Module):
    """Pictures and sentences to what is meant, for the fusions other than slots."""

    def __init__(self, model: FusionModel) -> None:
        super().__init__()
        self.model = model
        model.text.requires_grad_(False)
        model.action.requires_grad_(False)

    def forward(self, batch: Questions) -> Losses:
        """Return the losses of a batch."""
        model, pictures = self.model, batch.pictures
        with torch.no_grad():
            read = model.text.eval()(batch.words).read
        assert model.fusion is not None
        image = _as_it_may_be(pictures.image)
        with torch.autocast(image.device.type, torch.bfloat16):
            features = model.features(image, read)
        features = features.float()
        heat = model.fusion(features.flatten(2), read).log_softmax(-1)
        tokens = model.tokens(features, pictures.tool, pictures.opening, pictures.chosen)
        missed = -(batch.meant * heat).sum(-1) * batch.spoken
        return {
            "heat": missed.sum() / batch.spoken.sum().clamp(min=1),
            "point": _miss(tokens, pictures),
        }


def _as_it_may_be(image: Tensor) -> Tensor:
    """Return pictures of shape (B, H, W, 3), uint8, in another light, shape (B, 3, H, W)."""
    light = image.permute(0, 3, 1, 2).float() / 255
    # Brighter or darker, warmer or colder, and some noise.
    tone = light.new_empty(len(light), 3, 1, 1).uniform_(0.94, 1.06)
    tone = tone * light.new_empty(len(light), 1, 1, 1).uniform_(0.8, 1.2)
    light = (light * tone + 0.015 * torch.randn_like(light)).clamp(0, 1)
    return light.contiguous(memory_format=torch.channels_last)


def _miss(seen: Tokens, batch: Pictures) -> Tensor:
    """Return how far the tokens' points are from what they show."""
    on = (batch.noun != 0).float()
    miss = (seen.point - batch.point.transpose(1, 2)).abs().mean(1)
    return (miss * on).sum() / on.sum().clamp(min=1) * 20


class ActionFit(nn.Module):
    """States to what the expert does."""

    def __init__(self, model: FusionModel) -> None:
        super().__init__()
        self.action = model.action

    def forward(self, batch: Labelled) -> Losses:
        """Return the losses of a batch."""
        chunk = self.action(batch.state)
        steps = torch.arange(1, chunk.yaw.shape[1] + 1, device=chunk.yaw.device)
        return {
            "moves": ((chunk.tool - batch.tool).abs() / steps[:, None]).mean() * 300,
            "turns": ((chunk.yaw - batch.yaw).abs() / steps).mean() * 30,
            "grips": F.binary_cross_entropy_with_logits(chunk.grip, batch.grip),
        }
