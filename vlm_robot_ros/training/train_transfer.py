"""Fit the model of transfers: the action head, then the detector; resumable."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vlm_robot_ros.models.autocast import autocast_bfloat16
from vlm_robot_ros.models.transfer.config import TransferModelConfig
from vlm_robot_ros.models.transfer.model import TransferModel
from vlm_robot_ros.models.transfer.scene_detector import HEIGHT_M, OFFSET_PX
from vlm_robot_ros.training.losses import Losses, jitter_brightness
from vlm_robot_ros.training.scene_dataset import SceneBatch, SceneDataset
from vlm_robot_ros.training.trainer import Trainer, make_accelerator
from vlm_robot_ros.training.transfer_states import TransferBatch, TransferStateSampler


@dataclass(frozen=True)
class TransferTrainConfig:
    """How to train."""

    action_steps: int = 5000
    action_batch: int = 2048
    image_steps: int = 3000
    image_batch: int = 24
    rate: float = 2e-3
    seed: int = 0
    save_every: int = 250


def train_transfer(
    frames: SceneDataset, model_config: TransferModelConfig, out: Path, config: TransferTrainConfig
) -> Path:
    """Train; an interrupted run in `out` goes on where it was.

    Returns:
        The checkpoint folder, `out`.
    """
    torch.manual_seed(config.seed)
    model = TransferModel(model_config)
    out.mkdir(parents=True, exist_ok=True)
    states = TransferStateSampler(model_config.horizon, config.seed)
    about = {**asdict(config), "frames": len(frames)}
    run = Trainer(model, out, about, make_accelerator(), config.seed, config.save_every)
    run.fit(
        "action", HeadLoss(model), lambda: states.draw(config.action_batch),
        config.action_steps, config.rate,
    )  # fmt: skip
    weight = frames.weights(len(model_config.things))
    run.fit(
        "image", DetectorLoss(model, weight), lambda: frames.draw(config.image_batch),
        config.image_steps, config.rate,
    )  # fmt: skip
    return out


class HeadLoss(nn.Module):
    """States to what the expert does."""

    def __init__(self, model: TransferModel) -> None:
        super().__init__()
        self.head = model.head

    def forward(self, batch: TransferBatch) -> Losses:
        """Return the losses of a batch."""
        plan = self.head(batch.state)
        return {
            "move": (plan.move - batch.plan.move).abs().mean() * 60,
            "turn": (plan.turn - batch.plan.turn).abs().mean() * 5,
            "grip": F.binary_cross_entropy_with_logits(plan.grip, batch.plan.grip),
        }


class DetectorLoss(nn.Module):
    """Images to what their cells show, and where that stands."""

    def __init__(self, model: TransferModel, weight: Tensor) -> None:
        """Take the model, and how much a cell of each class counts. Shape (N + 1,)."""
        super().__init__()
        self.detector = model.detector
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, batch: SceneBatch) -> Losses:
        """Return the losses of a batch."""
        image = jitter_brightness(batch.image)
        with autocast_bfloat16(image.device):
            votes = self.detector(image)
        on = (batch.noun > 0).float()
        count = on.sum().clamp(min=1)
        aside = (votes.pixel - batch.pixel).abs().mean(1) / OFFSET_PX
        above = (votes.height - batch.height).abs() / HEIGHT_M
        weight: Tensor = self.weight  # type: ignore[assignment]
        return {
            "noun": F.cross_entropy(votes.noun, batch.noun, weight),
            "pixel": (aside * on).sum() / count * 4,
            "height": (above * on).sum() / count,
        }
