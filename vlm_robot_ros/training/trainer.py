"""The loop that fits: resumable, with averaged weights, on whatever accelerate finds."""

import json
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from vlm_robot_ros.models.checkpoint import ensure_no_checkpoint, save_checkpoint

_AVERAGED = 0.995
"""How much of the average of the weights stays from step to step."""
_PRETRAINED_RATE = 0.05
"""Of the learning rate, for weights that come from elsewhere."""


def make_accelerator() -> Accelerator:
    """Return what spreads the work; parts of a model may have weights that no loss depends on."""
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(kwargs_handlers=[unused])


@dataclass
class Trainer:
    """One model's fitting, in its folder."""

    model: Any
    """What `save` writes; `fit` fits parts of it."""
    out: Path
    """The checkpoint; beside it what is needed to go on."""
    about: dict[str, Any]
    """How it came about, for the checkpoint."""
    accelerator: Accelerator
    seed: int
    save_every: int
    save: Callable[[Any, Path, dict[str, Any]], None] = save_checkpoint
    _began: bool = field(default=False, init=False)

    def fit(
        self,
        name: str,
        part: nn.Module,
        draw: Callable[[], Any],
        steps: int,
        rate: float,
    ) -> None:
        """Fit a part; leaves in the model the average of the last steps."""
        # Of its own, so that no part depends on how long another was fitted.
        torch.manual_seed(zlib.crc32(name.encode()) + self.seed)
        accelerator = self.accelerator
        part.to(accelerator.device)
        fitted = {name: p for name, p in part.named_parameters() if p.requires_grad}
        average = {name: weight.detach().clone() for name, weight in fitted.items()}
        optimizer = torch.optim.AdamW(_parameter_groups(fitted), rate, weight_decay=0.01)
        resume, first = self.out / f"{name}.resume.pt", 0
        if resume.exists():
            state = _read(resume, accelerator.device)
            self._check_same(resume, state.get("about", self.about))
            part.load_state_dict(state["part"], strict=False)
            average = state["average"]
            optimizer.load_state_dict(state["optimizer"])
            first = int(state["step"])
        elif not any(self.out.glob("*.resume.pt")) and not self._began:
            ensure_no_checkpoint(self.out)
        self._began = True
        wrapped, optimizer = accelerator.prepare(part, optimizer)
        main = accelerator.is_main_process
        writer = SummaryWriter(str(self.out / "tensorboard"), purge_step=first) if main else None
        bar = tqdm(range(first, steps), name, initial=first, total=steps, disable=not main)
        for step in bar:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["part"] * _schedule(step, steps)
            losses = wrapped(_to(draw(), accelerator.device))
            optimizer.zero_grad()
            accelerator.backward(torch.stack(list(losses.values())).sum())
            accelerator.clip_grad_norm_(fitted.values(), 1.0)
            optimizer.step()
            for weight_name, weight in fitted.items():
                average[weight_name].lerp_(weight.detach(), max(1 - _AVERAGED, 1 / (step + 1)))
            if main and step % 50 == 0:
                row = {term: round(loss.item(), 4) for term, loss in losses.items()}
                bar.set_postfix(row)
                assert writer is not None
                for term, value in row.items():
                    writer.add_scalar(f"{name}/{term}", value, step)
                with (self.out / "log.jsonl").open("a") as log:
                    log.write(json.dumps({"phase": name, "step": step, **row}) + "\n")
            if main and ((step + 1) % self.save_every == 0 or step + 1 == steps):
                state = {
                    "part": {name: weight.detach() for name, weight in fitted.items()},
                    "average": average,
                    "optimizer": optimizer.state_dict(),
                    "step": step + 1,
                    "about": json.loads(json.dumps(self.about)),
                }
                torch.save(state, resume.with_suffix(".part"))
                resume.with_suffix(".part").replace(resume)
        if writer:
            writer.close()
        accelerator.wait_for_everyone()
        part.load_state_dict(average, strict=False)
        part.to("cpu")
        if main:
            self.save(self.model, self.out, {**self.about, "phase": name, "step": steps})

    def _check_same(self, resume: Path, theirs: dict[str, Any]) -> None:
        """Raise ValueError where what is to be resumed is of another run."""
        free = ("steps", "save_every", "processes", "frames")
        # What an earlier version did not know was as it is by default.
        keys = {key for key in {*theirs} & {*self.about} if not key.endswith(free)}
        mine = json.loads(json.dumps(self.about))  # lists for tuples, as it was written
        apart = sorted(key for key in keys if mine.get(key) != theirs.get(key))
        if apart:
            said = "; ".join(f"{k} was {theirs.get(k)!r}, is {mine.get(k)!r}" for k in apart)
            raise ValueError(f"'{resume}' is of another run ({said}); give another --out")


def _read(resume: Path, device: torch.device) -> dict[str, Any]:
    try:
        return torch.load(resume, weights_only=True, map_location=device)
    except Exception as error:  # whatever a broken file is taken for
        raise ValueError(
            f"'{resume}' is no run to resume: {error}; remove it to begin again"
        ) from error


def _parameter_groups(fitted: dict[str, nn.Parameter]) -> list[dict[str, Any]]:
    """Return the optimizer's groups: what comes from elsewhere is changed more slowly."""
    others = [p for name, p in fitted.items() if "encoder." in name and "lora_" not in name]
    own = [p for name, p in fitted.items() if "encoder." not in name or "lora_" in name]
    return [{"params": own, "part": 1.0}, {"params": others, "part": _PRETRAINED_RATE}]


def _to(batch: Any, device: torch.device) -> Any:
    """Move a tuple of tensors, or of such tuples."""
    if batch is None:
        return None
    if isinstance(batch, torch.Tensor):
        return batch.to(device)
    return type(batch)(*(_to(part, device) for part in batch))


def _schedule(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / 200)
    return warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
