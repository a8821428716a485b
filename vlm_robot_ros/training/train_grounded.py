"""Fit the fusion model: words, then actions, then images; resumable, on whatever there is.

With accelerate, the same call runs on a CPU, on a GPU, or under `accelerate launch` on many.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from vlm_robot_ros.data.sim_episode import CROP_REGION, TABLE_CROP
from vlm_robot_ros.language.generator import vocabulary
from vlm_robot_ros.language.task_spec import COLOUR_SLOT, NOUN_SLOT
from vlm_robot_ros.models.checkpoint import load_checkpoint
from vlm_robot_ros.models.grounded.config import GroundedModelConfig
from vlm_robot_ros.models.grounded.model import VisionLanguageRobotModel
from vlm_robot_ros.sim.world import FRONT_POSITION, front_homography
from vlm_robot_ros.tasks.objects import RECEPTACLES, SHAPES
from vlm_robot_ros.tasks.tasks import SKILL, SKILLS, goal_table, task_label
from vlm_robot_ros.training.expert_dataset import ExpertStateSampler
from vlm_robot_ros.training.grounding_dataset import GroundingDataset
from vlm_robot_ros.training.instruction_dataset import InstructionSampler
from vlm_robot_ros.training.instruction_image_dataset import InstructionImageSampler
from vlm_robot_ros.training.losses import ActionLoss, GroundingLoss, SlotLoss, TokenLoss
from vlm_robot_ros.training.trainer import Trainer, make_accelerator

_IMAGES = ("image", "colour", "points", "fusion", "recall", "close_up")


@dataclass(frozen=True)
class TrainConfig:
    """How to train."""

    fusion: str = "slots"
    encoder: str = ""
    """A pretrained one that sees instead of the compact tower."""
    tune: str = "frozen"
    """What of it is trained: see `encoders.tune`."""
    rank: int = 8
    """Of its adapters."""
    depth: str = ""
    history: int = 0
    close_up: bool = False
    """What else is looked at: see `GroundedModelConfig`."""
    text_steps: int = 4000
    text_batch: int = 256
    action_steps: int = 12000
    action_batch: int = 2048
    image_steps: int = 5000
    image_batch: int = 48
    rate: float = 2e-3
    seed: int = 0
    save_every: int = 250


def model_config() -> GroundedModelConfig:
    """Return the configuration of a model of the table's language."""
    labels, parts = _labels()
    tables = [tuple(tuple(row) for row in table.tolist()) for table in goal_table()]
    return GroundedModelConfig(
        vocabulary=tuple(vocabulary()),
        skills=SKILLS,
        colours=COLOUR_SLOT,
        nouns=NOUN_SLOT,
        movable=len(SHAPES),
        labels=labels,
        label_parts=parts,
        goal_of_start=tables[0],
        goal_of_reference=tables[1],
        goal_offset=tables[2],
        homography=tuple(tuple(row) for row in front_homography(256).tolist()),
        eye=FRONT_POSITION,
        crop=TABLE_CROP,
    )


def _labels() -> tuple[tuple[str, ...], tuple[tuple[int, int, int], ...]]:
    """Return the task labels and of each its skill, its target's and its reference's noun."""
    found: dict[str, tuple[int, int, int]] = {}
    for number, skill in enumerate(SKILLS):
        for shape in (*SHAPES, "object"):
            for kind in RECEPTACLES if SKILL[skill].reference == "receptacle" else ("",):
                noun = NOUN_SLOT.index(shape) if SKILL[skill].has_target else -1
                other = NOUN_SLOT.index(kind) if kind else -1
                found[task_label(skill, shape, kind)] = (number, noun, other)
    return tuple(found), tuple(found.values())


def train(
    episodes: Sequence[Path],
    out: Path,
    config: TrainConfig,
    words: Path | None = None,
    images: Path | None = None,
) -> Path:
    """Train from folders of episodes; an interrupted run in `out` goes on where it was.

    Args:
        episodes: Folders.
        out: The run's folder.
        config: How to train.
        words: Checkpoint whose words and actions are taken as they are, and not fitted.
        images: Checkpoint of the same fusion, to begin with for the images.

    Raises:
        CheckpointError: one of these is missing or corrupt.
        ValueError: one of these is of another fusion, or knows other words.

    Returns:
        The checkpoint folder, `out`.
    """
    if config.history < 0:
        raise ValueError(f"history is {config.history}; valid: 0 or more")
    if config.fusion == "pooled" and (config.depth or config.close_up):
        raise ValueError("fusion 'pooled' has no places: valid without depth and close-up only")
    torch.manual_seed(config.seed)
    words_of = load_checkpoint(words) if words else None
    readers = words_of.config.readers if words_of else model_config().readers
    model = VisionLanguageRobotModel(
        replace(
            model_config(),
            fusion=config.fusion,
            encoder=config.encoder,
            readers=readers,
            depth=config.depth,
            history=config.history,
            close_up=CROP_REGION if config.close_up else 0,
        )
    )
    if model.encoder is not None:
        from vlm_robot_ros.models.encoders.finetuning import set_trainable  # it loads slowly

        set_trainable(model.encoder, config.tune, config.rank, image_only=True)
    if images:
        _copy_parameters(model, load_checkpoint(images), images, _IMAGES)
    if words and words_of:
        _copy_parameters(model, words_of, words, ("text", "action"))
    out.mkdir(parents=True, exist_ok=True)
    accelerator = make_accelerator()
    seed = config.seed + 1000 * accelerator.process_index
    frames = GroundingDataset(episodes, seed, config.history, bool(config.depth), config.close_up)
    about = {**asdict(config), "frames": len(frames), "processes": accelerator.num_processes}
    sentences = InstructionSampler(seed)
    states = ExpertStateSampler(frames.episodes, model.config.horizon, seed)
    run = Trainer(model, out, about, accelerator, config.seed, config.save_every)
    if not words:
        run.fit(
            "text", SlotLoss(model), lambda: sentences.draw(config.text_batch),
            config.text_steps, config.rate / 2,
        )  # fmt: skip
        run.fit(
            "action", ActionLoss(model), lambda: states.draw(config.action_batch),
            config.action_steps, config.rate,
        )  # fmt: skip
    if config.fusion == "slots":
        run.fit(
            "image", TokenLoss(model), lambda: frames.draw(config.image_batch),
            config.image_steps, config.rate,
        )  # fmt: skip
    else:
        questions = InstructionImageSampler(frames, seed)
        run.fit(
            "image", GroundingLoss(model), lambda: questions.draw(config.image_batch),
            config.image_steps, config.rate,
        )  # fmt: skip
    return out


def _copy_parameters(
    model: VisionLanguageRobotModel,
    other: VisionLanguageRobotModel,
    folder: Path,
    parts: Sequence[str],
) -> None:
    """Copy parts of another model; raises ValueError where they do not fit."""
    for name in ("vocabulary", "skills", "colours", "nouns"):
        if getattr(other.config, name) != getattr(model.config, name):
            raise ValueError(f"'{folder}' was trained with another {name}; train it again")
    if "image" in parts and other.config.encoder != model.config.encoder:
        raise ValueError(
            f"'{folder}' has encoder {other.config.encoder!r}, not {model.config.encoder!r}"
        )
    for name in ("depth", "history", "close_up"):
        theirs, mine = getattr(other.config, name), getattr(model.config, name)
        if "image" in parts and theirs != mine:
            raise ValueError(f"'{folder}' was trained with {name} {theirs!r}, not {mine!r}")
    if "image" in parts and other.encoder is not None and other.encoder.changed:
        raise ValueError(f"'{folder}' has an encoder of its own weights; train from its name")
    for part in parts:
        state = {
            name: value
            for name, value in other.state_dict().items()
            if name.startswith(f"{part}.")
        }
        own = {name for name in model.state_dict() if name.startswith(f"{part}.")}
        try:
            if own != set(state):
                raise RuntimeError(f"it has fusion {other.config.fusion!r}")
            model.load_state_dict(state, strict=False)
        except RuntimeError as error:
            raise ValueError(
                f"the {part} of '{folder}' does not fit a model of fusion "
                f"{model.config.fusion!r} and today's words: {error}"
            ) from error
