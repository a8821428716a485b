"""Five tasks with instructions, learned by a policy of LeRobot that reads them.

    python benchmarks/lerobot_five_tasks.py --lerobot-python ~/lerobot/bin/python [--device cuda]

Each stage is kept in `--out` and not done again, as in `lerobot_round.py`: the simulated arm does
five tasks with one cube, the bag becomes a LeRobotDataset, and LeRobot's trainer makes a
Multi-Task DiT of it (its extra `multi_task_dit`), whose CLIP is a small one without pretrained
weights. Then it does its tasks in new scenes, by LeRobot's `select_action` in the bare simulator.
At the end the command is printed that puts the checkpoint through the obedience suite.
"""

import argparse
import gzip
import json
import os
import subprocess
from pathlib import Path

import open_clip
from lerobot_round import (
    RECORD_SEED,
    TEST_SEED,
    commands,
    run_bare,
    run_nodes,
    stage,
    train,
)

from vlm_robot_ros.bags.bag_dataset import BagOptions
from vlm_robot_ros.bags.dataset_map import MAP_FILE
from vlm_robot_ros.bags.to_lerobot import convert_to_lerobot
from vlm_robot_ros.cli.node_processes import prepare_domain
from vlm_robot_ros.demo.script import DemoCommand
from vlm_robot_ros.success_rate import wilson_interval

TASKS = {
    "push left": "push the red cube to the left",
    "push right": "push the red cube to the right",
    "push away": "push the red cube away",
    "push closer": "push the red cube closer",
    "pick up": "pick up the red cube",
}
WIDTH, PATCH_PX = 128, 8
_MAKE_CLIP = """
import sys
from transformers import CLIPConfig, CLIPModel
width, size, patch, words, folder = *map(int, sys.argv[1:5]), sys.argv[5]
part = dict(hidden_size=width, intermediate_size=2 * width, num_hidden_layers=3,
            num_attention_heads=4, projection_dim=width)
text = dict(part, vocab_size=words, bos_token_id=words - 2, eos_token_id=words - 1)
vision = dict(part, image_size=size, patch_size=patch)
CLIPModel(CLIPConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
"""


def make_clip(folder: Path, size: int, python: str) -> None:
    """Write a small CLIP without pretrained weights, with OpenAI's word pieces."""
    folder.mkdir(parents=True)
    packed = Path(open_clip.__file__).with_name("bpe_simple_vocab_16e6.txt.gz")
    merges = gzip.decompress(packed.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    letters = list(open_clip.tokenizer.bytes_to_unicode().values())
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += [merge.replace(" ", "") for merge in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    numbers = {word: number for number, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(numbers), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77})
    )
    given = [str(value) for value in (WIDTH, size, PATCH_PX, len(words), folder)]
    subprocess.run([python, "-c", _MAKE_CLIP, *given], check=True)


def make_dit(dataset: Path, out: Path, args: argparse.Namespace) -> Path:
    """Train a Multi-Task DiT in `out`, unless it is there; returns the checkpoint."""
    clip = out / "small-clip"
    if not (clip / "config.json").exists():
        make_clip(clip, args.size, args.lerobot_python)
    checkpoint = out / "dit" / "checkpoints" / "last" / "pretrained_model"
    if not checkpoint.exists():
        train(
            dataset, out / "dit", args,
            {
                "policy.type": "multi_task_dit", "policy.horizon": 16, "policy.n_obs_steps": 1,
                "policy.n_action_steps": 12, "policy.objective": "flow_matching",
                "policy.num_integration_steps": 10, "policy.hidden_dim": 192,
                "policy.num_layers": 4, "policy.num_heads": 4, "policy.image_crop_shape": "null",
                "policy.vision_encoder_name": clip, "policy.text_encoder_name": clip,
                "policy.vision_encoder_lr_multiplier": 1.0, "policy.optimizer_lr": 3e-4,
            },
        )  # fmt: skip
    return checkpoint


def all_tasks(seed: int, count: int) -> list[DemoCommand]:
    """Return each task in so many scenes, from seeds of its own."""
    return [
        command
        for number, (skill, instruction) in enumerate(TASKS.items())
        for command in commands(seed + 10**6 * (1 + number), count, skill, instruction)
    ]


def main() -> None:
    """Do what is left, and print how to measure it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lerobot-python", required=True, help="interpreter that has LeRobot")
    parser.add_argument("--out", type=Path, default=Path("runs/lerobot_five_tasks"))
    parser.add_argument("--episodes", type=int, default=20, help="to record of each task")
    parser.add_argument("--test", type=int, default=10, help="episodes of each task")
    parser.add_argument("--size", type=int, default=96, help="of the images [px]")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", default="cpu", help="of LeRobot's torch")
    args = parser.parse_args()
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    prepare_domain()
    programme = all_tasks(RECORD_SEED, args.episodes)
    recorded = stage(out / "recorded.json", lambda: run_nodes(out / "recording", programme))
    dataset = out / "dataset"
    if not (dataset / "meta" / "info.json").exists():
        options = BagOptions(cameras=("front",), image_size=(args.size, args.size))
        convert_to_lerobot([out / "recording" / "bag"], dataset, options)
    checkpoint = make_dit(dataset, out, args)
    map_file = dataset / "meta" / MAP_FILE
    tests = all_tasks(TEST_SEED, args.test)
    done = stage(out / "bare.json", lambda: run_bare(checkpoint, map_file, tests, args))
    print("| task | successes | 95 % interval |\n|---|---|---|")
    for number, instruction in enumerate(TASKS.values()):
        own = done[number * args.test : (number + 1) * args.test]
        low, high = wilson_interval(sum(own), len(own))
        print(f"| {instruction} | {sum(own)} of {len(own)} | {low:.0%} to {high:.0%} |")
    print(f"\n{sum(recorded)} of {len(recorded)} recorded episodes are demonstrations")
    print(f"vlm-robot evaluate --episodes 50 --policy lerobot:{checkpoint} "
          f"--map {map_file}")  # fmt: skip


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
