"""How fast a fine-tuned policy with a large encoder answers, and what makes it so.

    python benchmarks/encoder_rate.py [--encoder open_clip:ViT-B-32/random] [--threads 2]

Cameras' images of 480 x 640 and a sentence come in, a chunk of actions goes out. The naive
way prepares images with PIL and runs both towers for every frame, in float32. Then one thing
after the other is done better, and with all of them each of the policy's ways to be faster.
Weights are random: they do not change the time.
"""

import argparse
import time
from collections.abc import Callable, Collection

import numpy as np
import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import Tensor

from vlm_robot_ros.inference.optimizations import (
    OPTIMIZATIONS,
    optimize_model,
    parse_optimizations,
    upload,
)
from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.models.encoders.registry import load_encoder
from vlm_robot_ros.models.finetuned.model import ChunkPredictor, ChunkPredictorConfig

WORDS = "put the red cube into the blue bowl"


def make(encoder: str, device: str, fusion: str, count: int) -> ChunkPredictor:
    """Return a model of random weights."""
    config = ChunkPredictorConfig(
        encoder=encoder,
        cameras=tuple(f"camera {number}" for number in range(count)),
        mode=int(ActionMode.END_EFFECTOR_DELTA),
        action_mean=(0.0,) * 7,
        action_std=(1.0,) * 7,
        state_mean=(),
        state_std=(),
        state=None,
        sentences=(WORDS,),
        joints=0,
        turns=(True, False),
        step_dt=0.1,
        fusion=fusion,
    )
    model = ChunkPredictor(config, load_encoder(encoder, device))
    return model.to(device).eval()


def timed(step: Callable[[], Tensor], seconds: float, device: str) -> float:
    """Return the median time of a step [ms]."""
    times: list[float] = []
    for _ in range(3):
        step()
    while sum(times) < seconds or len(times) < 5:
        begun = time.perf_counter()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return 1e3 * float(np.median(times))


@torch.inference_mode()
def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default="open_clip:ViT-B-32/random")
    parser.add_argument("--fusion", default="cross")
    parser.add_argument("--cameras", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--ways",
        nargs="*",
        help=f"lists of {', '.join(OPTIMIZATIONS)}; each by itself and all if none",
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="a row")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (480, 640, 3), dtype=np.uint8) for _ in range(args.cameras)]
    state = torch.zeros(1, 1, device=args.device)
    plain = make(args.encoder, args.device, args.fusion, args.cameras)
    library = getattr(plain.encoder.model, "visual", None)
    if library is None:
        raise SystemExit("the naive way is written for open_clip; give an encoder of it")
    pil = image_transform_v2(
        PreprocessCfg(**open_clip.get_model_preprocess_cfg(plain.encoder.model)), is_train=False
    )
    kept = plain.encode_text([WORDS])

    def by_pil() -> Tensor:
        pixels = torch.stack([pil(Image.fromarray(image)) for image in images])
        return pixels[None].to(args.device)

    def on_device(model: ChunkPredictor, ways: Collection[str] = ()) -> Tensor:
        batch = torch.stack([upload(image, args.device, ways) for image in images])
        return model.encoder.preprocess(batch)[None]

    rows = {
        "naive": lambda: plain(by_pil(), plain.encode_text([WORDS]), state).actions,
        "words kept": lambda: plain(by_pil(), kept, state).actions,
        "prepared on the device": lambda: plain(on_device(plain), kept, state).actions,
    }

    def faster(ways: Collection[str]) -> Callable[[], Tensor]:
        model = make(args.encoder, args.device, args.fusion, args.cameras)
        read = model.encode_text([WORDS])
        plan = optimize_model(model, ways)
        return lambda: plan(on_device(model, ways), read, state).actions

    place = f"{args.device}, {args.threads} threads, {args.cameras} cameras"
    print(f"{args.encoder}, {args.fusion}, {place}\n")
    print("| | ms | times the naive way |\n|---|---|---|")
    first = 0.0
    usable = [way for way in OPTIMIZATIONS if way != "pinned" or args.device == "cuda"]
    given = args.ways or [*usable, ",".join(usable)]
    chosen = {f"and {ways}": parse_optimizations(ways, args.device) for ways in given}
    for name in [*rows, *chosen]:
        step = faster(chosen[name]) if name in chosen else rows[name]
        took = timed(step, args.seconds, args.device)
        first = first or took
        print(f"| {name} | {took:.1f} | {first / took:.1f} |", flush=True)


if __name__ == "__main__":
    main()
