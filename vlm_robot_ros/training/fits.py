"""What is fitted: three parts that share no weights, each with its losses."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm_robot_ros.models.fusion_model import FusionModel
from vlm_robot_ros.training.frames import Pictures
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
        image = batch.image.permute(0, 3, 1, 2).float() / 255
        # Light as it may be: brighter or darker, warmer or colder, and some noise.
        tone = image.new_empty(len(image), 3, 1, 1).uniform_(0.94, 1.06)
        tone = tone * image.new_empty(len(image), 1, 1, 1).uniform_(0.8, 1.2)
        grain = 0.015 * torch.randn_like(image)
        image = (image * tone + grain).clamp(0, 1) * 2 - 1
        # Convolutions are three times as fast in bfloat16 where the processor has it.
        with torch.autocast(image.device.type, torch.bfloat16):
            features = self.image(image.contiguous(memory_format=torch.channels_last))
        seen = self.tokens(features.float(), batch.tool, batch.opening, batch.chosen)
        on = (batch.noun != 0).float()
        miss = (seen.point - batch.point.transpose(1, 2)).abs().mean(1)
        return {
            "colour": F.nll_loss(seen.colour, batch.colour, ignore_index=-1),
            "noun": F.nll_loss(seen.noun, batch.noun, ignore_index=-1),
            "point": (miss * on).sum() / on.sum().clamp(min=1) * 20,
        }


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
