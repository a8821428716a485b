"""Fit a pretrained encoder, a fusion and heads to recorded demonstrations of any robot."""

import resource
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from vlm_robot_ros.data.action_space import describe_mapping, read_actions
from vlm_robot_ros.data.dataset import DataError, EpisodeDataset
from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.models.autocast import autocast_bfloat16
from vlm_robot_ros.models.encoders.finetuning import set_trainable
from vlm_robot_ros.models.encoders.registry import load_encoder
from vlm_robot_ros.models.finetuned.model import ChunkPredictor, ChunkPredictorConfig
from vlm_robot_ros.training.chunk_dataset import (
    ChunkBatch,
    ChunkDataset,
    action_vectors,
    statistics,
)
from vlm_robot_ros.training.trainer import Trainer, make_accelerator

_READ_FIRST = 200
"""Episodes whose statistics stand for all."""
_MOMENTS = 500
"""How many tell how good a model is."""


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
    arm: str = ""
    """Which one of two: left or right; empty: data of two arms is refused."""
    units: str = ""
    """Of joint positions, where the demonstrations do not say: rad or deg."""
    cameras: tuple[str, ...] = ()
    """Whose images are used; all if none is named."""
    held_out: float = 0.1
    """Part of the episodes that is not trained on."""
    correction_weight: float = 1.0
    """How often moments are drawn of what succeeded soon after a failure; others are once."""
    intervention_weight: float = 1.0
    """How often moments are drawn in which a person moved the arm; others are once."""
    seed: int = 0
    save_every: int = 250


class ChunkLoss(nn.Module):
    """Moments to what was done next, and to what was asked for."""

    def __init__(self, model: ChunkPredictor) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: ChunkBatch) -> dict[str, Tensor]:
        """Return the losses of a batch."""
        model = self.model
        with autocast_bfloat16(batch.pixels.device):
            chosen, which = batch.instructions.unique(return_inverse=True)
            read = model.encode_text([model.config.sentences[n] for n in chosen.tolist()])[which]
            planned = model(preprocess_batch(model, batch.pixels), read, batch.state)
        wanted = (batch.actions - model.action_mean) / model.action_std
        miss = (planned.actions.float() - wanted).abs().mean(-1) * batch.is_valid
        losses = {"actions": miss.sum() / batch.is_valid.sum()}
        if model.config.tasks:
            losses["task"] = 0.1 * F.cross_entropy(planned.tasks.float(), batch.instructions)
        return losses


def preprocess_batch(model: ChunkPredictor, pixels: Tensor) -> Tensor:
    """Return what the encoder takes of images of shape (B, cameras, H, W, 3), uint8."""
    flat = model.encoder.preprocess(pixels.flatten(0, 1))
    return flat.unflatten(0, pixels.shape[:2])


def finetune(data: EpisodeDataset, out: Path, config: FinetuneConfig) -> ChunkPredictor:
    """Fit a model to demonstrations; an interrupted run in `out` goes on where it was.

    Args:
        data: Demonstrations.
        out: The run's folder, and the checkpoint's.
        config: How.

    Raises:
        DataError: the data lacks what is needed, or cannot be what its names say.
        EncoderError: there is no such encoder.
        ValueError: there is no such fusion, or `out` holds another run.
    """
    torch.manual_seed(config.seed)
    accelerator = make_accelerator()
    say = print if accelerator.is_main_process else _empty_batch
    fps = data.info.fps or config.fps
    if not fps:
        raise DataError(f"'{data.info.path}' does not say how many frames a second; give --fps")
    if not 0 < fps < np.inf:
        raise DataError(f"{fps} frames a second; valid: above 0")
    if min(config.batch, config.horizon) < 1:
        raise DataError(f"batch {config.batch}, horizon {config.horizon}; valid: 1 or more")
    weights = _weights(data, config, say)
    cameras = _cameras(data, config)
    train, held = _split(len(data), config)
    tables = [data.table(number) for number in tqdm(train[:_READ_FIRST], "statistics")]
    states, actions = zip(*tables, strict=True)
    space, felt = read_actions(data.info, config.arm, actions, states, config.units)
    for note in describe_mapping(data.info, space, felt):
        say(note)
    encoder = load_encoder(config.encoder)
    vectors = [action_vectors(state, action, space, felt) for state, action in tables]
    shared = (space, felt, cameras, encoder.preprocess.size, config.horizon)
    seen = ChunkDataset(
        data,
        train,
        *shared,
        config.seed + 1000 * accelerator.process_index,
        weights,
        config.intervention_weight,
    )
    if not any(sentence.strip() for sentence in seen.sentences):
        raise DataError(f"'{data.info.path}' has no instructions: nothing can be asked for")
    joints = [len(each.columns) for each in (space, felt)
              if each and each.mode is ActionMode.JOINT_POSITION]  # fmt: skip
    made = ChunkPredictorConfig(
        config.encoder,
        cameras,
        int(space.mode),
        *statistics([action for _, action in vectors], 1.0),
        # What never changed is not listened to when it does.
        *statistics([state for state, _ in vectors], 1e6),
        int(felt.mode) if felt else None,
        tuple(seen.sentences),
        max(joints, default=0),
        (space.turn != "none", felt is not None and felt.turn != "none"),
        1 / fps,
        config.fusion,
        config.horizon,
    )
    model = ChunkPredictor(made, encoder)
    set_trainable(model.encoder, config.tune, config.rank)
    about = {**asdict(config), "data": str(data.info.path), "episodes": len(train),
             "action": {**asdict(space), "mode": space.mode.name}}  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    say(parameter_counts(model))
    run = Trainer(model, out, about, accelerator, config.seed, config.save_every)
    fit = ChunkLoss(model)
    run.fit("direct", fit, lambda: seen.draw(config.batch), config.steps, config.rate)
    say(f"memory: {_memory(accelerator.device):.2f} GB at most")
    if accelerator.is_main_process:
        model.to(accelerator.device)
        say(evaluate_error(model, seen, "trained on"))
        if held:
            say(evaluate_error(model, ChunkDataset(data, held, *shared), "held out"))
        model.to("cpu")
    return model


def _weights(
    data: EpisodeDataset, config: FinetuneConfig, say: Callable[[str], None]
) -> dict[int, float]:
    """Return what the corrections among the episodes weigh; only bags know of any."""
    if not 0 < config.correction_weight < np.inf:
        raise DataError(f"correction weight {config.correction_weight}; valid: above 0")
    if not 0 < config.intervention_weight < np.inf:
        raise DataError(f"intervention weight {config.intervention_weight}; valid: above 0")
    if config.intervention_weight != 1.0:
        marks = [data.episode(number, ()).intervention for number in range(len(data))]
        count = sum(int(each.sum()) for each in marks if each is not None)
        say(f"interventions: {count} frames")
    corrections = sorted(getattr(data, "corrections", ()))
    if config.correction_weight != 1.0:
        say(f"corrections: {len(corrections)} of {len(data)} episodes")
    return dict.fromkeys(corrections, config.correction_weight)


def _empty_batch(line: str) -> None:
    """Leave it to the main process."""


def _cameras(data: EpisodeDataset, config: FinetuneConfig) -> tuple[str, ...]:
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


def parameter_counts(model: ChunkPredictor) -> str:
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
def evaluate_error(model: ChunkPredictor, seen: ChunkDataset, name: str) -> str:
    """Return how far planned actions are from what was done, beside always doing the mean."""
    model.eval()
    device, off, far = model.encoder.device, [], []
    for cpu in seen.sample_moments(_MOMENTS, 32):
        batch = ChunkBatch(*(part.to(device) for part in cpu))
        read = model.encode_text(
            [seen.sentences[number] for number in batch.instructions.tolist()]
        )
        planned = model(preprocess_batch(model, batch.pixels), read, batch.state).actions
        wanted = (batch.actions - model.action_mean) / model.action_std
        true = batch.is_valid[..., None].bool().expand_as(planned)
        off.append((planned - wanted).abs()[true])
        far.append(wanted.abs()[true])
    return (
        f"{name}: actions are {float(torch.cat(off).mean()):.3f} deviations off, "
        f"always the mean would be {float(torch.cat(far).mean()):.3f}"
    )
