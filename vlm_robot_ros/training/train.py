"""Fit the fusion model to recorded episodes.

Two fits one after the other, of parts that share no weights: the action head, on states alone, and
the grounding of words in pictures.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True)
class TrainConfig:
    """How to train."""

    action_steps: int = 9000
    """Steps for the action head."""
    steps: int = 2800
    """Steps for the grounding."""
    batch: int = 96
    """Frames a step for the grounding."""
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
    out.mkdir(parents=True, exist_ok=True)
    frames = Frames(episodes, model.config.horizon, config.seed)
    about = {**asdict(config), "frames": len(frames.image)}
    head = list(model.action.parameters())
    own = {id(parameter) for parameter in head}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in own]

    def act_losses() -> dict[str, Tensor]:
        return _act_losses(model, frames.draw_states(_STATES))

    def ground_losses() -> dict[str, Tensor]:
        return _ground_losses(model, frames.draw(config.batch))

    _fit("action", model, head, act_losses, config.action_steps, config, out, about)
    _fit("grounding", model, rest, ground_losses, config.steps, config, out, about)
    return out


def _fit(
    name: str,
    model: FusionModel,
    parameters: list[torch.nn.Parameter],
    losses_of_batch: Callable[[], dict[str, Tensor]],
    steps: int,
    config: TrainConfig,
    out: Path,
    about: dict,
) -> None:
    """Fit some parameters; leaves in `model` the average of the last steps."""
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.995))
    optimizer = torch.optim.AdamW(parameters, config.rate, weight_decay=0.01)
    resume, first = out / f"{name}.resume.pt", 0
    if resume.exists():
        state = torch.load(resume, weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first = int(state["step"])

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
        assert isinstance(average.module, FusionModel)
        save_checkpoint(average.module, out, {**about, "phase": name, "step": step})

    with (out / "log.jsonl").open("a") as log:
        for step in (bar := tqdm(range(first, steps), name, initial=first, total=steps)):
            for group in optimizer.param_groups:
                group["lr"] = config.rate * _schedule(step, steps)
            losses = losses_of_batch()
            total = torch.stack(list(losses.values())).sum()
            optimizer.zero_grad()
            total.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            average.update_parameters(model)
            if step % 50 == 0:
                row = {part: round(loss.item(), 4) for part, loss in losses.items()}
                bar.set_postfix(row)
                log.write(json.dumps({"phase": name, "step": step, **row}) + "\n")
                log.flush()
            if (step + 1) % config.save_every == 0 or step + 1 == steps:
                save(step + 1)
    model.load_state_dict(average.module.state_dict())


def _schedule(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / 200)
    return warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def _act_losses(model: FusionModel, states: States) -> dict[str, Tensor]:
    task = F.one_hot(states.skill, len(SKILLS)).float()
    moves, grips = model.act(task, states.point, states.tool, states.opening, states.start)
    steps = torch.arange(1, model.config.horizon + 1)[:, None]
    far = ((moves - states.moves).abs() / steps).mean()
    return {
        "moves": far * 300,
        "grips": F.binary_cross_entropy_with_logits(grips, states.grips),
    }


def _ground_losses(model: FusionModel, batch: Batch) -> dict[str, Tensor]:
    image = batch.image.permute(0, 3, 1, 2).float() / 255
    shade = 1 + 0.15 * (torch.rand(len(image), 1, 1, 1) * 2 - 1)
    image = (image * shade + 0.02 * torch.randn(len(image), 3, 1, 1)).clamp(0, 1)
    seen = model.ground(image, batch.words, batch.tool, batch.opening)
    useful = 1 - batch.useless
    share = useful / useful.sum().clamp(min=1)

    spread = 2.0 / model.grid
    distance = torch.cdist(batch.pixel, model.coordinates)
    goal = (-0.5 * (distance / spread) ** 2).softmax(-1)
    return {
        "heat": -(goal * seen.heatmap).sum(-1) @ share * 0.1,
        "point": (seen.point - batch.point).abs().mean(1) @ share * 20,
        "task": F.cross_entropy(seen.task, batch.skill, reduction="none") @ share * 0.5,
        "reject": F.binary_cross_entropy_with_logits(seen.reject, batch.useless) * 0.5,
    }
