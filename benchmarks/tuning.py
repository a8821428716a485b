"""Fusions, and ways to tune a pretrained encoder, side by side: what they cost, who obeys.

    python benchmarks/tuning.py --data data/demos [--steps 1500] [--episodes 56]

Model hubs are not asked: the "pretrained" encoder is a small CLIP of open_clip, made here first,
from images of other scenes and captions, with open_clip's own loss. Then each variant is fitted
to the same demonstrations in as many steps, with the words and actions of the shipped policy, in
a process of its own, and the obedience suite measures it. What `--out` holds is not done again.
"""

import argparse
import itertools
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from open_clip.loss import ClipLoss
from open_clip.model import resize_pos_embed
from safetensors.torch import save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor
from tqdm import tqdm

from vlm_robot_ros.data.sim_episode import crop
from vlm_robot_ros.evaluation.conditions import CONDITIONS
from vlm_robot_ros.models.autocast import autocast_bfloat16
from vlm_robot_ros.models.checkpoint import load_checkpoint
from vlm_robot_ros.models.encoders.registry import load_encoder
from vlm_robot_ros.paths import shipped_checkpoint
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.simulator import Simulator
from vlm_robot_ros.tasks.objects import RECEPTACLES, SEEN_PAIRS
from vlm_robot_ros.tasks.scene import sample_scene

VARIANTS = {
    "early": ("early", ""),
    "late": ("late", ""),
    "cross": ("cross", ""),
    "cross, CLIP frozen": ("cross", "frozen"),
    "cross, CLIP with LoRA": ("cross", "lora"),
    "cross, CLIP in full": ("cross", "full"),
}
"""Of each its fusion, and how the encoder is tuned; "" is the compact tower, from scratch."""
SIDE = 224
CLIP = {
    "embed_dim": 128,
    # What goes with a caption is the mean of the patches: so each of them has to know things.
    "vision_cfg": {"image_size": SIDE, "patch_size": 14, "width": 192, "layers": 6,
                   "head_width": 64, "pool_type": "avg"},
    "text_cfg": {"width": 96, "heads": 3, "layers": 2},
}  # fmt: skip
STAGES = ((4, 64, 0.7), (2, 96, 0.2), (1, 32, 0.1))
"""Part of an image's sides, images a step, share of the steps: small windows cost little."""
SEEN = 100
"""Pixels of a thing that are enough to know it by."""
SCENES, UNSEEN = 5_000_000, 5_900_000
"""First seeds of the encoder's scenes, and of those that test it; nothing else has them."""


class Album(NamedTuple):
    """Images of N tables, and what they show."""

    image: np.ndarray
    """Shape (N, 176, 240, 3), uint8."""
    shown: np.ndarray
    """Of each pixel: 0, or 1 + the index of a thing. Shape (N, 176, 240), uint8."""
    names: list[list[str]]
    """Of the things."""


def draw_scenes(first: int, count: int) -> Album:
    """Draw scenes by seed, the arm somewhere; held-out pairs are not there."""
    sim, rows = Simulator(load_robot("panda_sim")), []
    for seed in tqdm(range(first, first + count), "images"):
        rng = np.random.default_rng(seed)
        scene = sample_scene(rng, SEEN_PAIRS)
        sim.reset(scene, np.array(sim.robot.home) + rng.normal(0.0, 0.3, 7))
        names = [thing.name for thing in scene.things]
        rows.append((crop(sim.render("front")), crop(sim.render_things()), names))
    sim.close()
    image, shown, names = zip(*rows, strict=True)
    return Album(np.stack(image), np.stack(shown), list(names))


def windows(
    album: Album, rng: np.random.Generator, count: int, part: int
) -> tuple[np.ndarray, list[str]]:
    """Return windows of a part of the images' sides, and captions, no two the same."""
    height, width = album.shown.shape[1:]
    rows, columns = height // part, width // part
    found: dict[str, np.ndarray] = {}
    while len(found) < count:
        number = int(rng.integers(len(album.shown)))
        top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
        at = slice(top, top + rows), slice(left, left + columns)
        shown = album.shown[number]
        named = [
            f"a {name}"
            for thing, name in enumerate(album.names[number], 1)
            if (shown[at] == thing).sum() >= max(SEEN, 0.6 * (shown == thing).sum())
        ]
        if named:
            caption = ", ".join(named[i] for i in rng.permutation(len(named)))
            found[caption] = album.image[number][at]
    return np.stack(list(found.values())), list(found)


def squash(images: np.ndarray, side: int) -> Tensor:
    """Return images, shape (B, H, W, 3), uint8, as `EncoderTower` gives them to the encoder."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    pixels = F.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    return (pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def make_encoder(folder: Path, steps: int, images: int) -> None:
    """Train the small CLIP and save it in open_clip's format."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": CLIP, "preprocess_cfg": {"resize_mode": "squash"}}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
    album, rng = draw_scenes(SCENES, images), np.random.default_rng(0)
    torch.manual_seed(0)
    state: dict[str, Tensor] = {}
    for part, size, share in STAGES:
        model = open_clip.create_model(
            f"local-dir:{folder}", load_weights=False, force_image_size=SIDE // part
        )
        if state:
            resize_pos_embed(state, model)
            model.load_state_dict(state)
        fit(model, album, rng, part, size, round(share * steps))
        state = model.state_dict()
    save_file(state, folder / "weights.part")
    (folder / "weights.part").replace(folder / "open_clip_model.safetensors")


def fit(
    model: Any, album: Album, rng: np.random.Generator, part: int, size: int, steps: int
) -> None:
    """Train a CLIP on windows."""
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, max(steps, 2), pct_start=0.1)
    loss_of, tokenizer = ClipLoss(), open_clip.SimpleTokenizer()
    for _ in (bar := tqdm(range(steps), f"windows of 1/{part}")):
        images, captions = windows(album, rng, size, part)
        with autocast_bfloat16("cpu"):
            image, text, scale = model(squash(images, SIDE // part), tokenizer(captions))
        loss = loss_of(image.float(), text.float(), scale.clamp(max=100))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=round(loss.item(), 3))


@torch.inference_mode()
def zero_shot(folder: Path) -> str:
    """Tell how well the encoder knows unseen scenes: images by caption, things by patch."""
    encoder, album = load_encoder(f"open_clip:{folder}"), draw_scenes(UNSEEN, 100)
    names = [*(" ".join(pair) for pair in SEEN_PAIRS), *RECEPTACLES]
    words = encoder.encode_text([f"a {name}" for name in names]).embedding
    images, captions = windows(album, np.random.default_rng(1), 64, 1)
    seen = encoder.encode_image(squash(images, SIDE))
    best = encoder.logits(seen.embedding, encoder.encode_text(captions).embedding).argmax(1)
    matched = int((best == torch.arange(64)).sum())
    seen = encoder.encode_image(squash(album.image, SIDE))
    said = (encoder.patch_embeddings(seen) @ words.T).argmax(-1).unflatten(1, seen.grid).numpy()
    pairs: list[tuple[list[str], list[str]]] = []
    for found, shown, there in zip(said, album.shown, album.names, strict=True):
        for thing, name in enumerate(there, 1):
            places = np.argwhere(shown == thing)
            if name not in RECEPTACLES and len(places) >= SEEN:
                row, column = (places.mean(0) / shown.shape * seen.grid).astype(int)
                pairs.append((names[found[row, column]].split(), name.split()))
    right, colour, shape = (
        f"{np.mean([one[part] == other[part] for one, other in pairs]):.0%}"
        for part in (slice(None), 0, -1)
    )
    return f"""{matched} of 64 unseen images go best with their own caption.
Of {len(pairs)} objects the middle patch is named rightly, of {len(names)} names, in {right};
the colour in {colour}, the shape in {shape}."""


def run(*words: Any) -> float:
    """Run a command in a process of its own; returns the most memory that it held [GiB]."""
    command, most = ["vlm-robot", *map(str, words)], 0
    process = subprocess.Popen(command)
    while process.poll() is None:
        # Not ru_maxrss: what this process holds counts there, too, from before the command began.
        status = Path(f"/proc/{process.pid}/status").read_text()
        most = max([most, *(int(kib) for kib in re.findall(r"VmHWM:\s+(\d+)", status))])
        time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"`{' '.join(command)}` failed; call again to go on")
    return most / 2**20


def train(folder: Path, variant: str, args: argparse.Namespace) -> dict[str, float]:
    """Fit a variant; returns what it cost."""
    fusion, how = VARIANTS[variant]
    clip = ["--encoder", f"open_clip:{(args.out / 'clip').resolve()}", "--tune", how]
    memory = run("train", "--data", args.data, "--words", args.words, "--fusion", fusion,
                *(clip if how else []), "--image-steps", args.steps, "--batch", args.batch,
                "--rank", args.rank, "--out", folder)  # fmt: skip
    state = torch.load(folder / "image.resume.pt", weights_only=True)
    # What no loss depends on is never moved, and equals its average.
    moved = {
        name: weight.numel()
        for name, weight in state["part"].items()
        if not torch.equal(weight, state["average"][name])
    }
    tower = "image.encoder." if how else "image."
    return {
        "encoder": sum(size for name, size in moved.items() if f".{tower}" in name),
        "trained": sum(moved.values()),
        "all": sum(weight.numel() for weight in load_checkpoint(folder).parameters()),
        "memory": memory,
        "second": float(np.median(list(seconds_a_step(folder)))),
        "frames": state["about"]["frames"],
    }


def seconds_a_step(folder: Path) -> Iterator[float]:
    """Yield the time of a step, from one logged step to the next, of each run in a folder."""
    for path in (folder / "tensorboard").iterdir():
        log = EventAccumulator(str(path)).Reload()
        points = log.Scalars("image/point") if log.Tags()["scalars"] else []
        for one, other in itertools.pairwise(points):
            yield (other.wall_time - one.wall_time) / (other.step - one.step)


def row(variant: str, cost: dict[str, float], cells: dict[str, Any]) -> str:
    """Return a variant's line of the table."""
    parts = [variant, *(f"{cost[key] / 1e6:.2f}" for key in ("encoder", "trained", "all"))]
    parts += [f"{cost['memory']:.1f}", f"{cost['second']:.2f}"]
    for cell in cells.values():
        low, high = cell["wilson_95"]
        parts.append(f"{cell['successes']} of {cell['episodes']} ({low:.0%} to {high:.0%})")
    return f"| {' | '.join(parts)} |"


def main() -> None:
    """Make what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data/demos"), help="demonstrations")
    parser.add_argument("--words", type=Path, default=shipped_checkpoint())
    parser.add_argument("--out", type=Path, default=Path("runs/tuning"))
    parser.add_argument("--clip-steps", type=int, default=1000, help="of the encoder's making")
    parser.add_argument("--clip-images", type=int, default=2000, help="that it is made from")
    parser.add_argument("--steps", type=int, default=1500, help="of each variant; more than 50")
    parser.add_argument("--batch", type=int, default=48, help="images a step")
    parser.add_argument("--rank", type=int, default=4, help="of the adapters")
    parser.add_argument("--cells", default="seen,pairs b,swap", help=f"of {', '.join(CONDITIONS)}")
    parser.add_argument("--episodes", type=int, default=56, help="a cell")
    parser.add_argument("--seed", type=int, default=500_000, help="of what is measured")
    parser.add_argument("--workers", type=int, default=2, help="processes that measure")
    args = parser.parse_args()
    if args.steps <= 50:
        raise SystemExit(f"--steps is {args.steps}; valid: more than 50, or nothing is timed")
    args.out.mkdir(parents=True, exist_ok=True)
    about, settings = args.out / "about.json", {k: str(v) for k, v in vars(args).items()}
    if about.exists() and json.loads(about.read_text()) != settings:
        raise SystemExit(f"'{args.out}' was made with {about.read_text()}; give another --out")
    about.write_text(json.dumps(settings))
    clip, said = args.out / "clip", args.out / "clip.txt"
    if not (clip / "open_clip_model.safetensors").exists():
        make_encoder(clip, args.clip_steps, args.clip_images)
    if not said.exists():
        said.write_text(zero_shot(clip) + "\n")
    print(said.read_text())
    heads = ["variant", "trained of the encoder, M", "trained, M", "parameters, M", "memory GiB",
             "s a step", *args.cells.split(",")]  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join(['---'] * len(heads))} |"]
    for variant in VARIANTS:
        folder = args.out / variant.lower().replace(",", "").replace(" ", "-")
        cost, report = folder / "cost.json", folder / "report.json"
        if not cost.exists():
            cost.write_text(json.dumps(train(folder, variant, args)))
        if not report.exists():
            run("evaluate", "--checkpoint", folder, "--cells", args.cells, "--episodes",
                args.episodes, "--seed", args.seed, "--workers", args.workers, "--out",
                folder / "suite", "--json", report)  # fmt: skip
        spent = json.loads(cost.read_text())
        lines.append(row(variant, spent, json.loads(report.read_text())["cells"]))
        (args.out / "tuning.md").write_text("\n".join(lines) + "\n")
        print("\n".join(lines), flush=True)
    print(f"\nof the memory {spent['frames'] * 129_360 / 2**30:.2f} GiB are images")


if __name__ == "__main__":
    main()
