"""Fit a pretrained encoder, a fusion and heads to recorded demonstrations of any robot."""

import resource
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn
from tqdm import tqdm

from vlm_robot_ros.data.action_space import ActionSpace, state_space, with_gripper_range
from vlm_robot_ros.data.robot_data import DataError, RobotData
from vlm_robot_ros.models.direct_model import DirectConfig, DirectModel
from vlm_robot_ros.models.encoders.load import load_encoder
from vlm_robot_ros.models.encoders.tune import tune
from vlm_robot_ros.training.demonstrations import (
    Demonstrated,
    Demonstrations,
    statistics,
    vectors_of,
)
from vlm_robot_ros.training.fit import Run

MOST_TASKS = 100
_READ_FIRST = 200
"""Episodes whose statistics stand for all."""


@dataclass(frozen=True)
class FinetuneConfig:
    """How to fine-tune."""

    encoder: str
    fusion: str = "cross"
    tune: str = "frozen"
    """What of the encoder is trained: see `encoders.tune`."""
    rank: int = 8
    """Of its adapters."""
    steps: int = 5000
    batch: int = 32
    rate: float = 5e-4
    horizon: int = 8
    fps: float = 0.0
    """Of the demonstrations, where they do not say."""
    cameras: tuple[str, ...] = ()
    """Whose pictures are used; all if none is named."""
    held_out: float = 0.1
    """Part of the episodes that is not trained on."""
    seed: int = 0
    save_every: int = 250


class DirectFit(nn.Module):
    """Moments to what was done next, and to what was asked for."""

    def __init__(self, model: DirectModel, sentences: list[str]) -> None:
        super().__init__()
        self.model = model
        self._sentences = sentences
        tasks = {task: number for number, task in enumerate(model.config.tasks)}
        self._task = torch.tensor([tasks.get(said, -1) for said in sentences])

    def forward(self, batch: Demonstrated) -> dict[str, Tensor]:
        """Return the losses of a batch."""
        model = self.model
        with torch.autocast(batch.pixels.device.type, torch.bfloat16):
            chosen, which = batch.said.unique(return_inverse=True)
            read = model.read([self._sentences[number] for number in chosen.tolist()])[which]
            planned = model(prepared(model, batch.pixels), read, batch.state)
        wanted = (batch.actions - model.action_mean) / model.action_std
        miss = (planned.actions.float() - wanted).abs().mean(-1) * batch.true
        losses = {"actions": miss.sum() / batch.true.sum()}
        task = self._task.to(batch.said.device)[batch.said]
        if (task >= 0).any():
            logits = planned.tasks.float()
            losses["task"] = 0.1 * F.cross_entropy(logits, task, ignore_index=-1)
        return losses


def prepared(model: DirectModel, pixels: Tensor) -> Tensor:
    """Return what the encoder takes of pictures of shape (B, cameras, H, W, 3), uint8."""
    flat = model.encoder.preprocess(pixels.flatten(0, 1))
    return flat.unflatten(0, pixels.shape[:2])


def finetune(
    data: RobotData, space: ActionSpace, out: Path, config: FinetuneConfig, arm: str = "left"
) -> DirectModel:
    """Fit a model to demonstrations; an interrupted run in `out` goes on where it was.

    Args:
        data: Demonstrations.
        space: How their actions are read.
        out: The run's folder, and the checkpoint's.
        config: How.
        arm: Whose state is felt, of two.

    Raises:
        DataError: the data lacks what is needed.
        EncoderError: there is no such encoder.
        ValueError: there is no such fusion.
    """
    torch.manual_seed(config.seed)
    fps = config.fps or data.info.fps
    if not fps:
        raise DataError(f"'{data.info.path}' does not say how many frames a second; give --fps")
    cameras = _cameras(data, config)
    train, held = _split(len(data), config)
    encoder = load_encoder(config.encoder)
    first = [data.episode(n) for n in tqdm(train[:_READ_FIRST], "statistics")]
    space = with_gripper_range(space, _column([e.action for e in first], space.gripper))
    felt = state_space(data.info, arm)
    if felt:
        felt = with_gripper_range(felt, _column([e.state for e in first], felt.gripper))
    states, actions = zip(*(vectors_of(e, space, felt) for e in first), strict=True)
    tasks = tuple(sorted({data.instruction(number) for number in train}))
    made = DirectConfig(
        config.encoder, cameras, int(space.mode), *statistics(actions), *statistics(states),
        int(felt.mode) if felt else None, tasks if len(tasks) <= MOST_TASKS else (), 1 / fps,
        config.fusion, config.horizon,
    )  # fmt: skip
    model = DirectModel(made, encoder)
    tune(model.encoder, config.tune, config.rank)
    accelerator = Accelerator()
    shared = (space, felt, cameras, encoder.preprocess.size, config.horizon)
    seen = Demonstrations(data, train, *shared, config.seed + 1000 * accelerator.process_index)
    about = {**asdict(config), "data": str(data.info.path), "episodes": len(train),
             "action": {**asdict(space), "mode": space.mode.name}}  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    print(sizes(model))
    run = Run(model, out, about, accelerator, config.seed, config.save_every)
    fit = DirectFit(model, seen.sentences)
    run.fit("direct", fit, lambda: seen.draw(config.batch), config.steps, config.rate)
    print(f"memory: {_memory(accelerator.device):.2f} GB at most")
    print(errors(model, seen, "trained on"))
    if held:
        print(errors(model, Demonstrations(data, held, *shared), "held out"))
    return model


def _column(tables: list[np.ndarray], column: int) -> np.ndarray:
    return np.concatenate([table[:, column] for table in tables if column >= 0] or [np.zeros(0)])


def _cameras(data: RobotData, config: FinetuneConfig) -> tuple[str, ...]:
    valid = data.info.cameras
    for name in config.cameras:
        if name not in valid:
            raise DataError(f"no camera {name!r} in the data; valid: {', '.join(valid)}")
    if not valid:
        raise DataError(f"'{data.info.path}' has no cameras")
    return config.cameras or valid


def _split(count: int, config: FinetuneConfig) -> tuple[list[int], list[int]]:
    """Return the numbers of the episodes to train on, and of those to hold out."""
    if not 0 <= config.held_out < 1:
        raise DataError(f"held out is {config.held_out}; valid: 0 to less than 1")
    order = [int(n) for n in np.random.default_rng([config.seed, 6]).permutation(count)]
    kept = round(count * config.held_out)
    if count - kept < 1:
        raise DataError("no episode is left to train on")
    return order[kept:], order[:kept]


def sizes(model: DirectModel) -> str:
    """Return how many parameters are trained, and how many there are."""
    total = sum(weight.numel() for weight in model.parameters())
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    of_encoder = sum(w.numel() for w in model.encoder.parameters() if w.requires_grad)
    return (
        f"parameters: {trained:,} of {total:,} are trained ({trained / total:.1%}), "
        f"{of_encoder:,} of them the encoder's"
    )


def _memory(device: torch.device) -> float:
    """Return the most memory that was used [GB]."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


@torch.inference_mode()
def errors(model: DirectModel, seen: Demonstrations, name: str) -> str:
    """Return how far planned actions are from what was done, beside always doing the mean."""
    model.eval()
    rows: dict[str, list[Any]] = {"planned": [], "mean": []}
    for batch in seen.all():
        read = model.read([seen.sentences[int(batch.said[0])]])
        read = read.expand(len(batch.said), -1, -1)
        planned = model.actions(model(prepared(model, batch.pixels), read, batch.state).actions)
        true = batch.true[..., None].bool().expand_as(planned)
        scale = model.action_std
        rows["planned"].append((((planned - batch.actions) / scale).abs())[true])
        rows["mean"].append((((model.action_mean - batch.actions) / scale).abs())[true])
    means = {key: float(torch.cat(values).mean()) for key, values in rows.items()}
    return (
        f"{name}: actions are {means['planned']:.3f} deviations off, "
        f"always the mean would be {means['mean']:.3f}"
    )
