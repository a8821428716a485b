"""Fit the fusion model to recorded episodes."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from vlm_robot_ros.models.checkpoint import save_checkpoint
from vlm_robot_ros.models.fusion_model import FusionModel, ModelConfig
from vlm_robot_ros.sim.language import vocabulary
from vlm_robot_ros.sim.tasks import SKILLS
from vlm_robot_ros.training.batches import Batch, Frames, States

_STATES = 2048
"""States a step for the action head, which needs no pictures and learns from many."""
_RESUME = "resume.safetensors.pt"


@dataclass(frozen=True)
class TrainConfig:
    """How to train."""

    steps: int = 6000
    batch: int = 96
    rate: float = 2e-3
    seed: int = 0
    save_every: int = 250


def train(episodes: Path, out: Path, config: TrainConfig) -> Path:
    """Train from a folder of episodes; an interrupted run in `out` goes on where it was.

    Returns:
        The checkpoint folder, `out`.
    """
    torch.manual_seed(config.seed)
    model = FusionModel(ModelConfig(tuple(vocabulary()), SKILLS))
    model.bf16 = True
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.995))
    optimizer = torch.optim.AdamW(model.parameters(), config.rate, weight_decay=0.02)
    out.mkdir(parents=True, exist_ok=True)
    resume, first = out / _RESUME, 0
    if resume.exists():
        state = torch.load(resume, weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first = int(state["step"])
    frames = Frames(episodes, model.config.horizon, config.seed + first)

    def save(step: int) -> None:
        state = {
            "model": model.state_dict(),
            "average": average.state_dict(),
            "optimizer": optimizer.state_dict(),
            "step": step,
        }
        part = resume.with_suffix(".part")
        torch.save(state, part)
        part.replace(resume)
        about = {"step": step, "frames": len(frames.image), **config.__dict__}
        assert isinstance(average.module, FusionModel)
        save_checkpoint(average.module, out, about)

    with (out / "log.jsonl").open("a") as log:
        for step in (bar := tqdm(range(first, config.steps), initial=first, total=config.steps)):
            for group in optimizer.param_groups:
                group["lr"] = config.rate * _schedule(step, config.steps)
            losses = _losses(model, frames.draw(config.batch), frames.draw_states(_STATES))
            total = torch.stack(list(losses.values())).sum()
            optimizer.zero_grad()
            total.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            average.update_parameters(model)
            if step % 50 == 0:
                row = {name: round(loss.item(), 4) for name, loss in losses.items()}
                bar.set_postfix(row)
                log.write(json.dumps({"step": step, **row}) + "\n")
                log.flush()
            if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
                save(step + 1)
    return out


def _schedule(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / 200)
    return warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def _losses(model: FusionModel, batch: Batch, states: States) -> dict[str, Tensor]:
    image = batch.image.permute(0, 3, 1, 2).float() / 255
    shade = 1 + 0.15 * (torch.rand(len(image), 1, 1, 1) * 2 - 1)
    image = (image * shade + 0.02 * torch.randn(len(image), 3, 1, 1)).clamp(0, 1)
    seen = model.ground(image, batch.words)
    useful = 1 - batch.useless
    share = useful / useful.sum().clamp(min=1)

    spread = 2.0 / model.grid
    distance = torch.cdist(batch.pixel, model.coordinates)
    goal = (-0.5 * (distance / spread) ** 2).softmax(-1)
    moves, grips = model.act(
        F.one_hot(states.skill, len(SKILLS)).float(),
        states.point,
        states.tool,
        states.opening,
        states.start,
    )
    steps = torch.arange(1, model.config.horizon + 1)[:, None]
    far = ((moves - states.moves).abs() / steps).mean()
    grip = F.binary_cross_entropy_with_logits(grips, states.grips)
    return {
        "heat": -(goal * seen.heatmap).sum(-1) @ share * 0.1,
        "point": (seen.point - batch.point).abs().mean(1) @ share * 20,
        "moves": far * 300,
        "grips": grip,
        "task": F.cross_entropy(seen.task, batch.skill, reduction="none") @ share * 0.5,
        "reject": F.binary_cross_entropy_with_logits(seen.reject, batch.useless) * 0.5,
    }
